import type { ServerSettings } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { AbortReason, Exchange, OrError } from '../core/exchange.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { AttemptControl, AttemptHandler, Target } from '../providers/provider.ts';
import { decide } from '../routing/retry-policy.ts';
import { UpstreamAttempt } from '../upstream/attempt.ts';
import { pushAnswerHeaders, requestHeaders } from '../upstream/forward-headers.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import { type ClientWaits, Waits } from '../upstream/waits.ts';
import { type Prompt, promptSample } from '../usage/prompt.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import { Abandonment } from './abandonment.ts';
import { chooseMode, EVENT_STREAM } from './choose-mode.ts';
import { ContentTimes } from './content-times.ts';
import type { Allowance, Shortened, StreamHost } from './cut-short.ts';
import { ErrorAnswer } from './error-answer.ts';
import { type Outbound, outbound } from './outbound.ts';
import type { RelayMode } from './relay-mode.ts';
import type { HeavyTranslator } from './request-translation.ts';

export interface RelayOptions {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly targets: readonly Target[];
  readonly waits: ClientWaits;
  readonly settings: ServerSettings;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly translateHeavy: HeavyTranslator;
  /** Name-value pairs for the head of every answer. */
  readonly headers: readonly string[];
  /** What a stream may use before it is cut; undefined: all it likes. */
  readonly allowance: Allowance | undefined;
  /** Once, when nothing is left to do; the exchange is finished right after. */
  onOver(result: RelayResult): void;
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

/**
 * Carries one exchange from its request to the end of its answer: attempts, the commit point, backpressure, and what a
 * client sees when something breaks. It owns the attempt that is open; `#over` is set exactly once, and after it nothing
 * touches the sink or the attempt.
 */
export class Relay implements AttemptHandler, StreamHost, Swept {
  sweepIndex = -1;
  readonly #o: RelayOptions;
  readonly #meter = new UsageMeter();
  #targetIndex = 0;
  #attempts = 0;
  #dispatched = false;
  #retriedReused = false;
  #attempt: AttemptControl | undefined;
  #upstream: UpstreamAttempt | undefined;
  #attemptStartedAt = 0;
  #waits: Waits | undefined;
  #mode: RelayMode | undefined;
  #paused = false;
  #committed = false;
  #status = 200;
  #answerHeaders: Readonly<Record<string, string | string[] | undefined>> = {};
  #headAt = 0;
  #endedAt = 0;
  readonly #content = new ContentTimes();
  #lastCommentAt = 0;
  #remarked: GatewayError | undefined;
  #shortened: Shortened | undefined;
  #prompt: Prompt | undefined;
  /** Those before the one at hand. */
  #failedAttempts: { target: string; error: string; ms: number }[] | undefined;
  #over = false;
  readonly #gone = new Abandonment();

  constructor(options: RelayOptions) {
    this.#o = options;
  }

  start(): void {
    const { exchange, sweeper } = this.#o;
    exchange.onAbort = this.#onAbort;
    exchange.sink.onDrained = this.#onDrained;
    sweeper.add(this);
    try {
      this.#next();
    } catch (cause) {
      this.#broken(cause);
    }
  }

  /** A bug costs this exchange, with all that was begun for it. */
  #broken(cause: unknown): void {
    this.fail(new GatewayError('internal_error', { cause }));
  }

  // ── attempts ──────────────────────────────────────────────────────────────

