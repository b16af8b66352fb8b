import { GatewayError } from '../core/errors.ts';
import type { AbortReason } from '../core/exchange.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import type { Target } from '../providers/provider.ts';
import { pushAnswerHeaders } from '../upstream/forward-headers.ts';
import { type Prompt, promptSample } from '../usage/prompt.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import { Attempts, type AttemptsHandler, type AttemptsOptions } from './attempts.ts';
import { chooseMode, EVENT_STREAM } from './choose-mode.ts';
import { ContentTimes } from './content-times.ts';
import type { Allowance, Shortened, StreamHost } from './cut-short.ts';
import { ErrorAnswer } from './error-answer.ts';
import type { RelayMode } from './relay-mode.ts';

export interface RelayOptions extends AttemptsOptions {
  readonly sweeper: Sweeper;
  /** Name-value pairs for the head of every answer. */
  readonly headers: readonly string[];
  /** What a stream may use before it is cut; undefined: all it likes. */
  readonly allowance: Allowance | undefined;
  readonly owner: RelayOwner;
}

export interface RelayOwner {
  /** Once, when nothing is left to do; the exchange is to be finished then. */
  relayed(result: RelayResult): void;
  /** A provider refused our credential; another target may answer all the same. */
  credentialRefused(target: Target, error: GatewayError): void;
}

export interface RelayResult {
  /** What the client was told or would have been; undefined: all went well. */
  readonly error: GatewayError | undefined;
  readonly status: number;
  /** The answer was begun and then broken off. */
  readonly cut: boolean;
  /** Ended before its provider ended it, and whole all the same. */
  readonly shortened: Shortened | undefined;
  readonly target: Target;
  readonly meter: UsageMeter;
  /** What is left of a large request body that was let go at the commit point. */
  readonly prompt: Prompt | undefined;
  readonly attempts: number;
  /** JSON array of `{target, error, ms}`: those before the last one. */
  readonly attemptsJson: string | undefined;
  /** Whether anything was sent to a provider. */
  readonly dispatched: boolean;
  /** performance.now() values; 0: it did not come so far. */
  readonly sentAt: number;
  readonly endedAt: number;
  readonly content: ContentTimes;
}

const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');
const BLANK = Buffer.from('\n\n');
const NO_ANSWER: Readonly<Record<string, string>> = {};

/**
 * Carries one exchange from its request to the end of its answer: the commit point, backpressure, and what a client sees
 * when something breaks. It owns the attempts; `#over` is set exactly once, and after it nothing touches the sink or the
 * attempt.
 */
export class Relay implements AttemptsHandler, StreamHost, Swept {
  sweepIndex = -1;
  readonly #o: RelayOptions;
  readonly #meter = new UsageMeter();
  readonly #attempts: Attempts;
  #mode: RelayMode | undefined;
  #paused = false;
  #committed = false;
  #status = 200;
  #answerHeaders: Readonly<Record<string, string | string[] | undefined>> = NO_ANSWER;
  /** performance.now() when the head of an answer that is an error came. */
  #errorAt = 0;
  #endedAt = 0;
  readonly #content = new ContentTimes();
  #lastCommentAt = 0;
  #remarked: GatewayError | undefined;
  #shortened: Shortened | undefined;
  #prompt: Prompt | undefined;
  #over = false;

  constructor(options: RelayOptions) {
    this.#o = options;
    this.#attempts = new Attempts(options, this);
  }

  start(): void {
    const { exchange, sweeper } = this.#o;
    exchange.onAbort = this.#onAbort;
    exchange.sink.onDrained = this.#onDrained;
    sweeper.add(this);
    this.#next();
  }

  // ── what an attempt brings ────────────────────────────────────────────────

