import type { Buffer } from 'node:buffer';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { AbortReason, Exchange } from '../core/exchange.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Target } from '../providers/provider.ts';
import {
  type AnswerFilterMaker,
  FilteredAnswer,
  type FilteredAnswerContext,
  type FilteredEnd,
  type Shortened,
} from '../relay/answer-filter.ts';
import { answerContext, EVENT_STREAM } from '../relay/choose-mode.ts';
import { ContentTimes } from '../relay/content-times.ts';
import { KEEP_ALIVE } from '../relay/relay.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import type { AnswerSource, FlightReader } from './flight.ts';

export interface ReplayOptions {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly settings: Pick<ServerSettings, 'limits' | 'keepaliveCommentMs'>;
  readonly sweeper: Sweeper;
  readonly strictForm: boolean;
  readonly source: AnswerSource;
  /** They see the answer as that of an attempt. */
  readonly filters: readonly AnswerFilterMaker[];
  /** Flat name-value pairs: which rules applied. */
  readonly headers: readonly string[];
  /** performance.now() when the cache was asked. */
  readonly askedAt: number;
  /** The target of that id as the configuration has it; undefined: it is none of this caller any more. */
  target(id: string): Target | undefined;
  readonly owner: ReplayOwner;
}

export interface ReplayOwner {
  /** Once, when nothing is left to do. */
  replayed(result: ReplayResult): void;
  /** Nobody answers after all, and the client has nothing yet: somebody else is to be asked. */
  unanswered(): void;
}

export interface ReplayResult {
  readonly error: GatewayError | undefined;
  readonly status: number;
  readonly cut: boolean;
  readonly shortened: Shortened | undefined;
  /** Undefined: no content came. */
  readonly target: Target | undefined;
  readonly content: ContentTimes;
  readonly endedAt: number;
}

const BLANK_HEADERS: readonly string[] = ['cache-control', 'no-cache', 'x-accel-buffering', 'no'];

/**
 * Answers a client with what another one got or is getting: the same bytes, cut between the same events, through the
 * filters of this exchange. No provider is asked.
 */
export class Replay implements FilteredEnd, FlightReader, Swept {
  sweepIndex = -1;
  readonly #o: ReplayOptions;
  readonly #times = new ContentTimes();
  readonly #filtered: FilteredAnswer | undefined;
  #target: Target | undefined;
  /** Pieces that were handed on. */
  #index = 0;
  #beganAt = 0;
  /** performance.now() of the last write, or of the beginning. */
  #writtenAt = 0;
  #shortened: Shortened | undefined;
  #full = false;
  #pauses = 0;
  #pumping = false;
  #handedOn = false;
  #over = false;

  constructor(options: ReplayOptions) {
    this.#o = options;
    this.#filtered = options.filters.length > 0 ? new FilteredAnswer(this, options.filters) : undefined;
  }

