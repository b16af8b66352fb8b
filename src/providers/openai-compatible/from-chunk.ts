import {
  countOf,
  isArray,
  isObject,
  type JsonObject,
  objectOf,
  parseObject,
  stringOf,
} from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { FinishReason, UnifiedFinishReason } from '../../inference/finish-reason.ts';
import type { EventReader } from '../provider.ts';
import { statusOfWord } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** https://platform.openai.com/docs/api-reference/chat/object */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  if (answer === undefined) return new GatewayError('upstream_protocol', { detail: 'Its answer is not JSON.' });
  const events: InferenceEvent[] = [];
  if (pushFault(answer, undefined, events)) return events;
  if (!isArray(answer['choices'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no choices.' });
  }
  const reader = new ChunkReader();
  reader.whole(answer, events);
  return events;
}

/** https://platform.openai.com/docs/api-reference/chat-streaming */
export function eventReader(): EventReader {
  return new ChunkReader();
}

const UNIFIED: ReadonlyMap<string, UnifiedFinishReason> = new Map([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['eos_token', 'stop'],
  ['stop_sequence', 'stop'],
  ['end_turn', 'stop'],
  ['length', 'length'],
  ['max_tokens', 'length'],
  ['model_length', 'length'],
  ['tool_calls', 'tool-calls'],
  ['function_call', 'tool-calls'],
  ['tool_use', 'tool-calls'],
  ['content_filter', 'content-filter'],
  ['sensitive', 'content-filter'],
  ['pause', 'pause'],
]);

/** A delta with more calls than any model makes would be made to fill our memory. */
const MAX_CALLS = 1_024;

class ChunkReader implements EventReader {
  complete = false;
  #started = false;
  readonly #choices = new Map<number, Choice>();

  get finished(): boolean {
    if (this.#choices.size === 0) return false;
    for (const { finished } of this.#choices.values()) if (!finished) return false;
    return true;
  }

  fromEvent(name: string | undefined, data: string, out: InferenceEvent[]): void {
    if (data === '[DONE]') {
      this.complete = true;
      return;
    }
    const chunk = parseObject(data);
    if (chunk === undefined) {
      if (name === 'error') out.push(failureOf({ message: data }));
      else if (data !== '') out.push(failureOf({ type: 'upstream_protocol', message: 'An event is not JSON.' }));
      return;
    }
    if (pushFault(chunk, name, out)) return;
    this.#read(chunk, 'delta', out);
  }

  whole(answer: JsonObject, out: InferenceEvent[]): void {
    this.#read(answer, 'message', out);
  }

  #read(chunk: JsonObject, key: 'delta' | 'message', out: InferenceEvent[]): void {
    if (!this.#started) {
      this.#started = true;
      const id = stringOf(chunk['id']);
      const created = countOf(chunk['created']);
      out.push({ type: 'start', id, model: stringOf(chunk['model']), created });
    }
    const { choices } = chunk;
    if (isArray(choices)) for (const each of choices) if (isObject(each)) this.#choice(each, key, out);
    const usage = toUsage(chunk['usage'], chunk);
    if (usage) out.push({ type: 'usage', usage });
  }

  #choice(source: JsonObject, key: 'delta' | 'message', out: InferenceEvent[]): void {
    const index = countOf(source['index']) ?? 0;
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      choice = new Choice(index);
      this.#choices.set(index, choice);
    }
    choice.read(source, key, out);
  }
}

/** One of several answers: neutral events of the first say nothing of which it is. */
class Choice {
  finished = false;
  readonly #of: { choice?: number };
  /** Indices of calls as their provider counts them, or their ids where it counts none, in our order. */
  readonly #calls = new Map<unknown, number>();

  constructor(index: number) {
    this.#of = index === 0 ? {} : { choice: index };
  }

