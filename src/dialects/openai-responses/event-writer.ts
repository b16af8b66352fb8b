import { stringOf } from '../../codec/json-value.ts';
import type { GatewayError } from '../../core/errors.ts';
import type { ContentEvent, InferenceEvent } from '../../inference/event.ts';
import type { FinishReason } from '../../inference/finish-reason.ts';
import { carryInId } from '../../inference/signature.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext, EventWriter } from '../dialect.ts';
import { encryptedContent } from './carried-proofs.ts';
import { numberedError } from './error-event.ts';
import { CustomCallItem, FunctionCallItem, MessageItem, type OpenItem, ReasoningItem } from './output-items.ts';
import { type ResponseState, responseObject, responseUsage } from './response-object.ts';
import { type CalledTool, customInput, namedTools } from './tool-names.ts';

/** Reasoning that is kept for the signature that closes it; beyond this it goes without one. */
const MAX_PROVEN_CHARACTERS = 4 * 1024 * 1024;

/** The bound of one answer, which is told whole at its end; no model writes so much. What is beyond is left out, and it is incomplete. */
const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024;

/** A streamed answer as events of a response. */
export function eventWriter(context: AnswerContext): ResponseWriter {
  return new ResponseWriter(context);
}

type CallItem = FunctionCallItem | CustomCallItem;

/**
 * Puts a response together from neutral events, and tells each step of it as an event. Only the last event, and the
 * answer that is no stream, hold all of it.
 */
