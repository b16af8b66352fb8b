import type { ComplexityTier, RoutingSettings, RoutingStrategy } from '../config/rules/routing-settings.ts';
import type { Blamed } from './blame.ts';
import type { HedgeCap } from './hedge-cap.ts';
import type { Candidate, RouteEntry } from './route-entry.ts';
import type { Complexity, PlanContext, RoutePlan, Step } from './route-plan.ts';
import { belonging, hashOf, isAmong, sessionOf } from './session.ts';

/** Not asked in this exchange again, or at all. */
const PASSED = 1;
/** Somebody else probes it: not now. */
const BUSY = 2;

/** Before every priority. */
const CANARY_RANK = -1;
const LATER_RANK = 1_000_000_000;
const SLOW_RANK = 100_000_000;
const GROWING_RANK = 10_000_000;

const TIER_NUMBER = { simple: 0, medium: 1, complex: 2 } as const satisfies Record<ComplexityTier, number>;

/** The route that a plan is made of. */
export interface PlannedRoute {
  readonly strategy: RoutingStrategy;
  readonly sticky: RoutingSettings['sticky'];
  readonly entries: readonly RouteEntry[];
  /** How many candidates its entries have. */
  readonly targets: { readonly length: number };
  readonly description: string;
  readonly hedgeCap: HedgeCap | undefined;
  readonly memory: { now(): number };
}

/**
 * The way of one exchange through the targets of a route. Each step is chosen when it is about to begin, by the health of
 * that moment. A target that is out is asked by a probe alone; where nothing else is left the probe may come early, and
 * where all are out the least bad is asked.
 */
export class BalancedPlan implements RoutePlan {
  readonly #route: PlannedRoute;
  readonly #context: PlanContext;
  readonly #session: number | undefined;
  readonly #steps: Step[] = [];
  /** By candidate; made with the first that is passed over. */
  #flags: Uint8Array | undefined;
  #latest: Candidate | undefined;
  #complexity: Complexity | undefined;
  /** The next step begins beside the latest, which has not failed. */
  #hedges = false;

  constructor(route: PlannedRoute, context: PlanContext, now: number) {
    this.#route = route;
    this.#context = context;
    this.#session = route.sticky && sessionOf(route.sticky.identifiers, context);
    this.#choose(now);
  }

  get isPossible(): boolean {
    return this.#steps.length > 0;
  }

  get first(): Step {
    return this.#steps[0]!;
  }

  get description(): string {
    return this.#route.description;
  }

  mayHedge(): boolean {
    this.#hedges = this.#route.hedgeCap?.take() ?? false;
    return this.#hedges;
  }

  notHedged(): void {
    this.#route.hedgeCap?.giveBack();
  }

  step(index: number, blame?: Blamed): Step | undefined {
    if (index < this.#steps.length) return this.#steps[index];
    const latest = this.#latest!;
    // The latest has not failed where nothing can be asked beside it: its other credentials are still to be asked then.
    const before = this.#hedges ? this.#flags?.slice() : undefined;
    // Another credential of the same target may still be good.
    const alone = blame === 'credential' || blame === 'limited';
    for (const { index: each } of alone ? [latest] : latest.entry.candidates) this.#flag(each, PASSED);
    this.#choose(this.#route.memory.now());
    if (this.#hedges && this.#steps[index] === undefined) this.#flags = before;
    this.#hedges = false;
    return this.#steps[index];
  }

  #choose(now: number): void {
    for (;;) {
      const entry = this.#pick(now);
      if (entry === undefined) break;
      if (this.#mayAsk(entry) && this.#take(entry, now)) return;
    }
    this.#lastResort(now);
  }

  /** The best entry of those that can be asked now. */
  #pick(now: number): RouteEntry | undefined {
    const { entries } = this.#route;
    const session = this.#session;
    let picked: RouteEntry | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    let total = 0;
    for (let at = 0; at < entries.length; at += 1) {
      const entry = entries[at]!;
      if (this.#isPassed(entry)) continue;
      const availability = entry.availability(now);
      if (availability === 'out') continue;
      const rank = this.#rank(entry, now);
      if (rank > bestRank) continue;
      if (rank < bestRank) {
        bestRank = rank;
        total = 0;
        picked = undefined;
      }
      const weight = this.#weight(entry, now);
      if (session !== undefined) {
        const strength = belonging(session, entry.hash, weight);
        if (strength <= total && picked !== undefined) continue;
        total = strength;
        picked = entry;
        continue;
      }
      // One pass: the share of each among those so far.
      total += weight;
      if (picked === undefined || Math.random() * total < weight) picked = entry;
    }
    return picked;
  }

  /** The lowest is asked; those of the same rank share. */
  #rank(entry: RouteEntry, now: number): number {
    const { written, tail, tooSlow, canaryPercent } = entry;
    if (canaryPercent !== undefined) return CANARY_RANK;
    if (tail !== undefined) return LATER_RANK + tail;
    switch (this.#route.strategy) {
      case 'priority': {
        const rank = (written.priority ?? 0) + (tooSlow ? SLOW_RANK : 0);
        const share = entry.place.share(now);
        return share < 1 && Math.random() >= share ? rank + GROWING_RANK : rank;
      }
      case 'weight':
        return written.weight === 0 ? 1 : 0;
      case 'complexity':
        return this.#tierRank(written.tier ?? 'medium');
      case 'latency':
        return 0;
    }
  }

  /** The tier itself, then harder ones, then easier ones. */
  #tierRank(tier: ComplexityTier): number {
    this.#complexity ??= this.#context.complexity();
    const above = TIER_NUMBER[tier] - TIER_NUMBER[this.#complexity.tier];
    return above >= 0 ? above : 2 - above;
  }

  #weight(entry: RouteEntry, now: number): number {
    const share = entry.place.share(now);
    switch (this.#route.strategy) {
      case 'weight':
        return (entry.written.weight || 1) * share;
      case 'latency':
        return entry.favour * share;
      default:
        return 1;
    }
  }

