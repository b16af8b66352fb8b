import { abortError } from '../core/abort-error.ts';
import type { GatewayError } from '../core/errors.ts';
import type { AbortReason } from '../core/exchange.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import { joinedRules } from '../limits/applied-rules.ts';
import type { Target } from '../providers/provider.ts';
import type { Step } from '../routing/route-plan.ts';
import { pushAnswerHeaders } from '../upstream/forward-headers.ts';
import { type Prompt, promptSample } from '../usage/prompt.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { Shortened } from './answer-filter.ts';
import type { AttemptRun } from './attempt-run.ts';
import type { BilledLoser } from './attempt-trail.ts';
import { Attempts, type AttemptsOptions, type AttemptsOwner } from './attempts.ts';
import { EVENT_STREAM } from './choose-mode.ts';
import type { ContentTimes } from './content-times.ts';
import type { SharedAnswer, SharedAnswerLeader } from './shared-answer.ts';

export interface RelayOptions extends AttemptsOptions {
  readonly sweeper: Sweeper;
  readonly owner: RelayOwner;
  /** Flat name-value pairs for the head of an answer; absent: none. */
  readonly headers?: readonly string[] | undefined;
  /** Absent: nobody else gets this answer. */
  readonly shared?: SharedAnswer | undefined;
  /** Filters hold words of the answer back: a mode that ends a broken stream must not tell them. */
  readonly hidesAnswer?: boolean | undefined;
}

export interface RelayOwner {
  /** Called once, when nothing is left to do; the owner finishes the exchange. */
  relayed(result: RelayResult): void;
  /** A provider refused our credential; another target may still answer. */
  credentialRefused(target: Target, error: GatewayError): void;
  /** As in `x-tfy-applied-rules`: the limits that hold for this step; undefined: none does. */
  rulesJson(step: Step): string | undefined;
}

/** The outcome of an exchange, for settlement and record. */
export interface Outcome {
  /** The error that the client was told, or would have been; undefined: there was none. */
  readonly error: GatewayError | undefined;
  readonly status: number;
  /** The answer was begun and then broken off. */
  readonly cut: boolean;
  /** The gateway ended the answer before its provider did, and it is whole all the same. */
  readonly shortened: Shortened | undefined;
  /** As in `x-tfy-applied-rules`. */
  readonly rulesJson: string | undefined;
  /** This and the following fields are about the attempt that was adopted, or about the latest. */
  readonly target: Target;
  /** The form in which that provider speaks. */
  readonly wireName: string | undefined;
  readonly meter: UsageMeter;
  /** It failed, and its meter holds what parts of it used that were answered, as the provider told it or not; absent: none. */
  readonly partsTold?: 'provider' | 'estimate' | undefined;
  readonly content: ContentTimes;
  /** performance.now() values; 0: the exchange did not get so far. */
  readonly sentAt: number;
  readonly endedAt: number;
  /** Whether anything was sent to a provider, by any attempt. */
  readonly dispatched: boolean;
  /** A sample of a large request body that was let go at the commit point. */
  readonly prompt: Prompt | undefined;
  /** Milliseconds that providers were asked, by all attempts one after another. */
  readonly upstreamMs: number;
  readonly attempts: number;
  /** JSON array of `{target, error, ms, status, why}`: those before the last one. */
  readonly attemptsJson: string | undefined;
  /** Attempts that are billed besides: another one answered first, or parts of them were answered. */
  readonly losers: readonly BilledLoser[];
}

export interface RelayResult extends Outcome {
  /** The step of the attempt that was adopted, or of the latest. */
  readonly step: Step;
}

/**
 * One line, and no empty one behind it: openai-python takes an empty line for the end of an event wherever an earlier
 * event had an `id`, and fails to parse the data that is not there.
 */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n');
const BLANK = Buffer.from('\n\n');
/** Small bodies are kept: they may be wanted for an estimate, and cost less than an open stream does anyway. */
const RELEASE_BODY_BYTES = 16_384;