  start(): void {
    const { exchange, sweeper } = this.#o;
    exchange.onAbort = this.#onAbort;
    exchange.sink.onDrained = this.#onDrained;
    exchange.sink.waitForNextTurn?.();
    this.#writtenAt = performance.now();
    this.#pump(this.#writtenAt);
    // Mostly all of it was handed on at once, and nothing waits.
    if (!this.#over) sweeper.add(this);
  }

  // ── what the source tells ─────────────────────────────────────────────────

  moved(): void {
    this.#pump(performance.now());
  }

  failed(error: GatewayError): void {
    this.#giveUp(error);
  }

  orphaned(): void {
    if (this.#over) return;
    if (this.#beganAt > 0 || this.#o.exchange.sink.started) this.#giveUp(new GatewayError('upstream_cut'));
    else this.#stepAside();
  }

  // ── what the last filter asks ─────────────────────────────────────────────

  chosen(): boolean {
    return !this.#over;
  }

  describe(contentType: string): FilteredAnswerContext {
    const { exchange, dialect, peeked, strictForm, source } = this.#o;
    const target = this.#target!;
    const answer = answerContext({ exchangeId: exchange.id, target, peeked, strictForm, repeats: undefined });
    return { contentType, isStream: source.isStream, dialect, answer, meter: new UsageMeter(), step: undefined };
  }

  commit(contentType: string): void {
    const { sink } = this.#o.exchange;
    if (!this.#over && !sink.started) this.#start(contentType);
  }

  write(bytes: Buffer): void {
    if (this.#over) return;
    if (!this.#o.exchange.sink.write(bytes)) this.#full = true;
  }

  finish(last?: Buffer): void {
    if (this.#over) return;
    this.#o.exchange.sink.end(last);
    this.#close(undefined, 200, false);
  }

  fail(error: GatewayError): void {
    this.#giveUp(error);
  }

  content(): void {}

  /** What runs beside it says that there is to be no answer. */
  breakOff(error: GatewayError): void {
    this.#giveUp(error);
  }

  shorten(ending: Buffer, shortened: Shortened): void {
    this.#shortened = shortened;
    this.finish(ending);
  }

  pause(): void {
    this.#pauses += 1;
  }

  resume(): void {
    this.#pauses -= 1;
    this.#pump(performance.now());
  }

  // ── time, and the client ──────────────────────────────────────────────────

  sweep(now: number): void {
    this.#filtered?.sweep(now);
    this.#pump(now);
    if (!this.#over && this.#o.peeked.stream) this.#keepAlive(now);
  }

  #onDrained = (): void => {
    this.#full = false;
    this.#pump(performance.now());
  };

  #onAbort = (reason: AbortReason): void => {
    const error = abortError(reason);
    if (reason === 'drain') this.#giveUp(error);
    else this.#close(error, 499, this.#o.exchange.sink.started);
  };

  /** As of any stream: middle boxes cut what is silent. */
  #keepAlive(now: number): void {
    const { exchange, settings, dialect } = this.#o;
    const everyMs = settings.keepaliveCommentMs;
    if (everyMs === 0 || now - this.#writtenAt < everyMs || this.#full) return;
    this.#writtenAt = now;
    if (!exchange.sink.started) this.#start(EVENT_STREAM);
    exchange.sink.write(dialect.keepAlive ?? KEEP_ALIVE);
  }

  // ── from the source to the client ─────────────────────────────────────────

  #pump(now: number): void {
    // A source that tells of more while some of it is handed on is read by the same loop.
    if (this.#pumping || this.#over || this.#o.source.contentType === undefined) return;
    this.#pumping = true;
    this.#handOn(this.#o.source.contentType, now);
    this.#pumping = false;
  }

  #handOn(contentType: string, now: number): void {
    const { source, settings } = this.#o;
    if (this.#beganAt === 0 && !this.#begin(now)) return;
    const first = this.#filtered ?? this;
    const maxBytes = settings.limits.highWatermarkBytes;
    while (!this.#over && !this.#full && this.#pauses === 0 && !this.#handedOn) {
      const to = source.until(this.#index, maxBytes, now - this.#beganAt);
      const isLast = source.isWhole && to === source.pieces;
      if (to === this.#index && !isLast) return;
      const bytes = to > this.#index ? source.slice(this.#index, to) : undefined;
      if (this.#index === 0) first.commit(contentType);
      if (this.#over) return;
      this.#times.came(to - this.#index);
      this.#index = to;
      this.#writtenAt = now;
      this.#handedOn = isLast;
      if (isLast) first.finish(bytes);
      else if (bytes !== undefined) first.write(bytes);
    }
  }

  /** False: this caller may not have it. */
  #begin(now: number): boolean {
    const { source, target } = this.#o;
    this.#target = target(source.target);
    if (this.#target === undefined) {
      if (this.#o.exchange.sink.started) this.#giveUp(new GatewayError('no_target'));
      else this.#stepAside();
      return false;
    }
    this.#beganAt = now;
    return true;
  }

  #start(contentType: string): void {
    const { exchange, source, headers, askedAt } = this.#o;
    const list = ['content-type', contentType];
    if (contentType.startsWith(EVENT_STREAM)) list.push(...BLANK_HEADERS);
    const foundAt = this.#beganAt > 0 ? this.#beganAt : this.#writtenAt;
    exchange.pushOwnHeaders(list, 0, `, cache;dur=${withOneDigit(foundAt - askedAt)};desc="hit"`);
    if (source.storedAt !== undefined) {
      list.push('age', String(Math.max(0, Math.floor((Date.now() - source.storedAt) / 1000))));
    }
    if (headers.length > 0) list.push(...headers);
    exchange.sink.start(200, list, source.headersOf(this.#target?.id));
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #giveUp(error: GatewayError): void {
    if (this.#over) return;
    const { exchange, dialect, source, headers } = this.#o;
    const { sink } = exchange;
    if (!sink.started) {
      exchange.refuse(error, [...headers, ...(error.context.headers ?? [])]);
      this.#close(error, error.status, false);
      return;
    }
    if (source.isStream || source.contentType === undefined) sink.write(dialect.errorEvent(error, exchange.id));
    sink.cut();
    this.#close(error, 200, true);
  }

  #stepAside(): void {
    this.#leave();
    this.#o.owner.unanswered();
  }

  #close(error: GatewayError | undefined, status: number, cut: boolean): void {
    if (this.#over) return;
    this.#leave();
    const endedAt = performance.now();
    this.#times.date(endedAt);
    this.#o.owner.replayed({
      error,
      status,
      cut,
      shortened: this.#shortened,
      target: this.#target,
      content: this.#times,
      endedAt,
    });
  }

  #leave(): void {
    this.#over = true;
    const { exchange, sweeper, source } = this.#o;
    sweeper.remove(this);
    exchange.onAbort = undefined;
    exchange.sink.onDrained = undefined;
    this.#filtered?.close();
    source.leave(this);
  }
}

/** Milliseconds with one decimal digit, without the cost of toFixed. */
function withOneDigit(ms: number): string {
  const tenths = Math.max(0, Math.round(10 * ms));
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}