  get #target(): Target {
    return this.#o.targets[this.#targetIndex]!;
  }

  #next(): void {
    const { exchange, dialect, peeked } = this.#o;
    const target = this.#target;
    this.#attempts += 1;
    this.#mode = undefined;
    // What the client is told is of the attempt that answered, and of no earlier one.
    this.#answerHeaders = {};
    this.#status = 200;
    this.#upstream = undefined;
    this.#attempt = undefined;
    this.#paused = false;
    this.#startWaits();
    const request = outbound(exchange, dialect, peeked, target, this.#o.translateHeavy, this.#gone);
    if (!(request instanceof Promise)) {
      this.#send(request);
      return;
    }
    const turn = this.#attempts;
    const send = (made: OrError<Outbound>): void => {
      if (this.#over || this.#attempts !== turn) return;
      // They ran while the request was translated, all but the one for the connection.
      this.#startWaits();
      try {
        this.#send(made);
      } catch (cause) {
        this.#broken(cause);
      }
    };
    request.then(send, (cause) => send(new GatewayError('internal_error', { cause })));
  }

  #startWaits(): void {
    const { exchange, settings, waits } = this.#o;
    this.#attemptStartedAt = performance.now();
    this.#waits = new Waits(settings.timeouts, waits, exchange.startedAt, this.#attemptStartedAt);
  }

  #send(request: OrError<Outbound>): void {
    const { exchange, peeked, pools, settings } = this.#o;
    const target = this.#target;
    if (request instanceof GatewayError) {
      this.#giveUp(request);
      return;
    }
    if (target.local) {
      this.#dispatched = true;
      // It may read the body for as long as it likes.
      exchange.keepBody();
      this.#attempt = target.local({ path: request.path, body: request.wholeBody() }, this);
      return;
    }
    const attempt = new UpstreamAttempt(pools.get(target.connection), this);
    this.#upstream = attempt;
    this.#attempt = attempt;
    const entered = attempt.send({
      origin: target.connection.origin,
      path: request.path,
      method: 'POST',
      headers: requestHeaders(exchange.headers, peeked.stream, request.headers),
      body: request.body,
      onBodySent: exchange.keepBody(),
    });
    if (entered) this.#dispatched = true;
    else this.failed(queueFull(settings));
  }

  started(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#answerHeaders = headers;
    this.#status = status;
    this.#headAt = performance.now();
    const { dialect, exchange, peeked, settings } = this.#o;
    const mode = chooseMode(
      { status, headers },
      {
        host: this,
        meter: this.#meter,
        target: this.#target,
        dialect,
        peeked,
        limits: settings.limits,
        exchangeId: exchange.id,
        streamPromised: exchange.sink.started,
        allowance: this.#o.allowance,
      },
    );
    if (mode instanceof GatewayError) this.fail(mode);
    else this.#mode = mode;
  }

  chunk(bytes: Buffer): void {
    this.#mode?.chunk(bytes);
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
      this.#attempt?.pause();
    }
  }

  content(): void {
    this.#waits?.content();
    this.#meter.content();
    this.#content.came();
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
    this.#attempt?.abort();
    this.#endedAt = performance.now();
    this.#shortened = shortened;
    this.finish(ending);
  }

  /** The answer cannot go on; the attempt may still be open. */
  fail(error: GatewayError): void {
    if (this.#over) return;
    this.#attempt?.abort();
    if (this.#endedAt === 0) this.#endedAt = performance.now();
    this.#afterFailure(error);
  }

  // ── failure ───────────────────────────────────────────────────────────────

  #afterFailure(error: GatewayError): void {
    if (this.#committed) {
      this.#giveUp(error);
      return;
    }
    const decision = decide(
      {
        error,
        diedReused: this.#upstream?.diedReused ?? false,
        retriedReused: this.#retriedReused,
        hasNextTarget: this.#targetIndex + 1 < this.#o.targets.length,
      },
      this.#o.settings.retryReusedConnection,
    );
    if (decision === 'give-up') {
      this.#giveUp(error);
      return;
    }
    const failed = { target: this.#target.id, error: error.code, ms: Math.round(this.#upstreamMs()) };
    if (this.#failedAttempts) this.#failedAttempts.push(failed);
    else this.#failedAttempts = [failed];
    if (decision === 'same-target') this.#retriedReused = true;
    else this.#targetIndex += 1;
    this.#endedAt = 0;
    this.#next();
  }

  /** Before anything was sent: the right status. Afterwards: an error event where it is a stream, and a cut. */
  #giveUp(error: GatewayError): void {
    const { exchange, dialect } = this.#o;
    const { sink } = exchange;
    if (!sink.started) {
      const headers: string[] = ['x-tfy-resolved-model', this.#target.id, ...this.#o.headers];
      pushAnswerHeaders(headers, this.#answerHeaders);
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
    this.#attempt?.abort();
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
    this.#attempt?.resume();
  };

  #close(error: GatewayError | undefined, status: number, cut: boolean): void {
    this.#over = true;
    this.#gone.abandon();
    this.#content.date(this.#endedAt);
    const { exchange, sweeper, onOver } = this.#o;
    sweeper.remove(this);
    exchange.onAbort = undefined;
    exchange.sink.onDrained = undefined;
    onOver({
      error,
      status,
      cut,
      shortened: this.#shortened,
      target: this.#target,
      meter: this.#meter,
      prompt: this.#prompt,
      attempts: this.#attempts,
      attemptsJson: this.#failedAttempts && JSON.stringify(this.#failedAttempts),
      dispatched: this.#dispatched,
      sentAt: this.#attemptStartedAt,
      endedAt: this.#endedAt,
      content: this.#content,
    });
  }

  // ── waits ─────────────────────────────────────────────────────────────────

  sweep(now: number): void {
    this.#content.date(now);
    const sentAt = this.#upstream ? this.#upstream.sentAt : this.#attemptStartedAt;
    const waiting = this.#upstream?.inLine === true;
    const error = this.#waits?.expired(now, sentAt, this.#paused);
    if (error) {
      this.#attempt?.abort();
      this.#endedAt = now;
      // Who waited in vain for a connection of others was not connecting.
      this.#afterFailure(error.code === 'connect_timeout' && waiting ? queueFull(this.#o.settings) : error);
      return;
    }
    if (this.#mode instanceof ErrorAnswer && now - this.#headAt > ERROR_BODY_MS) {
      this.#mode.ended();
      return;
    }
    if (this.#o.peeked.stream && !this.#waits?.hasContent) this.#keepAlive(now);
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
    list.push('x-tfy-resolved-model', this.#target.id);
    if (this.#o.headers.length > 0) list.push(...this.#o.headers);
    return list;
  }

  /** From sending the request to the end of the answer, or to now. */
  #upstreamMs(): number {
    return (this.#endedAt || performance.now()) - this.#attemptStartedAt;
  }
}

/** How long the body of an error may take before the status alone has to do. */
const ERROR_BODY_MS = 5_000;

/** Small bodies are kept: they may be wanted for an estimate, and cost less than an open stream does anyway. */
const RELEASE_BODY_BYTES = 16_384;

function queueFull({ limits }: ServerSettings): GatewayError {
  const { maxUpstreamConnections, maxUpstreamQueue } = limits;
  return new GatewayError('upstream_queue_full', {
    setting: `limits.max_upstream_connections: ${maxUpstreamConnections}, limits.max_upstream_queue: ${maxUpstreamQueue}`,
    retryAfterMs: 1000,
  });
}