class ResponseWriter implements EventWriter {
  readonly #context: AnswerContext;
  readonly #tools: ReadonlyMap<string, CalledTool>;
  readonly #idBase: string;
  #model: string;
  #created: number;
  #text = '';
  #number = 0;
  #begun = false;
  /** Items in the order in which they began; those that are done as they stand in the output. */
  readonly #items: ({ readonly open: OpenItem } | { readonly done: object })[] = [];
  #message: number | undefined;
  #reasoning: number | undefined;
  /** Places of calls that are not done, by the index of the call. */
  readonly #calls = new Map<number, number>();
  #usage: Usage | undefined;
  #finish: FinishReason | undefined;
  #characters = 0;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#tools = namedTools(context.repeats?.['tools']);
    this.#idBase = context.exchangeId.replaceAll('-', '');
    this.#model = context.model;
    this.#created = context.created;
  }

  write(event: InferenceEvent): Buffer | undefined {
    switch (event.type) {
      case 'start':
        if (!this.#begun) {
          this.#model = event.model ?? this.#model;
          this.#created = event.created ?? this.#created;
        }
        this.#begin();
        break;
      case 'usage':
        this.#usage ??= {};
        mergeUsage(this.#usage, event.usage);
        break;
      case 'finish':
        if ((event.choice ?? 0) > 0) break;
        this.#begin();
        this.#finish = this.#isTooLong ? TOO_LONG : event.reason;
        this.#closeAll(statusOf(event.reason) === 'completed' ? 'completed' : 'incomplete');
        break;
      case 'error':
        break; // The relay says it, with `failed`.
      default:
        if ((event.choice ?? 0) > 0) break;
        this.#begin();
        if ('text' in event) this.#characters += event.text.length;
        if (!this.#isTooLong) this.#content(event);
    }
    return this.#written();
  }

  end(): Buffer {
    this.#begin();
    const reason = this.#finish;
    const status = reason === undefined ? 'completed' : statusOf(reason);
    this.#closeAll(status === 'completed' ? 'completed' : 'incomplete');
    const response = this.response();
    this.#emit(`response.${status}`, { response });
    return this.#written() ?? EMPTY;
  }

  failed(error: GatewayError): Buffer {
    this.#begin();
    const told = numberedError(error, this.#number);
    this.#number += 1;
    this.#closeAll('incomplete');
    const { upstreamCode } = error.context;
    const code = upstreamCode ?? (error.status === 429 ? 'rate_limit_exceeded' : 'server_error');
    const failure = { status: 'failed', error: { code, message: error.message } } as const;
    this.#emit('response.failed', { response: responseObject(this.#state(failure), this.#context) });
    return Buffer.concat([told, this.#written() ?? EMPTY]);
  }

  /** The whole response, once its last event was written. */
  response(): object {
    const reason = this.#finish;
    const status = reason === undefined ? 'completed' : statusOf(reason);
    const incompleteReason = status === 'incomplete' ? incompleteWord(reason, this.#context) : undefined;
    return responseObject(this.#state({ status, incompleteReason }), this.#context);
  }

  get #isTooLong(): boolean {
    return this.#characters > MAX_ANSWER_CHARACTERS;
  }

  #state(told: Pick<ResponseState, 'status' | 'error' | 'incompleteReason'>): ResponseState {
    return {
      id: `resp_${this.#idBase}`,
      createdAt: this.#created,
      model: this.#model,
      output: this.#items.flatMap((item) => ('done' in item ? [item.done] : [])),
      usage: responseUsage(this.#usage),
      ...told,
    };
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const response = responseObject({ ...this.#state({ status: 'in_progress' }), usage: null }, this.#context);
    this.#emit('response.created', { response });
    this.#emit('response.in_progress', { response });
  }

  #content(event: ContentEvent): void {
    const emit = this.#emit;
    switch (event.type) {
      case 'text':
        if (event.text !== '') this.#openMessage().part('output_text', emit).add(event.text, emit);
        return;
      case 'refusal':
        if (event.text !== '') this.#openMessage().part('refusal', emit).add(event.text, emit);
        return;
      case 'citation':
        this.#openMessage().part('output_text', emit).annotate(urlCitation(event), emit);
        return;
      case 'logprobs':
        this.#openMessage().part('output_text', emit).addLogprobs(event.content);
        return;
      case 'reasoning':
        if (event.text !== '') this.#openReasoning().add(event.text, emit);
        return;
      case 'reasoning-signature': {
        const item = this.#openReasoning();
        const { signature } = event;
        if (item.text.length <= MAX_PROVEN_CHARACTERS)
          item.encrypted = encryptedContent({ text: item.text, signature });
        this.#closeReasoning();
        return;
      }
      case 'redacted-reasoning':
        this.#closeReasoning();
        this.#openReasoning().encrypted = encryptedContent({ data: event.data });
        this.#closeReasoning();
        return;
      case 'tool-call':
        this.#beginCall(event);
        return;
      case 'tool-call-arguments': {
        const call = this.#open<CallItem>(this.#calls.get(event.index));
        if (event.text !== '') call?.add(event.text, emit);
        return;
      }
      case 'image': {
        this.#closeMessage();
        const index = this.#items.length;
        const id = this.#id('ig', index);
        const item = { id, type: 'image_generation_call', status: 'completed', result: event.base64 };
        this.#items.push({ done: item });
        emit('response.output_item.added', { output_index: index, item: { ...item, result: null } });
        emit('response.output_item.done', { output_index: index, item });
      }
    }
  }

  #beginCall({ index, id, name, signature }: ContentEvent & { type: 'tool-call' }): void {
    const emit = this.#emit;
    this.#closeReasoning();
    this.#closeMessage();
    this.#closeWholeCalls();
    const place = this.#items.length;
    const tool = this.#tools.get(name);
    const call = { callId: carryInId(id, signature), name: tool?.name ?? name, namespace: tool?.namespace };
    const at = (prefix: string) => ({ item_id: this.#id(prefix, place), output_index: place });
    const open =
      tool?.kind === 'custom'
        ? new CustomCallItem(at('ctc'), call, customInput, emit)
        : new FunctionCallItem(at('fc'), call, emit);
    this.#items.push({ open });
    this.#calls.set(index, place);
  }

  /** A call that has all its arguments when the next begins is done: clients begin to run it. */
  #closeWholeCalls(): void {
    for (const [index, place] of this.#calls) {
      const call = this.#open<CallItem>(place);
      if (call === undefined || !isWhole(call.argumentsText)) continue;
      this.#close(place, 'completed');
      this.#calls.delete(index);
    }
  }

  #openMessage(): MessageItem {
    this.#closeReasoning();
    if (this.#message === undefined) {
      this.#message = this.#items.length;
      const place = { item_id: this.#id('msg', this.#message), output_index: this.#message };
      this.#items.push({ open: new MessageItem(place, this.#emit) });
    }
    return this.#open<MessageItem>(this.#message)!;
  }

  #openReasoning(): ReasoningItem {
    this.#closeMessage();
    if (this.#reasoning === undefined) {
      this.#reasoning = this.#items.length;
      const place = { item_id: this.#id('rs', this.#reasoning), output_index: this.#reasoning };
      this.#items.push({ open: new ReasoningItem(place, this.#emit) });
    }
    return this.#open<ReasoningItem>(this.#reasoning)!;
  }

  #closeMessage(): void {
    this.#close(this.#message, 'completed');
    this.#message = undefined;
  }

  #closeReasoning(): void {
    this.#close(this.#reasoning, 'completed');
    this.#reasoning = undefined;
  }

  #closeAll(status: 'completed' | 'incomplete'): void {
    for (const place of this.#items.keys()) this.#close(place, status);
    this.#message = undefined;
    this.#reasoning = undefined;
    this.#calls.clear();
  }

  #close(place: number | undefined, status: 'completed' | 'incomplete'): void {
    const item = this.#open<OpenItem>(place);
    if (item && place !== undefined) this.#items[place] = { done: item.close(this.#emit, status) };
  }

  #open<Item extends OpenItem>(place: number | undefined): Item | undefined {
    const item = place === undefined ? undefined : this.#items[place];
    // The caller knows the kind of item by the place.
    return item && 'open' in item ? (item.open as Item) : undefined;
  }

  #id(prefix: string, index: number): string {
    return `${prefix}_${this.#idBase}_${index}`;
  }

  readonly #emit = (type: string, fields: object): void => {
    const event = { type, sequence_number: this.#number, ...fields };
    this.#number += 1;
    this.#text += `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
  };

  #written(): Buffer | undefined {
    if (this.#text === '') return undefined;
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    return bytes;
  }
}

const EMPTY = Buffer.alloc(0);
const TOO_LONG: FinishReason = { unified: 'length', raw: undefined };

function statusOf({ unified }: FinishReason): 'completed' | 'incomplete' {
  return unified === 'stop' || unified === 'tool-calls' ? 'completed' : 'incomplete';
}

const WORD = /^[a-z0-9_-]{1,64}$/;

/** OpenAI has two words; a reason that it has none for keeps the provider's own, so that nobody takes it for a clean end. */
function incompleteWord(reason: FinishReason | undefined, { strict }: AnswerContext): string {
  if (reason?.unified === 'content-filter') return 'content_filter';
  if (reason === undefined || reason.unified === 'length' || strict) return 'max_output_tokens';
  const word = stringOf(reason.raw)?.toLowerCase() ?? '';
  return WORD.test(word) ? word : 'max_output_tokens';
}

function isWhole(argumentsText: string): boolean {
  try {
    JSON.parse(argumentsText);
    return true;
  } catch {
    // More of it may come.
    return false;
  }
}

function urlCitation({ url, title, start, end }: ContentEvent & { type: 'citation' }): object {
  return { type: 'url_citation', url, title: title ?? '', start_index: start ?? 0, end_index: end ?? 0 };
}
