import { countOf, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import type { Usage } from '../../inference/usage.ts';
import type { AnswerContext, StreamFollower } from '../dialect.ts';
import { messageUsage } from './answer-words.ts';

const BYTES_PER_TOKEN = 4;

/** Reads the events of a message as they go to the client. */
export function followStream(context: AnswerContext): StreamFollower {
  return new MessageFollower(context);
}

class MessageFollower implements StreamFollower {
  finished = false;
  readonly #context: AnswerContext;
  #begun = false;
  #openBlock: number | undefined;
  #pieces = 0;
  #bytes = 0;
  #said = 0;
  /** The event that was read last: it counts as sent once a further one is read. */
  #unsent: JsonObject | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  /** Counted by pieces or by bytes, whichever is more; what the message itself says is believed if it is more still. */
  read(event: Buffer): number {
    this.#sent();
    const { data } = readEvent(event, 0, event.length);
    const value = data === undefined || data === '' ? undefined : parseObject(data);
    this.#unsent = value;
    if (value === undefined) return this.#tokens;
    const bytes = contentBytes(value['delta']) + contentBytes(value['content_block']);
    if (bytes > 0) {
      this.#pieces += 1;
      this.#bytes += bytes;
    }
    const usage = objectOf(value['usage']) ?? objectOf(objectOf(value['message'])?.['usage']);
    this.#said = Math.max(this.#said, countOf(usage?.['output_tokens']) ?? 0);
    this.finished ||= stringOf(objectOf(value['delta'])?.['stop_reason']) !== undefined;
    return this.#tokens;
  }

  ending(usage: Usage): Buffer {
    const { exchangeId, model } = this.#context;
    const told = messageUsage(usage);
    const events: string[] = [];
    if (!this.#begun) {
      const message = { id: `msg_${exchangeId}`, type: 'message', role: 'assistant', model, content: [] };
      events.push(eventOf('message_start', { message: { ...message, stop_reason: null, usage: told } }));
    }
    if (this.#openBlock !== undefined) events.push(eventOf('content_block_stop', { index: this.#openBlock }));
    const delta = { stop_reason: 'max_tokens', stop_sequence: null };
    events.push(eventOf('message_delta', { delta, usage: told }), eventOf('message_stop', {}));
    return Buffer.from(events.join(''));
  }

  get #tokens(): number {
    return Math.max(this.#pieces, Math.ceil(this.#bytes / BYTES_PER_TOKEN), this.#said);
  }

  #sent(): void {
    const event = this.#unsent;
    this.#unsent = undefined;
    switch (event?.['type']) {
      case 'message_start':
        this.#begun = true;
        return;
      case 'content_block_start':
        this.#openBlock = countOf(event['index']);
        return;
      case 'content_block_stop':
        this.#openBlock = undefined;
        return;
      default: // Deltas change nothing of which block is open.
    }
  }
}

const TEXTS = ['text', 'thinking', 'partial_json', 'name'];

/** Bytes of what the model wrote in a delta or a block; ids and signatures are not of its making. */
function contentBytes(part: unknown): number {
  if (!isObject(part)) return 0;
  let bytes = 0;
  for (const name of TEXTS) {
    const text = part[name];
    if (typeof text === 'string') bytes += Buffer.byteLength(text);
  }
  return bytes;
}

function eventOf(type: string, more: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
}