  #next(): void {
    this.#mode = undefined;
    // What the client is told is of the attempt that answered, and of no earlier one.
    this.#answerHeaders = NO_ANSWER;
    this.#status = 200;
    this.#paused = false;
    try {
      this.#attempts.next();
    } catch (cause) {
      // A bug costs this exchange, with all that was begun for it.
      this.fail(new GatewayError('internal_error', { cause }));
    }
  }

  started(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#answerHeaders = headers;
    this.#status = status;
    const { dialect, exchange, peeked, settings } = this.#o;
    const mode = chooseMode(
      { status, headers },
      {
        host: this,
        meter: this.#meter,
        target: this.#attempts.target,
        dialect,
        peeked,
        limits: settings.limits,
        exchangeId: exchange.id,
        askedUsage: this.#attempts.asksUsage,
        streamPromised: exchange.sink.started,
        allowance: this.#o.allowance,
      },
    );
    if (mode instanceof GatewayError) {
      this.fail(mode);
      return;
    }
    if (mode instanceof ErrorAnswer) this.#errorAt = performance.now();
    this.#mode = mode;
  }

  chunk(bytes: Buffer, pieces?: number): void {
    this.#mode?.chunk(bytes, pieces);
  }

  ended(): void {
    this.#endedAt = performance.now();
    if (this.#mode) this.#mode.ended();
    else this.failed(new GatewayError('upstream_protocol'));
  }

  failed(error: GatewayError): void {
    if (this.#over) return;
    this.#endedAt = performance.now();
    this.#afterFailure(error);
  }

  inexpressible(error: GatewayError): void {
    this.#giveUp(error);
  }

  // ── what the mode asks for ────────────────────────────────────────────────

  commit(contentType: string): void {
    if (this.#committed || this.#over) return;
    this.#committed = true;
    // From here on nothing is sent a second time: the body's memory can go.
    const { exchange } = this.#o;
    if (exchange.body.length > RELEASE_BODY_BYTES) {
      this.#prompt = promptSample(exchange.body, RELEASE_BODY_BYTES);
      exchange.releaseBody();
    }
    if (exchange.sink.started) return;
    exchange.sink.start(this.#status, this.#head(contentType));
  }

  write(bytes: Buffer): void {
    if (this.#over) return;
    if (!this.#o.exchange.sink.write(bytes) && !this.#paused) {
      this.#paused = true;
      this.#attempts.pause();
    }
  }

  content(pieces: number): void {
    this.#attempts.content();
    this.#meter.content();
    this.#content.came(pieces);
  }

  remark(error: GatewayError): void {
    this.#remarked ??= error;
  }

  finish(last?: Buffer): void {
    if (this.#over) return;
    this.#o.exchange.sink.end(last);
    this.#close(this.#remarked, this.#status, false);
  }

  shorten(ending: Buffer, shortened: Shortened): void {
    if (this.#over) return;
    this.#attempts.abort();
    this.#endedAt = performance.now();
    this.#shortened = shortened;
    this.finish(ending);
  }

  /** The answer cannot go on; the attempt may still be open. */
  fail(error: GatewayError): void {
    if (this.#over) return;
    this.#attempts.abort();
    if (this.#endedAt === 0) this.#endedAt = performance.now();
    this.#afterFailure(error);
  }

  // ── failure ───────────────────────────────────────────────────────────────

  #afterFailure(error: GatewayError): void {
    if (error.code === 'upstream_credential') this.#o.owner.credentialRefused(this.#attempts.target, error);
    if (this.#committed) {
      this.#giveUp(error);
      return;
    }
    if (!this.#attempts.retried(error, this.#upstreamMs())) {
      this.#giveUp(error);
      return;
    }
    this.#endedAt = 0;
    this.#next();
  }

  /** Before anything was sent: the right status. Afterwards: an error event where it is a stream, and a cut. */
  #giveUp(error: GatewayError): void {
    const { exchange, dialect } = this.#o;
    const { sink } = exchange;
    if (!sink.started) {
      const headers: string[] = ['x-tfy-resolved-model', this.#attempts.target.id, ...this.#o.headers];
      pushAnswerHeaders(headers, this.#answerHeaders);
      if (error.context.headers) headers.push(...error.context.headers);
      exchange.refuse(error, headers, this.#upstreamMs());
      this.#close(error, error.status, false);
      return;
    }
    if (this.#isEventStream) {
      if (this.#mode?.unfinishedLine) sink.write(BLANK);
      sink.write(dialect.errorEvent(error));
    }
    sink.cut();
    this.#close(error, 200, true);
  }

  get #isEventStream(): boolean {
    return this.#mode?.isStream === true || this.#lastCommentAt > 0;
  }

  #onAbort = (reason: AbortReason): void => {
    if (this.#over) return;
    this.#attempts.abort();
    this.#endedAt = performance.now();
    if (reason === 'client' && this.#mode?.complete) {
      // It had all of the answer and did not wait for the last chunk of nothing.
      this.#close(undefined, this.#status, false);
      return;
    }
    if (reason === 'drain') {
      this.#giveUp(new GatewayError('draining', { retryAfterMs: 1000 }));
      return;
    }
    const code = reason === 'client' ? 'client_closed' : 'write_timeout';
    this.#close(new GatewayError(code), 499, this.#o.exchange.sink.started);
  };

  #onDrained = (): void => {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    this.#attempts.resume();
  };

  #close(error: GatewayError | undefined, status: number, cut: boolean): void {
    this.#over = true;
    this.#attempts.end();
    this.#content.date(this.#endedAt);
    const { exchange, sweeper, owner } = this.#o;
    sweeper.remove(this);
    exchange.onAbort = undefined;
    exchange.sink.onDrained = undefined;
    owner.relayed({
      error,
      status,
      cut,
      shortened: this.#shortened,
      target: this.#attempts.target,
      meter: this.#meter,
      prompt: this.#prompt,
      attempts: this.#attempts.count,
      attemptsJson: this.#attempts.failedJson,
      dispatched: this.#attempts.dispatched,
      sentAt: this.#attempts.startedAt,
      endedAt: this.#endedAt,
      content: this.#content,
    });
  }

  // ── waits ─────────────────────────────────────────────────────────────────

  sweep(now: number): void {
    this.#content.date(now);
    const error = this.#attempts.expired(now, this.#paused);
    if (error) {
      this.#endedAt = now;
      this.#afterFailure(error);
      return;
    }
    if (this.#mode instanceof ErrorAnswer && now - this.#errorAt > ERROR_BODY_MS) {
      this.#mode.ended();
      return;
    }
    if (this.#o.peeked.stream && !this.#attempts.hasContent) this.#keepAlive(now);
  }

  /** Commits the status but not the content: another target may still answer, an error now comes as an event. */
  #keepAlive(now: number): void {
    const { exchange, settings } = this.#o;
    const everyMs = settings.keepaliveCommentMs;
    // Once it is known that no stream comes, or in the middle of a line, a comment would break the answer.
    if (this.#mode && (!this.#mode.isStream || this.#mode.unfinishedLine)) return;
    if (everyMs === 0 || now - Math.max(exchange.bodyReadAt, this.#lastCommentAt) < everyMs) return;
    this.#lastCommentAt = now;
    if (!exchange.sink.started) exchange.sink.start(200, this.#head(EVENT_STREAM));
    exchange.sink.write(KEEP_ALIVE);
  }

  // ── the head ──────────────────────────────────────────────────────────────

  #head(contentType: string): string[] {
    const { exchange } = this.#o;
    const list = ['content-type', contentType];
    if (contentType.startsWith(EVENT_STREAM)) list.push('cache-control', 'no-cache', 'x-accel-buffering', 'no');
    pushAnswerHeaders(list, this.#answerHeaders);
    exchange.pushOwnHeaders(list, this.#upstreamMs());
    list.push('x-tfy-resolved-model', this.#attempts.target.id);
    if (this.#o.headers.length > 0) list.push(...this.#o.headers);
    return list;
  }

  /** From sending the request to the end of the answer, or to now. */
  #upstreamMs(): number {
    return (this.#endedAt || performance.now()) - this.#attempts.startedAt;
  }
}

/** How long the body of an error may take before the status alone has to do. */
const ERROR_BODY_MS = 5_000;

/** Small bodies are kept: they may be wanted for an estimate, and cost less than an open stream does anyway. */
const RELEASE_BODY_BYTES = 16_384;