  #mayAsk(entry: RouteEntry): boolean {
    const context = this.#context;
    const isCandidate = this.#latest === undefined || entry.written.fallbackCandidate;
    const isFor = entry.canaryPercent === undefined || this.#isAmong(entry, entry.canaryPercent);
    if (isFor && isCandidate && entry.matches(context) && context.canAsk(entry.place.target)) return true;
    this.#pass(entry);
    return false;
  }

  /** By who asks and the target, so that two canaries are not for the same callers. */
  #isAmong({ hash }: RouteEntry, percent: number): boolean {
    return isAmong(hashOf(this.#context.subject) ^ hash, percent);
  }

  /** True: it is the next step. */
  #take(entry: RouteEntry, now: number): boolean {
    const open = entry.candidate('open', now, this.#flags);
    if (open !== undefined) {
      this.#add(open, this.#reason(entry), open.place.observer('none'));
      return true;
    }
    const due = entry.candidate('probe', now, this.#flags);
    const observer = due?.place.claim(now, 'due');
    if (due === undefined || observer === undefined) {
      for (const { index } of entry.candidates) this.#flag(index, BUSY);
      return false;
    }
    this.#add(due, 'probe', observer);
    return true;
  }

  #reason(entry: RouteEntry): string {
    if (this.#hedges) return 'hedge';
    if (this.#latest !== undefined) return this.#latest.entry === entry ? 'other-credential' : 'fallback';
    if (entry.canaryPercent !== undefined) return 'canary';
    if (this.#session !== undefined) return 'sticky';
    if (this.#route.strategy === 'latency') return entry.latencyReason;
    if (this.#complexity === undefined) return this.#route.strategy;
    const { tier, cause } = this.#complexity;
    return cause === 'signs' ? `complexity ${tier}` : `complexity ${tier} (${cause})`;
  }

  /** Nothing can be asked in the ordinary way: what would be back first is, where nobody else does so already. */
  #lastResort(now: number): void {
    const left = this.#route.entries
      .flatMap(({ candidates }) => candidates)
      .filter(({ index }) => this.#flags?.[index] !== PASSED)
      .sort((one, other) => one.place.waitMs(now) - other.place.waitMs(now));
    const asked = this.#latest !== undefined;
    let least: Candidate | undefined;
    for (const candidate of left) {
      if (!this.#mayAsk(candidate.entry)) continue;
      least ??= candidate;
      // A provider that said when to come again is not asked before.
      if (asked && candidate.place.isLimited(now)) continue;
      const observer = candidate.place.claim(now, 'early');
      if (observer === undefined) continue;
      this.#add(candidate, 'last-resort', observer);
      return;
    }
    if (least !== undefined && !asked) this.#add(least, 'all-out', least.place.observer('panic'));
  }

  #add(candidate: Candidate, reason: string, observer: NonNullable<Step['observer']>): void {
    this.#latest = candidate;
    this.#steps.push(candidate.entry.step(candidate, reason, observer, this.#context));
    // A busy target may be free when the next step is wanted.
    if (this.#flags !== undefined)
      for (let index = 0; index < this.#flags.length; index += 1)
        if (this.#flags[index] === BUSY) this.#flags[index] = 0;
  }

  #isPassed({ candidates }: RouteEntry): boolean {
    if (this.#flags === undefined) return false;
    for (const { index } of candidates) if (this.#flags[index] === 0) return false;
    return true;
  }

  #pass({ candidates }: RouteEntry): void {
    for (const { index } of candidates) this.#flag(index, PASSED);
  }

  #flag(index: number, flag: number): void {
    this.#flags ??= new Uint8Array(this.#route.targets.length);
    if (this.#flags[index] !== PASSED) this.#flags[index] = flag;
  }
}
