import type { GuardedStream } from './open-mcp-request.ts';

const EVENT_END = /\r?\n\r?\n/;

/** The events of a stream of MCP, as guards leave their messages, in their order. What is no message passes. */
export class GuardedEvents implements GuardedStream {
  /** Undefined: nobody gets it. */
  readonly #guard: (message: string) => Promise<string | undefined>;
  readonly #write: (text: string) => void;
  readonly #maxBytes: number;
  #unfinished = '';
  /** Characters of the events that guards have not read. */
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(
    guard: (message: string) => Promise<string | undefined>,
    write: (text: string) => void,
    maxBytes: number,
  ) {
    this.#guard = guard;
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** False: an event is longer than one may be, or more wait for guards. */
  push(text: string): boolean {
    this.#unfinished += text;
    for (let end = EVENT_END.exec(this.#unfinished); end !== null; end = EVENT_END.exec(this.#unfinished)) {
      const behind = end.index + end[0].length;
      const event = this.#unfinished.slice(0, behind);
      this.#unfinished = this.#unfinished.slice(behind);
      this.#waiting += event.length;
      this.#last = this.#last.then(async () => {
        const made = await this.#guarded(event);
        this.#waiting -= event.length;
        if (made !== '') this.#write(made);
      });
    }
    return this.#unfinished.length <= this.#maxBytes && this.#waiting <= this.#maxBytes * 2;
  }

  /** When all that came is written. */
  async end(): Promise<void> {
    await this.#last;
    if (this.#unfinished !== '') this.#write(this.#unfinished);
  }

  async #guarded(event: string): Promise<string> {
    const lines = event.split(/\r?\n/);
    const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice('data:'.length).trimStart());
    const message = data.join('\n');
    if (message === '') return event;
    const made = await this.#guard(message);
    if (made === message) return event;
    if (made === undefined) return '';
    const others = lines.filter((line) => line !== '' && !line.startsWith('data:'));
    return `${[...others, `data: ${made}`].join('\n')}\n\n`;
  }
}
