import { countOf, isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import type { Usage } from '../../inference/usage.ts';
import type { AnswerContext, StreamFollower } from '../dialect.ts';
import { usageObject } from '../openai-json/usage-object.ts';

/** As many as `n` may be; of further choices none is finished by us. */
const MAX_CHOICES = 128;
const BYTES_PER_TOKEN = 4;
const DATA = 'data:';

type Progress = 'unbegun' | 'begun' | 'finished';

/** Reads `chat.completion.chunk` events as they go to the client. */
export function followStream(context: AnswerContext): StreamFollower {
  return new ChunkFollower(context);
}

class ChunkFollower implements StreamFollower {
  readonly #context: AnswerContext;
  readonly #choices = new Map<number, Progress>();
  /** The choices of the event that was read last: it counts as sent once a further one is read. */
  #unsent: readonly unknown[] = [];
  #head: { id: string; created: number; model: string } | undefined;
  #pieces = 0;
  #bytes = 0;
  #said = 0;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  /**
   * Providers that send a token at a time are counted by pieces, those that send sentences by their bytes: whichever
   * is more. Where the chunk itself says how much was used so far, that is believed if it is more still.
   */
  read(event: Buffer): number {
    this.#sent();
    const chunk = chunkOf(event);
    if (chunk === undefined) return this.#tokens;
    this.#head ??= this.#headOf(chunk);
    const { choices, usage } = chunk;
    if (isArray(choices)) {
      this.#unsent = choices;
      for (const choice of choices) this.#count(choice);
    }
    if (isObject(usage)) this.#said = countOf(usage['completion_tokens']) ?? this.#said;
    return this.#tokens;
  }

  get finished(): boolean {
    if (this.#choices.size === 0) return false;
    for (const progress of this.#choices.values()) if (progress !== 'finished') return false;
    return true;
  }

  ending(usage: Usage): Buffer {
    const { includeUsage } = this.#context;
    const head = this.#head ?? this.#headOf({});
    const base = { id: head.id, object: 'chat.completion.chunk', created: head.created, model: head.model };
    const choices = this.#open().map(([index, progress]) => ({
      index,
      // The role comes once and first: some clients put the strings of all chunks together, others miss it.
      delta: progress === 'unbegun' ? { role: 'assistant', content: '' } : {},
      finish_reason: 'length',
    }));
    const finish = dataEvent(JSON.stringify({ ...base, choices, ...(includeUsage && { usage: null }) }));
    const told = includeUsage ? usageObject(usage) : undefined;
    const last = told === undefined ? [] : [dataEvent(JSON.stringify({ ...base, choices: [], usage: told }))];
    return Buffer.concat([finish, ...last, dataEvent('[DONE]')]);
  }

  get #tokens(): number {
    return Math.max(this.#pieces, Math.ceil(this.#bytes / BYTES_PER_TOKEN), this.#said);
  }

  #open(): [number, Progress][] {
    const open = [...this.#choices].filter(([, progress]) => progress !== 'finished');
    return open.length > 0 ? open : [[0, 'unbegun']];
  }

  #count(choice: unknown): void {
    if (!isObject(choice)) return;
    const index = countOf(choice['index']) ?? 0;
    const known = this.#choices.get(index);
    if (known === undefined && this.#choices.size < MAX_CHOICES) this.#choices.set(index, 'unbegun');
    if (stringOf(choice['finish_reason']) !== undefined) this.#choices.set(index, 'finished');
    const bytes = isObject(choice['delta']) ? contentBytes(choice['delta']) : 0;
    if (bytes === 0) return;
    this.#pieces += 1;
    this.#bytes += bytes;
  }

  #sent(): void {
    for (const choice of this.#unsent) {
      const index = isObject(choice) ? (countOf(choice['index']) ?? 0) : 0;
      if (this.#choices.get(index) === 'unbegun') this.#choices.set(index, 'begun');
    }
    this.#unsent = [];
  }

  #headOf(chunk: JsonObject): { id: string; created: number; model: string } {
    const { exchangeId, created, model } = this.#context;
    return {
      id: stringOf(chunk['id']) ?? `chatcmpl-${exchangeId}`,
      created: countOf(chunk['created']) ?? created,
      model: stringOf(chunk['model']) ?? model,
    };
  }
}

function chunkOf(event: Buffer): JsonObject | undefined {
  const text = event.toString('utf8');
  const data = text.startsWith(DATA) && text.indexOf('\n') === text.length - 2 ? text.slice(DATA.length) : dataOf(text);
  if (data === '') return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    // `[DONE]` or what a provider should not have sent: nothing that counts.
    return undefined;
  }
}

/** The data of an event with comments, other fields or other line ends. */
function dataOf(text: string): string {
  let data = '';
  for (const line of text.split(/\r\n|\n|\r/)) if (line.startsWith(DATA)) data += line.slice(DATA.length);
  return data;
}

const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal'];

/** Bytes of what the model wrote in one delta; frames, ids and signatures are not of its making. */
function contentBytes(delta: JsonObject): number {
  let bytes = 0;
  for (const name of TEXTS) {
    const text = delta[name];
    if (typeof text === 'string') bytes += Buffer.byteLength(text);
  }
  const calls = delta['tool_calls'];
  if (!isArray(calls)) return bytes;
  for (const call of calls) {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(called)) continue;
    bytes += Buffer.byteLength(stringOf(called['name']) ?? '') + Buffer.byteLength(stringOf(called['arguments']) ?? '');
  }
  return bytes;
}
