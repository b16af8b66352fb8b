/**
 * Finds model, stream, include_usage and user in a request without parsing it.
 *
 * A 20 MB image body would stop the mock for longer than the stall we want to measure, so only the first 64 KB and the
 * last 4 KB are kept, and both are searched. Bytes are copied: the addon takes its chunk back when the callback ends.
 */
const HEAD_BYTES = 64 * 1024;
const TAIL_BYTES = 4 * 1024;

export type Peeked = {
  model: string;
  stream: boolean;
  includeUsage: boolean;
  /** The OpenAI field `user`: a label a load client can find again in /stats. */
  user: string;
};

export class RequestPeek {
  bytes = 0;
  #head = '';
  #tail: Buffer = Buffer.alloc(0);

  take(chunk: Buffer): void {
    const room = HEAD_BYTES - this.bytes;
    this.bytes += chunk.length;
    if (room > 0) this.#head += chunk.toString('latin1', 0, Math.min(room, chunk.length));
    if (chunk.length <= room) return;
    const last = chunk.subarray(Math.max(0, room, chunk.length - TAIL_BYTES));
    const kept = this.#tail.subarray(Math.max(0, this.#tail.length + last.length - TAIL_BYTES));
    this.#tail = Buffer.concat([kept, last]);
  }

  /** The whole body as text, where it fitted into the head. */
  text(): string | undefined {
    return this.bytes <= HEAD_BYTES ? Buffer.from(this.#head, 'latin1').toString('utf8') : undefined;
  }

  peek(): Peeked {
    const text = this.#tail.length > 0 ? this.#head + this.#tail.toString('latin1') : this.#head;
    return {
      model: stringAfter(text, '"model"') ?? 'mock',
      stream: trueAfter(text, '"stream"'),
      includeUsage: trueAfter(text, '"include_usage"'),
      user: stringAfter(text, '"user"') ?? '',
    };
  }
}

function valueAfter(text: string, key: string): number {
  for (let at = text.indexOf(key); at !== -1; at = text.indexOf(key, at + key.length)) {
    let next = at + key.length;
    while (text.charCodeAt(next) <= 32) next++;
    if (text[next] !== ':') continue;
    next++;
    while (text.charCodeAt(next) <= 32) next++;
    return next;
  }
  return -1;
}

function stringAfter(text: string, key: string): string | undefined {
  const at = valueAfter(text, key);
  if (at === -1 || text[at] !== '"') return undefined;
  return text.slice(at + 1, text.indexOf('"', at + 1));
}

function trueAfter(text: string, key: string): boolean {
  const at = valueAfter(text, key);
  return at !== -1 && text.startsWith('true', at);
}
