import { type ErrorCode, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { type Blamed, blamed, providerStatus, retryAfterMs } from '../routing/blame.ts';
import { type AttemptHistory, decide } from '../routing/retry-policy.ts';
import type { RoutePlan, Step } from '../routing/route-plan.ts';
import { refusedUsage } from './asks-usage.ts';
import { AttemptRun, type RunOwner } from './attempt-run.ts';
import { AttemptTrail } from './attempt-trail.ts';
import type { RelayMode } from './relay-mode.ts';
import type { RunContext } from './run-context.ts';

export interface AttemptsOptions extends RunContext {
  readonly plan: RoutePlan;
  /** The step that is asked first: limits may have refused earlier ones. */
  readonly index: number;
}

const CANNOT_BE_ASKED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unsupported_parameter', 'unsupported_operation']);

/** A failed attempt after which another target is looked for. */
interface Failed {
  readonly run: AttemptRun;
  readonly error: GatewayError;
  /** Its place among those noted. */
  readonly hop: number;
}

export interface AttemptsOwner extends RunOwner {
  /** After a wait no step is left that may be asked. */
  exhausted(error: GatewayError): void;
}

/**
 * The attempts of one exchange: which step of its plan is asked, and whether another attempt follows a failed one or
 * begins beside a slow one. At most two are live; the first whose content comes is adopted, and the other is aborted.
 */
export class Attempts {
  /** How many attempts have begun so far. */
  count = 0;
  readonly trail: AttemptTrail;
  readonly #o: AttemptsOptions;
  readonly #owner: AttemptsOwner;
  /** The attempt that the exchange is about: the one adopted, or the latest. */
  #run: AttemptRun;
  /** An earlier attempt that is live beside it. */
  #beside: AttemptRun | undefined;
  #adopted = false;
  /** Place of the latest step in the plan. */
  #index: number;
  #retriedReused = false;
  /** The error of the latest attempt that was sent and failed. */
  #providerError: GatewayError | undefined;
  /** performance.now() when a delayed retry begins; 0: none waits. */
  #retryAt = 0;
  /** A step waits for limits that Redis counts. */
  #holding = false;
  /** A step that waits so to begin beside the run; undefined: none does. */
  #joining: Step | undefined;
  /** The run, which failed while that step waited: the step follows it. */
  #failed: Failed | undefined;
  /** No step is left that could begin beside the run. */
  #isAlone = false;
  #over = false;

  constructor(options: AttemptsOptions, owner: AttemptsOwner) {
    this.#o = options;
    this.#owner = owner;
    const { plan, index } = options;
    this.trail = new AttemptTrail(plan);
    this.#index = index;
    this.#run = new AttemptRun(plan.step(index) ?? plan.first, options, owner);
  }

  get run(): AttemptRun {
    return this.#run;
  }

  /** Whether anything was sent to a provider, by any of them. */
  get dispatched(): boolean {
    return this.trail.dispatched || this.#run.dispatched || this.#beside?.dispatched === true;
  }

  /** Milliseconds in which a provider was asked, the waits between attempts included. */
  get upstreamMs(): number {
    return this.#run.upstreamMs + this.trail.msBefore(this.#run);
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
    run.step.observer?.contentCame();
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
      this.failed(run, error);
      this.trail.note(run, error);
      this.#o.holds?.drop(run.step);
      this.#run = other;
      return true;
    }
    return this.#goesOn(run, error);
  }

  /** The error for the client: that the last target cannot be asked says less than why another one failed. */
  told(error: GatewayError): GatewayError {
    return CANNOT_BE_ASKED.has(error.code) ? (this.#providerError ?? error) : error;
  }

  /** Its answer is whole. */
  answered({ step, contentTimes, meter, startedAt }: AttemptRun): void {
    if (step.observer === undefined || contentTimes.firstAt === 0) return;
    const { firstAt, lastAt, pieces } = contentTimes;
    const { outputTokens, reasoningOutputTokens = 0 } = meter.usage ?? {};
    // Reasoning before the first content lies between no two tokens.
    const tokens = outputTokens === undefined ? pieces : outputTokens - reasoningOutputTokens;
    const perToken = pieces > 1 && tokens > 1 ? (lastAt - firstAt) / (tokens - 1) : undefined;
    step.observer.answered(firstAt - startedAt, perToken);
  }

  /** Tells the health of the target how the attempt ended. */
  failed(run: AttemptRun, error: GatewayError): void {
    if (run.dispatched) this.#providerError = error;
    run.step.observer?.failed(error, { status: run.status, headers: run.answerHeaders });
  }

  sweep(now: number): void {
    this.#beside?.sweep(now);
    this.#run.sweep(now);
    if (this.#retryAt > 0 && now >= this.#retryAt) {
      this.#retryAt = 0;
      this.#retry(this.#run);
    } else this.#hedge(now);
  }

  /** Nobody waits for an answer any more. */
  abort(): void {
    this.#over = true;
    this.#retryAt = 0;
    if (this.#beside) this.#leave(this.#beside);
    this.#leave(this.#run);
  }

  // ── after a failure ───────────────────────────────────────────────────────

  #goesOn(run: AttemptRun, error: GatewayError): boolean {
    const { step, diedReused } = run;
    const { exchange, settings, dialect } = this.#o;
    const now = performance.now();
    const { totalMs } = settings.timeouts;
    const leftMs = totalMs > 0 ? exchange.startedAt + totalMs - now : Number.POSITIVE_INFINITY;
    const mayRetryReused = settings.retryReusedConnection && !this.#retriedReused;
    const refused = run.asksUsage && refusedUsage(dialect, run.target, error);
    // A failure that the gateway or a dead connection caused counts against no target.
    if (!refused && !(diedReused && mayRetryReused)) this.failed(run, error);
    const status = providerStatus(run.status, error);
    const history: AttemptHistory = {
      retry: step.retry,
      fallbackStatuses: step.fallbackStatuses,
      status,
      retryAfterMs: retryAfterMs(run.answerHeaders, Date.now()),
      retries: run.retries,
      mayRetry: () => step.observer?.mayRetry() ?? true,
      chance: Math.random(),
      diedReused,
      mayRetryReused,
      refusedUsage: refused,
    };
    const decision = decide(error, history, leftMs);
    if (decision.next === 'give-up') return false;
    if (decision.next === 'next-step') return this.#fallBack(run, error, blamed(error, status));
    const isCounted = !refused && !(diedReused && mayRetryReused);
    if (diedReused && mayRetryReused) this.#retriedReused = true;
    this.trail.note(run, error);
    if (decision.afterMs > 0) this.#retryAt = now + decision.afterMs;
    else this.#retry(run, isCounted);
    return true;
  }

  /** Goes on to the next step that limits let in; false: there is none. */
  #fallBack(run: AttemptRun, error: GatewayError, blame: Blamed): boolean {
    if (this.#joining !== undefined) {
      this.#failed = { run, error, hop: this.trail.note(run, error) };
      return true;
    }
    const step = this.#following(blame);
    if (step === undefined) return false;
    return this.#holdOneOf(step, { run, error, hop: this.trail.note(run, error) });
  }

  #holdOneOf(first: Step, failed: Failed): boolean {
    const { holds } = this.#o;
    for (let step: Step | undefined = first; step !== undefined; step = this.#following()) {
      const held = holds?.replace(failed.run.step, step);
      if (held === undefined) {
        this.#begin(step);
        return true;
      }
      if (held instanceof Promise) {
        this.#await(held, step, failed);
        return true;
      }
      this.#passOver(step, held);
    }
    // The exchange ends with the attempt that failed.
    this.trail.forget(failed.hop);
    return false;
  }

  #await(held: Promise<OrError<void>>, step: Step, failed: Failed): void {
    this.#holding = true;
    const answered = (answer: OrError<void>): void => {
      this.#holding = false;
      if (this.#over) step.observer?.left();
      else if (answer === undefined) this.#begin(step);
      else {
        this.#passOver(step, answer);
        this.#goOnBehind(failed);
      }
    };
    held.then(answered, (cause) => answered(new GatewayError('internal_error', { cause })));
  }

  /** After a wait: with the next step that limits let in, or with the failure. */
  #goOnBehind(failed: Failed): void {
    const next = this.#following();
    if (next !== undefined && this.#holdOneOf(next, failed)) return;
    if (next === undefined) this.trail.forget(failed.hop);
    this.#owner.exhausted(failed.error);
  }

  #passOver(step: Step, refused: GatewayError): void {
    this.trail.noteUnasked(step, refused);
    step.observer?.left();
  }

  #following(blame?: Blamed): Step | undefined {
    const step = this.#o.plan.step(this.#index + 1, blame);
    if (step === undefined) return undefined;
    this.#index += 1;
    return step;
  }

  // ── beside a slow one ─────────────────────────────────────────────────────

  /** A second attempt, where the plan asks for one and the first has no content yet. */
  #hedge(now: number): void {
    const run = this.#run;
    const { hedgeAfterMs } = run.step;
    if (hedgeAfterMs === undefined || this.#adopted || this.#beside !== undefined || this.#isAlone) return;
    if (this.#holding || this.#joining !== undefined) return;
    // The exchange is over, or its next attempt waits.
    if (run.over || run.hasContent || now - run.startedAt < hedgeAfterMs) return;
    const { plan, holds } = this.#o;
    if (plan.mayHedge?.() === false) return;
    const step = this.#following();
    if (step === undefined) {
      this.#isAlone = true;
      plan.notHedged?.();
      return;
    }
    const held = holds?.add(step);
    if (held === undefined) this.#beginBeside(step);
    else if (held instanceof GatewayError) this.#notBeside(step, held);
    else {
      this.#joining = step;
      const answered = (answer: OrError<void>): void => this.#heldBeside(step, answer);
      held.then(answered, (cause) => answered(new GatewayError('internal_error', { cause })));
    }
  }

  /** The first attempt may have answered or failed meanwhile. */
  #heldBeside(step: Step, refused: OrError<void>): void {
    const failed = this.#failed;
    this.#joining = undefined;
    this.#failed = undefined;
    if (refused !== undefined) {
      this.#notBeside(step, refused);
      if (failed !== undefined && !this.#over) this.#goOnBehind(failed);
    } else if (this.#over || this.#adopted) {
      this.#notBeside(step);
      this.#o.holds?.drop(step);
    } else if (failed !== undefined) {
      this.#o.plan.notHedged?.();
      this.#o.holds?.drop(failed.run.step);
      this.#begin(step);
    } else if (this.#run.over) {
      // The first is tried again in a moment: the step is kept for when that one is late or fails.
      this.#notBeside(step);
      this.#o.holds?.drop(step);
      this.#index -= 1;
    } else this.#beginBeside(step);
  }

  #notBeside(step: Step, refused?: GatewayError): void {
    if (refused !== undefined) this.trail.noteUnasked(step, refused);
    step.observer?.left();
    this.#o.plan.notHedged?.();
  }

  #beginBeside(step: Step): void {
    this.#beside = this.#run;
    this.#begin(step);
  }

  // ── begin and end ─────────────────────────────────────────────────────────

  #begin(step: Step, retries = 0): void {
    this.count += 1;
    this.#isAlone = false;
    this.#run = new AttemptRun(step, this.#o, this.#owner, retries);
    this.#start(this.#run);
  }

  /** `isCounted`: it is one of those that the step allows. */
  #retry({ step, retries }: AttemptRun, isCounted = true): void {
    this.#begin(step, isCounted ? retries + 1 : retries);
  }

  #start(run: AttemptRun): void {
    run.step.observer?.asked();
    this.trail.began(run);
    try {
      run.start();
    } catch (cause) {
      // A bug costs this exchange, with all that was begun for it.
      run.failed(new GatewayError('internal_error', { cause }));
    }
  }

  #drop(loser: AttemptRun): void {
    const { over, startedAt, step } = loser;
    if (!over) {
      loser.abort();
      if (startedAt < this.#run.startedAt) step.observer?.outrun(performance.now() - startedAt);
      else step.observer?.left();
    }
    this.trail.noteLoser(loser);
    this.#o.holds?.drop(step);
  }

  #leave(run: AttemptRun): void {
    if (run.over) return;
    run.abort();
    run.step.observer?.left();
  }
}

function takesComments(mode: RelayMode | undefined): boolean {
  return mode === undefined || (mode.isStream && !mode.unfinishedLine);
}
