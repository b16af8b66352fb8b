import type { EventLog } from './event-log.ts';
import type { Reply } from './reply.ts';

/** An answer that takes longer becomes a stream, so that the client knows that it is worked on, and can resume it. */
const STREAM_AFTER_MS = 1_000;

export interface AnswerStreamOptions {
  readonly reply: Reply;
  /** The client takes events; else it gets one JSON answer, and what comes before it is lost. */
  readonly takesEvents: boolean;
  readonly headers: readonly string[];
  readonly keepAliveMs: number;
  /** The log of the legacy era: what was sent is kept, so that the stream can be taken up again. */
  readonly log: EventLog | undefined;
}

/** The answer to one request: plain JSON where nothing comes before the result and it comes soon, else a stream. */
export class AnswerStream {
  readonly #options: AnswerStreamOptions;
  #reply: Reply | undefined;
  #streams = false;
  #timer: NodeJS.Timeout | undefined;
  #done = false;

  constructor(options: AnswerStreamOptions) {
    this.#options = options;
    this.#reply = options.reply;
    if (options.takesEvents) this.#timer = setTimeout(() => this.#begin(), STREAM_AFTER_MS);
  }

  get takesEvents(): boolean {
    return this.#options.takesEvents;
  }

  /** It is a stream by now. */
  get streams(): boolean {
    return this.#streams;
  }

  /** Something that comes before the result. */
  send(json: string): void {
    if (this.#done || !this.#options.takesEvents) return;
    this.#begin();
    this.#event(json);
  }

  /** `status` and `headers`: where the answer is no stream. */
  finish(json: string, status = 200, headers: readonly string[] = []): void {
    if (this.#done) return;
    this.#done = true;
    clearTimeout(this.#timer);
    if (!this.#streams) {
      this.#reply?.answer(status, json, [...this.#options.headers, ...headers]);
      return;
    }
    this.#event(json);
    if (this.#options.log) this.#options.log.done = true;
    this.#reply?.end();
  }

  /** The client left; with a log it may come again. */
  detach(): void {
    this.#reply = undefined;
    if (this.#options.log) this.#begin();
  }

  /** It came again: events from now on go there. */
  attach(reply: Reply): void {
    this.#reply = reply;
    if (this.#done) reply.end();
    else this.#keepAlive();
  }

  #begin(): void {
    if (this.#streams) return;
    this.#streams = true;
    clearTimeout(this.#timer);
    const { headers, log } = this.#options;
    this.#reply?.stream(headers, 'answer');
    if (log) this.#reply?.prime(log.idOf(0));
    this.#keepAlive();
  }

  #event(json: string): void {
    const id = this.#options.log?.add(json);
    this.#reply?.event(json, id);
  }

  #keepAlive(): void {
    const { keepAliveMs } = this.#options;
    if (keepAliveMs === 0 || this.#done) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#reply?.comment();
      this.#keepAlive();
    }, keepAliveMs);
  }
}
