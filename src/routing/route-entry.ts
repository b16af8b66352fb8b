import type { RouteTarget } from '../config/rules/routing-settings.ts';
import { type Condition, compileCondition } from '../config/rules/target-condition.ts';
import type { RoutingLimits } from '../config/server/routing.ts';
import type { Target } from '../providers/provider.ts';
import type { Availability } from './circuit.ts';
import { type HealthMemory, Place } from './place.ts';
import { DEFAULT_FALLBACK_STATUSES, DEFAULT_RETRY_STATUSES } from './retry-policy.ts';
import {
  NO_WAITS,
  type PlanContext,
  type Step,
  type StepObserver,
  type StepOverrides,
  type StepRetry,
} from './route-plan.ts';
import { hashOf } from './session.ts';

/** Unknown latencies are taken for such, so that a new target gets its share. */
const MAX_FAVOUR = 100;
/** What a token of an answer of middling length weighs beside the wait for the first. */
const TOKENS = 100;
/** A budget of credentials goes on with the next one instead of trying one again that is limited. */
const LIMITED = 429;

/** One target of a route with one credential of its account. */
export interface Candidate {
  readonly index: number;
  readonly place: Place;
  readonly entry: RouteEntry;
}

export interface RouteEntryOptions {
  readonly written: RouteTarget;
  /** The same model with each credential of its account; at least one. */
  readonly targets: readonly Target[];
  /** The index of its first candidate among those of the route. */
  readonly firstIndex: number;
  /** Behind all others, in order; undefined: it is of the route itself. */
  readonly tail: number | undefined;
  /** Percent of the callers that it is for, before all others; undefined: it is for all. */
  readonly canaryPercent: number | undefined;
  readonly retry: StepRetry;
  /** The description of its route. */
  readonly description: string;
  readonly memory: HealthMemory;
  readonly laws: RoutingLimits;
}

/** One target of a route, compiled: how it is asked, and what is known of it. */
export class RouteEntry {
  readonly written: RouteTarget;
  readonly targetId: string;
  readonly candidates: readonly Candidate[];
  readonly tail: number | undefined;
  readonly canaryPercent: number | undefined;
  readonly hash: number;
  /** The favour that latency-based routing shows it. */
  favour = 1;
  /** It takes longer than its `sla_cutoff`. */
  tooSlow = false;
  /** See Step. */
  hedgeAfterMs: number | undefined;
  /** Milliseconds until so many tokens came, at the median; undefined: too few answers tell. */
  expectedMs: number | undefined;
  /** Why latency-based routing asks it, with what it takes. */
  latencyReason = 'latency unknown';
  readonly #description: string;
  readonly #retry: StepRetry;
  readonly #overrides: StepOverrides | undefined;
  readonly #fallbackStatuses: ReadonlySet<number>;
  readonly #condition: Condition | undefined;
  readonly #metadata: readonly (readonly [string, string])[];
  /** Made once where a step is as its manifest says. */
  readonly #steps = new Map<string, Step>();
  #turn = 0;

  constructor({ written, targets, firstIndex, tail, canaryPercent, ...more }: RouteEntryOptions) {
    const { retry, description, memory, laws } = more;
    this.canaryPercent = canaryPercent;
    this.#description = description;
    this.written = written;
    this.tail = tail;
    this.targetId = targets[0]!.id;
    this.hash = hashOf(this.targetId);
    this.candidates = targets.map((target, at) => ({
      index: firstIndex + at,
      place: new Place(target, memory, laws),
      entry: this,
    }));
    this.#retry = targets.length > 1 ? withoutLimited(retry) : retry;
    const { overrideParams: params, headersOverride: headers } = written;
    this.#overrides = params === undefined && headers === undefined ? undefined : { params, headers };
    this.#fallbackStatuses = written.fallbackStatuses ? new Set(written.fallbackStatuses) : DEFAULT_FALLBACK_STATUSES;
    this.#condition = written.condition === undefined ? undefined : conditionOf(written.condition);
    this.#metadata = Object.entries(written.metadataMatch ?? {});
  }

  get place(): Place {
    return this.candidates[0]!.place;
  }

  availability(now: number): Availability {
    const { candidates } = this;
    if (candidates.length === 1) return candidates[0]!.place.availability(now);
    let best: Availability = 'out';
    for (const { place } of candidates) {
      const each = place.availability(now);
      if (each === 'open') return each;
      if (each === 'probe') best = each;
    }
    return best;
  }

