import { setTimeout as delay } from 'node:timers/promises';
import type { RequestLoggerHook } from '../config/rules/request-log-rules.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';

export interface WebhookOptions {
  readonly hook: RequestLoggerHook;
  readonly http: HttpClient;
  readonly log: Log;
  /** Documents that may wait, and characters of all of them. */
  readonly maxQueued: number;
  readonly maxQueuedCharacters: number;
  readonly counts: { delivered: number; undelivered: number; 'hooks-dropped': number };
}

const MAX_AT_ONCE = 4;
const TIMEOUT_MS = 10_000;
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 500;
const MAX_ANSWER_BYTES = 65_536;

/** One receiver of exchanges: documents in order of their arrival, four at once, each tried three times. Nobody waits for it. */
export class Webhook {
  readonly name: string;
  readonly #options: WebhookOptions;
  readonly #queue: string[] = [];
  readonly #abandon = new AbortController();
  #characters = 0;
  #busy = 0;
  #isAway = false;
  #onIdle: (() => void) | undefined;

  constructor(options: WebhookOptions) {
    this.name = options.hook.name;
    this.#options = options;
  }

  add(document: string): void {
    const { maxQueued, maxQueuedCharacters, counts } = this.#options;
    if (this.#queue.length >= maxQueued || this.#characters + document.length > maxQueuedCharacters) {
      counts['hooks-dropped'] += 1;
      return;
    }
    this.#queue.push(document);
    this.#characters += document.length;
    if (this.#busy < MAX_AT_ONCE) void this.#work();
  }

  /** What waits is sent, for so long at the most. */
  async close(withinMs: number): Promise<void> {
    if (this.#busy > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      await Promise.race([idle, delay(withinMs, undefined, { ref: false })]);
    }
    this.#options.counts.undelivered += this.#queue.length;
    this.#queue.length = 0;
    this.#abandon.abort();
  }

  async #work(): Promise<void> {
    this.#busy += 1;
    const { counts } = this.#options;
    for (let document = this.#queue.shift(); document !== undefined; document = this.#queue.shift()) {
      const isDelivered = await this.#deliver(document);
      this.#characters -= document.length;
      if (isDelivered) counts.delivered += 1;
      else counts.undelivered += 1;
    }
    this.#busy -= 1;
    if (this.#busy === 0) this.#onIdle?.();
  }

  async #deliver(document: string): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      const fault = await this.#post(document);
      if (fault === undefined) {
        this.#cameBack();
        return true;
      }
      if (tries === MAX_TRIES || fault.isFinal || this.#abandon.signal.aborted) {
        this.#tell(fault.reason);
        return false;
      }
      await delay(FIRST_PAUSE_MS * 4 ** (tries - 1), undefined, { ref: false });
    }
  }

  async #post(body: string): Promise<{ readonly reason: string; readonly isFinal: boolean } | undefined> {
    const { http, hook } = this.#options;
    const headers = ['content-type', 'application/json', 'user-agent', 'sluice'];
    if (hook.authorization !== undefined) headers.push('authorization', hook.authorization);
    try {
      const { status } = await http({
        method: 'POST',
        url: hook.url,
        headers,
        body,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
        whenLonger: 'cut',
        signal: this.#abandon.signal,
      });
      if (status < 300) return undefined;
      // A receiver that refuses the document refuses it again; a busy or broken one may take it later.
      return { reason: `status ${status}`, isFinal: status < 500 && status !== 429 && status !== 408 };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error), isFinal: false };
    }
  }

  /** Once until it is back: a receiver that is away must not fill the log. */
  #tell(reason: string): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#options.log.warn({ webhook: this.name, reason }, 'a request logger does not take what it is sent');
  }

  #cameBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#options.log.info({ webhook: this.name }, 'a request logger takes what it is sent again');
  }
}
