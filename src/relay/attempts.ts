import { GatewayError } from '../core/errors.ts';
import { decide } from '../routing/retry-policy.ts';
import type { RoutePlan, Step } from '../routing/route-plan.ts';
import { refusedUsage } from './asks-usage.ts';
import { AttemptRun, type RunOwner } from './attempt-run.ts';
import type { RelayMode } from './relay-mode.ts';
import type { RunContext } from './run-context.ts';

export interface AttemptsOptions extends RunContext {
  readonly plan: RoutePlan;
}

/**
 * The attempts of one exchange: which step of its plan is asked, and whether another attempt follows a failed one or
 * begins beside a slow one. At most two are live; the first whose content comes is adopted, and the other is aborted.
 */
export class Attempts {
  /** Those begun so far. */
  count = 0;
  readonly #o: AttemptsOptions;
  readonly #owner: RunOwner;
  /** The attempt that the exchange is about: the one adopted, or the latest. */
  #run: AttemptRun;
  /** An earlier attempt that is live beside it. */
  #beside: AttemptRun | undefined;
  #adopted = false;
  /** Of the latest step in the plan. */
  #index = 0;
  /** Tries of that step after its first. */
  #retries = 0;
  #retriedReused = false;
  /** performance.now() when a delayed retry begins; 0: none waits. */
  #retryAt = 0;
  /** By those that are over and not the one the exchange is about. */
  #dispatched = false;
  /** Those before the attempt that the exchange is about. */
  #failed: { target: string; error: string; ms: number }[] | undefined;

  constructor(options: AttemptsOptions, owner: RunOwner) {
    this.#o = options;
    this.#owner = owner;
    this.#run = new AttemptRun(options.plan.first, options, owner);
  }

  get run(): AttemptRun {
    return this.#run;
  }

  /** JSON array of `{target, error, ms}`: those that failed before the attempt that the exchange is about. */
  get failedJson(): string | undefined {
    return this.#failed && JSON.stringify(this.#failed);
  }

  /** Whether anything was sent to a provider, by any of them. */
  get dispatched(): boolean {
    return this.#dispatched || this.#run.dispatched;
  }

  /** A comment would break an answer that is no stream, and an event that is not whole yet. */
  get takeComments(): boolean {
    return takesComments(this.#run.mode) && takesComments(this.#beside?.mode);
  }

  start(): void {
    this.count = 1;
    this.#start(this.#run);
  }

  /** Whether this attempt's answer is the client's: the first that asks is adopted. */
  adopt(run: AttemptRun): boolean {
    if (this.#adopted) return run === this.#run;
    this.#adopted = true;
    const loser = run === this.#run ? this.#beside : this.#run;
    this.#run = run;
    this.#beside = undefined;
    if (loser !== undefined) this.#drop(loser);
    return true;
  }

  /** Before the commit point: whether the exchange goes on without this attempt. */
  survives(run: AttemptRun, error: GatewayError): boolean {
    this.#adopted = false;
    const other = run === this.#run ? this.#beside : this.#run;
    this.#beside = undefined;
    if (other !== undefined) {
      this.#note(run, error);
      this.#run = other;
      return true;
    }
    const step = this.#nextStep(run, error);
    if (step === undefined) return false;
    this.#note(run, error);
    if (this.#retryAt === 0) this.#begin(step);
    return true;
  }

  sweep(now: number): void {
    this.#beside?.sweep(now);
    this.#run.sweep(now);
    if (this.#retryAt > 0 && now >= this.#retryAt) {
      this.#retryAt = 0;
      this.#begin(this.#run.step);
    } else this.#hedge(now);
  }

  /** Nobody waits for an answer any more. */
  abort(): void {
    this.#retryAt = 0;
    this.#beside?.abort();
    this.#run.abort();
  }

  #nextStep(run: AttemptRun, error: GatewayError): Step | undefined {
    const { step, diedReused } = run;
    const { exchange, settings, dialect } = this.#o;
    const now = performance.now();
    const { totalMs } = settings.timeouts;
    const leftMs = totalMs > 0 ? exchange.startedAt + totalMs - now : Number.POSITIVE_INFINITY;
    const mayRetryReused = settings.retryReusedConnection && !this.#retriedReused;
    const history = {
      retry: step.retry,
      retries: this.#retries,
      diedReused,
      mayRetryReused,
      refusedUsage: run.asksUsage && refusedUsage(dialect, run.target, error),
    };
    const decision = decide(error, history, leftMs);
    if (decision.next === 'give-up') return undefined;
    if (decision.next === 'same-step') {
      if (diedReused && mayRetryReused) this.#retriedReused = true;
      else if (!history.refusedUsage) this.#retries += 1;
      if (decision.afterMs > 0) this.#retryAt = now + decision.afterMs;
      return step;
    }
    return this.#following();
  }

  #following(): Step | undefined {
    const step = this.#o.plan.step(this.#index + 1);
    if (step === undefined) return undefined;
    this.#index += 1;
    this.#retries = 0;
    return step;
  }

  /** A second attempt, where the plan asks for one and the first has no content yet. */
  #hedge(now: number): void {
    const run = this.#run;
    const { hedgeAfterMs } = run.step;
    if (hedgeAfterMs === undefined || this.#adopted || this.#beside !== undefined) return;
    // Over: the exchange is, or its next attempt waits.
    if (run.over || run.hasContent || now - run.startedAt < hedgeAfterMs) return;
    const step = this.#following();
    if (step === undefined) return;
    this.#beside = run;
    this.#begin(step);
  }

  #begin(step: Step): void {
    this.count += 1;
    this.#run = new AttemptRun(step, this.#o, this.#owner);
    this.#start(this.#run);
  }

  #start(run: AttemptRun): void {
    try {
      run.start();
    } catch (cause) {
      // A bug costs this exchange, with all that was begun for it.
      run.failed(new GatewayError('internal_error', { cause }));
    }
  }

  #drop(loser: AttemptRun): void {
    this.#dispatched ||= loser.dispatched;
    loser.abort();
  }

  #note(run: AttemptRun, error: GatewayError): void {
    this.#dispatched ||= run.dispatched;
    this.#failed ??= [];
    this.#failed.push({ target: run.target.id, error: error.code, ms: Math.round(run.upstreamMs) });
  }
}

function takesComments(mode: RelayMode | undefined): boolean {
  return mode === undefined || (mode.isStream && !mode.unfinishedLine);
}