/**
 * Carries one exchange from its request to the end of its answer: the commit point, backpressure, and what a client sees
 * when something breaks. Attempts report to it; the sink is its alone. `#over` is set exactly once, and behind it nothing
 * touches the sink or an attempt.
 */
export class Relay implements AttemptsOwner, Swept, SharedAnswerLeader {
  sweepIndex = -1;
  readonly #o: RelayOptions;
  readonly #attempts: Attempts;
  #committed = false;
  /** The sink is full, and the attempt paused for it. */
  #full = false;
  /** A comment went out: the client has the head of an event stream. */
  #commented = false;
  /** performance.now() of the sweep that last found that something had been written. */
  #writtenAt = 0;
  #written = false;
  #prompt: Prompt | undefined;
  /** How the client left, where the answer goes on for others; undefined: it is there. */
  #deserted: AbortReason | undefined;
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
    if (this.#o.shared) this.#o.shared.leader = this;
    this.#attempts.start();
  }

  // ── what an attempt reports ───────────────────────────────────────────────

  adopts(run: AttemptRun): boolean {
    return this.#attempts.adopt(run);
  }

  commit(run: AttemptRun, contentType: string): void {
    if (this.#committed) return;
    this.#committed = true;
    // Nothing is sent a second time from here on: the memory of the body can go.
    const { exchange } = this.#o;
    if (exchange.body.length > RELEASE_BODY_BYTES) {
      this.#prompt = promptSample(exchange.body, RELEASE_BODY_BYTES);
      exchange.releaseBody();
    }
    if (!exchange.sink.started) exchange.sink.start(run.status, this.#head(contentType, run));
  }

  write(run: AttemptRun, bytes: Buffer): void {
    this.#written = true;
    // Readers that joined this answer do not wait for this client.
    if (this.#o.exchange.sink.write(bytes) || this.#full || this.#o.shared?.isJoined) return;
    this.#full = true;
    run.pause();
  }

  finished(run: AttemptRun, last: Buffer | undefined): void {
    this.#attempts.answered(run);
    this.#o.exchange.sink.end(last);
    this.#close(undefined, run.status, false);
  }

  failed(run: AttemptRun, error: GatewayError): void {
    if (error.code === 'upstream_credential') this.#o.owner.credentialRefused(run.target, error);
    if (this.#committed) this.#attempts.failed(run, error);
    else if (this.#attempts.survives(run, error)) return;
    this.#giveUp(this.#attempts.told(error));
  }

  exhausted(error: GatewayError): void {
    if (!this.#over) this.#giveUp(this.#attempts.told(error));
  }

  // ── what the client does ──────────────────────────────────────────────────

  #onDrained = (): void => {
    if (!this.#full) return;
    this.#full = false;
    this.#attempts.run.resume();
  };

  #onAbort = (reason: AbortReason): void => {
    if (reason !== 'drain' && this.#o.shared?.isJoined) {
      this.#deserted = reason;
      this.joined();
      return;
    }
    const { run } = this.#attempts;
    this.#attempts.abort();
    run.endedAt ||= performance.now();
    const error = abortError(reason);
    if (reason === 'drain') this.#giveUp(error);
    else this.#close(error, 499, this.#o.exchange.sink.started);
  };

  joined(): void {
    this.#onDrained();
  }

  unjoined(): void {
    if (this.#deserted !== undefined && !this.#over) this.#onAbort(this.#deserted);
  }

  /** The client's body does not arrive whole: the attempt is aborted, and the client is told why. */
  breakOff(error: GatewayError): void {
    if (this.#over) return;
    this.#attempts.abort();
    this.#attempts.run.endedAt ||= performance.now();
    if (this.#o.exchange.aborted === undefined) this.#giveUp(error);
    else this.#close(error, 499, this.#o.exchange.sink.started);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  /** The client gets the right status before anything was sent; afterwards a stream gets an error event, and is cut. */
  #giveUp(error: GatewayError): void {
    const { exchange, dialect } = this.#o;
    const { sink } = exchange;
    const { run } = this.#attempts;
    if (!sink.started) {
      const headers: string[] = ['x-tfy-resolved-model', run.target.id];
      this.#pushRules(headers);
      if (this.#o.headers) headers.push(...this.#o.headers);
      if (error.context.headers) headers.push(...error.context.headers);
      const { length } = headers;
      pushAnswerHeaders(headers, run.answerHeaders);
      // A header of the provider may quote our credential, as its words may.
      for (let i = length + 1; i < headers.length; i += 2) headers[i] = run.redacted(headers[i]!);
      const { upstreamMs, trail } = this.#attempts;
      exchange.refuse(error, headers, upstreamMs, trail.timing);
      this.#close(error, error.status, false);
      return;
    }
    if (run.mode?.isStream || this.#commented) {
      if (run.mode?.unfinishedLine) sink.write(BLANK);
      const told = this.#o.hidesAnswer ? undefined : run.mode?.failed?.(error);
      sink.write(told ?? dialect.errorEvent(error, exchange.id));
    }
    sink.cut();
    this.#close(error, 200, true);
  }

  #close(error: GatewayError | undefined, status: number, cut: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const { exchange, sweeper, owner } = this.#o;
    sweeper.remove(this);
    exchange.onAbort = undefined;
    exchange.sink.onDrained = undefined;
    const { run, count, dispatched, trail, upstreamMs } = this.#attempts;
    run.contentTimes.date(run.endedAt);
    owner.relayed({
      error,
      status,
      cut,
      shortened: run.shortened,
      rulesJson: this.#rulesJson(),
      step: run.step,
      target: run.target,
      wireName: run.wireName,
      meter: run.meter,
      partsTold: run.partsTold,
      content: run.contentTimes,
      sentAt: run.startedAt,
      endedAt: run.endedAt,
      dispatched,
      prompt: this.#prompt,
      upstreamMs: run.endedAt > 0 ? upstreamMs : 0,
      attempts: count,
      attemptsJson: trail.json,
      losers: trail.losersBeside(run),
    });
  }

  #rulesJson(): string | undefined {
    const { run, trail } = this.#attempts;
    return joinedRules(this.#o.owner.rulesJson(run.step), trail.appliedJson(run.step));
  }

  #pushRules(list: string[]): void {
    const rulesJson = this.#rulesJson();
    if (rulesJson !== undefined) list.push('x-tfy-applied-rules', rulesJson);
  }

  // ── time ──────────────────────────────────────────────────────────────────

  sweep(now: number): void {
    this.#attempts.sweep(now);
    if (!this.#over && this.#o.peeked.stream) this.#keepAlive(now);
  }

  /**
   * Middle boxes cut a connection that is silent for a minute. The first comment commits the status but not the content:
   * another target may still answer, and an error from then on comes as an event.
   */
  #keepAlive(now: number): void {
    const { exchange, settings, dialect } = this.#o;
    const everyMs = settings.keepaliveCommentMs;
    if (this.#written) {
      this.#written = false;
      this.#writtenAt = now;
    }
    if (everyMs === 0 || now - Math.max(exchange.bodyReadAt, this.#writtenAt) < everyMs) return;
    // No comment is added to what waits already.
    if (this.#full || !this.#attempts.takeComments) return;
    this.#writtenAt = now;
    this.#commented = true;
    if (!exchange.sink.started) exchange.sink.start(200, this.#head(EVENT_STREAM, undefined));
    exchange.sink.write(dialect.keepAlive ?? KEEP_ALIVE);
  }

  /** `run`: whose answer it is; undefined while that is not known. */
  #head(contentType: string, run: AttemptRun | undefined): string[] {
    const { exchange } = this.#o;
    const { upstreamMs, trail } = this.#attempts;
    const list = ['content-type', contentType];
    if (contentType.startsWith(EVENT_STREAM)) list.push('cache-control', 'no-cache', 'x-accel-buffering', 'no');
    if (run) pushAnswerHeaders(list, run.answerHeaders);
    exchange.pushOwnHeaders(list, upstreamMs, trail.timing);
    if (run) list.push('x-tfy-resolved-model', run.target.id);
    if (this.#o.headers) list.push(...this.#o.headers);
    this.#pushRules(list);
    return list;
  }
}
