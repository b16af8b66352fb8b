import type { GatewayError } from '../core/errors.ts';
import type { Target } from '../providers/provider.ts';
import { providerStatus } from '../routing/blame.ts';
import { hopJson } from '../routing/route-entry.ts';
import type { RoutePlan, Step } from '../routing/route-plan.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { AttemptRun } from './attempt-run.ts';

/** One attempt that is over and did not answer the client. */
interface Hop {
  readonly target: string;
  /** Code of ERRORS, or `hedge_lost`. */
  readonly error: string;
  readonly ms: number;
  /** The provider's own; absent: it told none. */
  readonly status?: number;
  /** Why it was asked; absent: there was no choice. */
  readonly why?: string;
}

/** An attempt that did not answer the client and is billed: it came second, or parts of it were answered. */
export interface BilledLoser {
  readonly target: Target;
  readonly meter: UsageMeter;
  /** Its place in `json`. */
  readonly hop: number;
}

const NO_LOSERS: readonly BilledLoser[] = [];

/** The outcome of the attempts before the one that the exchange is about, for its receipt and headers. */
export class AttemptTrail {
  /** Whether one of them sent anything to a provider. */
  dispatched = false;
  #losers: BilledLoser[] | undefined;
  readonly #plan: RoutePlan;
  #hops: Hop[] | undefined;
  /** performance.now() when the first of them began. */
  #firstAt = 0;

  constructor(plan: RoutePlan) {
    this.#plan = plan;
  }

  /** Those beside the attempt that the exchange is about, which may be noted as well: its client left before another began. */
  losersBeside({ meter }: Pick<AttemptRun, 'meter'>): readonly BilledLoser[] {
    return this.#losers?.filter((loser) => loser.meter !== meter) ?? NO_LOSERS;
  }

  /** JSON array of `{target, error, ms, status, why}`; undefined: there was one attempt. */
  get json(): string | undefined {
    return this.#hops && JSON.stringify(this.#hops);
  }

  /** As a part of `x-tfy-applied-rules`; `step`: the one that answered, or failed last. */
  appliedJson(step: Step): string | undefined {
    const { description } = this.#plan;
    if (this.#hops === undefined || description === undefined) return step.appliedJson;
    const hops = this.#hops.map(({ target, why = '', error }) => hopJson(target, why, error));
    return `{"routing":{${description},"hops":[${hops.join(',')},${hopJson(step.target.id, step.reason ?? '')}]}}`;
  }

  /** Parts of `server-timing`, each with a comma before it; empty: there was one attempt. */
  get timing(): string {
    if (this.#hops === undefined) return '';
    const parts = this.#hops.map(
      ({ target, error, ms }, at) => `, attempt${at + 1};dur=${ms};desc="${target} ${error}"`,
    );
    return parts.join('');
  }

  began({ startedAt }: AttemptRun): void {
    if (this.#firstAt === 0) this.#firstAt = startedAt;
  }

  /** Milliseconds from the first attempt to the beginning of this one. */
  msBefore({ startedAt }: AttemptRun): number {
    return this.#hops === undefined ? 0 : Math.max(0, startedAt - this.#firstAt);
  }

  /** Its place, for `forget`. */
  note(run: AttemptRun, error: GatewayError): number {
    this.dispatched ||= run.dispatched;
    const status = run.step.reason === undefined ? undefined : providerStatus(run.status, error);
    const hop = this.#add(run.step, error.code, run.upstreamMs, status);
    if (run.partsTold !== undefined) this.#bill(run, hop);
    return hop;
  }

  /** A rule did not let it in. */
  noteUnasked(step: Step, error: GatewayError): void {
    this.#add(step, error.code, 0);
  }

  noteLoser(run: AttemptRun): void {
    this.dispatched ||= run.dispatched;
    const hop = this.#add(run.step, 'hedge_lost', run.upstreamMs);
    if (run.dispatched) this.#bill(run, hop);
  }

  #bill({ target, meter }: AttemptRun, hop: number): void {
    this.#losers ??= [];
    this.#losers.push({ target, meter, hop });
  }

  /** No other attempt followed this one, so the exchange is about it. */
  forget(hop: number): void {
    this.#hops?.splice(hop, 1);
    this.#losers = this.#losers?.flatMap((loser) =>
      loser.hop === hop ? [] : [loser.hop < hop ? loser : { ...loser, hop: loser.hop - 1 }],
    );
    if (this.#hops?.length === 0) this.#hops = undefined;
  }

  #add({ target, reason }: Step, error: string, ms: number, status?: number): number {
    this.#hops ??= [];
    return (
      this.#hops.push({
        target: target.id,
        error,
        ms: Math.round(ms),
        ...(status !== undefined && { status }),
        ...(reason !== undefined && { why: reason }),
      }) - 1
    );
  }
}