  /** The next credential in turn of those with this availability and without a flag; undefined: there is none. */
  candidate(availability: Availability, now: number, flags: Uint8Array | undefined): Candidate | undefined {
    const { candidates } = this;
    const { length } = candidates;
    if (length > 1) this.#turn = (this.#turn + 1) % length;
    for (let offset = 0; offset < length; offset += 1) {
      const each = candidates[(this.#turn + offset) % length]!;
      if (!flags?.[each.index] && each.place.availability(now) === availability) return each;
    }
    return undefined;
  }

  /** Its `metadata_match` and its `condition` hold. */
  matches(context: Pick<PlanContext, 'metadata' | 'conditionValues'>): boolean {
    const { metadata } = context;
    for (const [key, value] of this.#metadata) {
      if (!Object.hasOwn(metadata, key) || metadata[key] !== value) return false;
    }
    return this.#condition?.(context.conditionValues()) ?? true;
  }

  step(candidate: Candidate, reason: string, observer: StepObserver, { waits, retry }: PlanContext): Step {
    if (waits !== NO_WAITS || retry !== undefined || observer !== candidate.place.observer('none'))
      return this.#make(candidate, reason, observer, waits, retry);
    const key = `${candidate.index} ${reason}`;
    let step = this.#steps.get(key);
    if (step === undefined || step.hedgeAfterMs !== this.hedgeAfterMs) {
      step = this.#make(candidate, reason, observer, waits, retry);
      this.#steps.set(key, step);
    }
    return step;
  }

  /** What its percentiles of now say. */
  refresh(now: number, hedgeAfter: number | undefined): void {
    const { latency } = this.place;
    const firstContent = latency?.percentile('first-content', 0.5, now);
    const perToken = latency?.percentile('per-token', 0.5, now);
    const { sla } = this.written;
    this.tooSlow =
      (firstContent ?? 0) > (sla?.firstTokenMs ?? Number.POSITIVE_INFINITY) ||
      (perToken ?? 0) > (sla?.perTokenMs ?? Number.POSITIVE_INFINITY);
    this.expectedMs = firstContent === undefined ? undefined : firstContent + TOKENS * (perToken ?? 0);
    this.#explain();
    // Were it below the true percentile, the cap would be spent before the slowest had their turn.
    this.hedgeAfterMs =
      hedgeAfter === undefined || hedgeAfter >= 1
        ? hedgeAfter
        : latency?.percentileBound('first-content', hedgeAfter, now);
  }

  /** In two digits: each is a step of its own, and a step is made once. */
  #explain(): void {
    const { expectedMs } = this;
    const reason = expectedMs === undefined ? 'latency unknown' : `latency ${Number(expectedMs.toPrecision(2))} ms`;
    if (reason === this.latencyReason) return;
    this.latencyReason = reason;
    this.#steps.clear();
  }

  /** The share falls with the square of the time: steady, and even a slow target is asked often enough to be known. */
  favourAgainst(fastestMs: number): void {
    const { expectedMs } = this;
    this.favour = expectedMs === undefined ? 1 : Math.max(1 / MAX_FAVOUR, (fastestMs / expectedMs) ** 2);
  }

  #make(
    { place }: Candidate,
    reason: string,
    observer: StepObserver,
    waits: PlanContext['waits'],
    retry: StepRetry | undefined,
  ): Step {
    return {
      target: place.target,
      overrides: this.#overrides,
      retry: retry ?? this.#retry,
      waits,
      hedgeAfterMs: this.hedgeAfterMs,
      fallbackStatuses: this.#fallbackStatuses,
      observer,
      reason,
      appliedJson: `{"routing":{${this.#description},"hops":[${hopJson(place.target.id, reason)}]}}`,
    };
  }
}

/** Found right when the manifest was read. */
function conditionOf(text: string): Condition {
  const compiled = compileCondition(text);
  if (typeof compiled === 'string') throw new Error(`condition \`${text}\`: ${compiled}`);
  return compiled;
}

/** Names of models need no escapes. */
export function hopJson(target: string, why: string, error?: string): string {
  const failed = error === undefined ? '' : `,"error":"${error}"`;
  return `{"target":"${target}","why":"${why}"${failed}}`;
}

function withoutLimited(retry: StepRetry): StepRetry {
  const statuses = new Set(retry.statuses ?? DEFAULT_RETRY_STATUSES);
  statuses.delete(LIMITED);
  return { ...retry, statuses };
}