  read(source: JsonObject, key: 'delta' | 'message', out: InferenceEvent[]): void {
    const message = objectOf(source[key]);
    if (message) this.#message(message, out);
    const logprobs = objectOf(source['logprobs'])?.['content'];
    if (isArray(logprobs) && logprobs.length > 0) out.push({ type: 'logprobs', content: logprobs, ...this.#of });
    const raw = stringOf(source['finish_reason']);
    if (!raw || this.finished) return;
    this.finished = true;
    out.push({ type: 'finish', reason: this.#reason(raw), ...this.#of });
  }

  /** Some say `stop` behind calls. */
  #reason(raw: string): FinishReason {
    const unified = UNIFIED.get(raw) ?? 'other';
    return { unified: unified === 'stop' && this.#calls.size > 0 ? 'tool-calls' : unified, raw };
  }

  #message(message: JsonObject, out: InferenceEvent[]): void {
    // Some hosts say it under both names.
    const reasoning = stringOf(message['reasoning_content']) || stringOf(message['reasoning']);
    if (reasoning) out.push({ type: 'reasoning', text: reasoning, ...this.#of });
    const { content, tool_calls: calls, annotations } = message;
    if (typeof content === 'string') this.#text(content, out);
    else if (isArray(content)) for (const part of content) if (isObject(part)) this.#part(part, out);
    const refusal = stringOf(message['refusal']);
    if (refusal) out.push({ type: 'refusal', text: refusal, ...this.#of });
    if (isArray(annotations)) for (const each of annotations) this.#citation(each, out);
    if (isArray(calls)) for (const [place, call] of calls.entries()) if (isObject(call)) this.#call(call, place, out);
  }

  #text(text: string, out: InferenceEvent[]): void {
    if (text !== '') out.push({ type: 'text', text, ...this.#of });
  }

  /** Mistral: texts, and `thinking` with a list of texts in it. */
  #part(part: JsonObject, out: InferenceEvent[]): void {
    const { thinking } = part;
    if (isArray(thinking)) {
      for (const each of thinking) {
        const text = stringOf(objectOf(each)?.['text']);
        if (text) out.push({ type: 'reasoning', text, ...this.#of });
      }
    } else this.#text(stringOf(part['text']) ?? '', out);
  }

  #citation(value: unknown, out: InferenceEvent[]): void {
    const cited = objectOf(objectOf(value)?.['url_citation']);
    const url = stringOf(cited?.['url']);
    if (cited === undefined || url === undefined) return;
    const [title, start, end] = [stringOf(cited['title']), countOf(cited['start_index']), countOf(cited['end_index'])];
    out.push({ type: 'citation', url, title, start, end, ...this.#of });
  }

  #call(call: JsonObject, place: number, out: InferenceEvent[]): void {
    const made = objectOf(call['function']);
    const id = stringOf(call['id']) || undefined;
    // Without an index a piece with an id begins a call, and one without goes on with the last.
    const key = countOf(call['index']) ?? (id === undefined ? this.#lastKey(place) : id);
    let index = this.#calls.get(key);
    if (index === undefined) {
      if (this.#calls.size >= MAX_CALLS) return;
      index = this.#calls.size;
      this.#calls.set(key, index);
      const name = stringOf(made?.['name']) ?? '';
      out.push({ type: 'tool-call', index, id: id ?? `call_${index}`, name, ...this.#of });
    }
    const text = argumentsOf(made?.['arguments']);
    if (text !== '') out.push({ type: 'tool-call-arguments', index, text, ...this.#of });
  }

  #lastKey(place: number): unknown {
    return [...this.#calls.keys()].at(-1) ?? place;
  }
}

/** Ollama's older versions give an object. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return isObject(value) ? JSON.stringify(value) : '';
}

/** A failure in the place of an answer, at its top or at a choice (OpenRouter). */
function pushFault(answer: JsonObject, name: string | undefined, out: InferenceEvent[]): boolean {
  const { error, choices } = answer;
  if (error) {
    out.push(failureOf(objectOf(error) ?? { message: error }));
    return true;
  }
  if (name === 'error' || answer['object'] === 'error') {
    out.push(failureOf(answer));
    return true;
  }
  if (!isArray(choices)) return false;
  for (const choice of choices) {
    const fault = objectOf(choice)?.['error'];
    if (fault || objectOf(choice)?.['finish_reason'] === 'error') {
      out.push(failureOf(objectOf(fault) ?? {}));
      return true;
    }
  }
  return false;
}

/** What a provider says in the place of an answer, or in the middle of one; a code that is a number is a status. */
export function failureOf({ code, type, message }: JsonObject): InferenceEvent {
  const [word, kind] = [stringOf(code), stringOf(type)];
  const status =
    typeof code === 'number' && code >= 400 && code < 600 ? code : (statusOfWord(word) ?? statusOfWord(kind));
  const errorType = word ?? kind ?? 'upstream_error';
  return { type: 'error', status: status ?? 502, errorType, message: stringOf(message) ?? 'It failed.' };
}
