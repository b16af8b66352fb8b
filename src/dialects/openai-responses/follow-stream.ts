import { countOf, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import type { Usage } from '../../inference/usage.ts';
import type { AnswerContext, StreamFollower } from '../dialect.ts';
import { responseObject, responseUsage } from './response-object.ts';

const BYTES_PER_TOKEN = 4;
/** Kept of an answer to end it with; of a longer one the last event tells only what came before. */
const MAX_KEPT_CHARACTERS = 4 * 1024 * 1024;
const ENDS = /^response\.(completed|incomplete|failed)$/;

/** Reads events of a response as they go to the client. */
export function followStream(context: AnswerContext): StreamFollower {
  return new ResponseFollower(context);
}

/** An item that the client has, as far as it has it. */
interface Followed {
  item: JsonObject;
  done: boolean;
  /** Text of its open part, refusal, arguments, input or summary. */
  text: string;
  /** The type of the deltas that brought it. */
  kind: string | undefined;
  contentIndex: number;
  content: JsonObject[];
}

class ResponseFollower implements StreamFollower {
  finished = false;
  readonly #context: AnswerContext;
  readonly #items = new Map<number, Followed>();
  #head: JsonObject = {};
  /** Was read last: it counts as sent once a further one is read. */
  #unsent: JsonObject | undefined;
  #number = 0;
  #pieces = 0;
  #bytes = 0;
  #kept = 0;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  /** By pieces where a provider sends a token at a time, by bytes where it sends sentences: whichever is more. */
  read(event: Buffer): number {
    if (this.#unsent) this.#sent(this.#unsent);
    this.#unsent = undefined;
    const { data } = readEvent(event, 0, event.length);
    const value = data === undefined ? undefined : parseObject(data);
    if (value === undefined) return this.#tokens;
    this.#unsent = value;
    const { delta, item } = value;
    const type = stringOf(value['type']) ?? '';
    if (ENDS.test(type)) this.finished = true;
    if (typeof delta === 'string' && type.endsWith('.delta')) {
      this.#pieces += 1;
      this.#bytes += Buffer.byteLength(delta);
    } else if (type === 'response.output_item.added') {
      this.#bytes += Buffer.byteLength(stringOf(objectOf(item)?.['name']) ?? '');
    }
    return this.#tokens;
  }

  /** Ends each item that is open, and the response for its length. */
  ending(usage: Usage): Buffer {
    let text = '';
    const emit = (type: string, fields: object): void => {
      text += `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#number, ...fields })}\n\n`;
      this.#number += 1;
    };
    const output = [...this.#items].map(([index, followed]) => {
      if (!followed.done) endItem(index, followed, emit);
      return followed.item;
    });
    const { exchangeId, model, created } = this.#context;
    const state = {
      id: stringOf(this.#head['id']) ?? `resp_${exchangeId.replaceAll('-', '')}`,
      createdAt: countOf(this.#head['created_at']) ?? created,
      model: stringOf(this.#head['model']) ?? model,
      status: 'incomplete',
      output,
      usage: responseUsage(usage),
      incompleteReason: 'max_output_tokens',
    } as const;
    const response = { ...this.#head, ...responseObject(state, { ...this.#context, repeats: this.#head }) };
    emit('response.incomplete', { response });
    return Buffer.from(text);
  }

  get #tokens(): number {
    return Math.max(this.#pieces, Math.ceil(this.#bytes / BYTES_PER_TOKEN));
  }

  #sent(event: JsonObject): void {
    const { type, output_index: index, sequence_number: number, item, delta } = event;
    this.#number = (countOf(number) ?? this.#number) + 1;
    if (type === 'response.created') this.#head = objectOf(event['response']) ?? {};
    if (typeof index !== 'number') return;
    if (type === 'response.output_item.added' && isObject(item)) {
      this.#items.set(index, { item, done: false, text: '', kind: undefined, contentIndex: 0, content: [] });
    }
    const followed = this.#items.get(index);
    if (followed === undefined) return;
    if (type === 'response.output_item.done' && isObject(item)) {
      followed.item = item;
      followed.done = true;
    } else if (type === 'response.content_part.done') {
      followed.content.push(objectOf(event['part']) ?? {});
      followed.text = '';
      followed.kind = undefined;
    } else if (typeof delta === 'string' && typeof type === 'string') {
      followed.kind = type;
      followed.contentIndex = countOf(event['content_index']) ?? 0;
      this.#kept += delta.length;
      if (this.#kept <= MAX_KEPT_CHARACTERS) followed.text += delta;
    }
  }
}

/** The events that end an item where it stands; `followed.item` is then as it was ended. */
function endItem(output_index: number, followed: Followed, emit: (type: string, fields: object) => void): void {
  const { item, kind, text, contentIndex: content_index } = followed;
  const place = { item_id: item['id'], output_index };
  const part = (made: object): void => {
    emit('response.content_part.done', { ...place, content_index, part: made });
    followed.content.push(made as JsonObject);
  };
  let ended: JsonObject = { ...item, status: 'incomplete' };
  switch (kind) {
    case 'response.output_text.delta':
      emit('response.output_text.done', { ...place, content_index, text, logprobs: [] });
      part({ type: 'output_text', text, annotations: [], logprobs: [] });
      break;
    case 'response.refusal.delta':
      emit('response.refusal.done', { ...place, content_index, refusal: text });
      part({ type: 'refusal', refusal: text });
      break;
    case 'response.reasoning_text.delta':
      emit('response.reasoning_text.done', { ...place, content_index, text });
      part({ type: 'reasoning_text', text });
      break;
    case 'response.reasoning_summary_text.delta':
      emit('response.reasoning_summary_text.done', { ...place, summary_index: 0, text });
      emit('response.reasoning_summary_part.done', {
        ...place,
        summary_index: 0,
        part: { type: 'summary_text', text },
      });
      ended = { ...ended, summary: [{ type: 'summary_text', text }] };
      break;
    case 'response.function_call_arguments.delta':
      emit('response.function_call_arguments.done', { ...place, name: item['name'], arguments: text });
      ended = { ...ended, arguments: text };
      break;
    case 'response.custom_tool_call_input.delta':
      emit('response.custom_tool_call_input.done', { ...place, input: text });
      ended = { ...ended, input: text };
  }
  if (followed.content.length > 0) ended = { ...ended, content: followed.content };
  followed.item = ended;
  emit('response.output_item.done', { output_index, item: ended });
}
