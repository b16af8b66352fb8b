/** One event as it came. */
export interface StreamEvent {
  readonly name: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

/**
 * Server-sent events with their ids, which resuming needs (codec/sse-parser.ts reads over them).
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * Bounded: of one event at most `maxBytes` are held.
 */
export class EventStream {
  readonly #maxBytes: number;
  readonly #onEvent: (event: StreamEvent) => void;
  readonly #decoder = new TextDecoder();
  #pending = '';
  #data: string[] = [];
  #held = 0;
  #name: string | undefined;
  #id: string | undefined;
  /** As the server wishes before the client comes again, in milliseconds. */
  retryMs: number | undefined;

  constructor(maxBytes: number, onEvent: (event: StreamEvent) => void) {
    this.#maxBytes = maxBytes;
    this.#onEvent = onEvent;
  }

  /** The latest id; what a broken stream is taken up with. */
  get lastId(): string | undefined {
    return this.#id;
  }

  /** False: an event is larger than it may be. */
  push(bytes: Uint8Array): boolean {
    let text = this.#pending + this.#decoder.decode(bytes, { stream: true });
    // A CR at the end may be half of a line end.
    const kept = text.endsWith('\r') ? '\r' : '';
    if (kept) text = text.slice(0, -1);
    const lines = text.split(/\r\n|\n|\r/);
    this.#pending = (lines.pop() ?? '') + kept;
    for (const line of lines) this.#line(line);
    return this.#pending.length + this.#held <= this.#maxBytes;
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#held += value.length;
      this.#data.push(value);
    } else if (field === 'event') this.#name = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): void {
    const [data, name] = [this.#data, this.#name];
    this.#data = [];
    this.#name = undefined;
    this.#held = 0;
    if (data.length > 0) this.#onEvent({ name, id: this.#id, data: data.join('\n') });
  }
}
