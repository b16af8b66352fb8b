import type {
  ClassifierSettings,
  HedgeSettings,
  RetrySettings,
  RouteTarget,
  RoutingSettings,
  RoutingStrategy,
} from '../config/rules/routing-settings.ts';
import type { RoutingLimits } from '../config/server/routing.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { ModelType } from '../inference/operation.ts';
import type { Target } from '../providers/provider.ts';
import { BalancedPlan, type PlannedRoute } from './balanced-plan.ts';
import { HedgeCap } from './hedge-cap.ts';
import type { HealthMemory } from './place.ts';
import { DEFAULT_DELAY_MS, DEFAULT_RETRY_STATUSES } from './retry-policy.ts';
import { RouteEntry } from './route-entry.ts';
import type { PlanContext, Route, RoutePlan, StepRetry } from './route-plan.ts';

/** How often percentiles are read again. */
const REFRESH_MS = 500;
const DEFAULT_RETRY: RetrySettings = { maxRetries: 2 };
const HEDGE_SHARES = { p50: 0.5, p75: 0.75, p90: 0.9, p95: 0.95, p99: 0.99 } as const;

export interface BalancedRouteOptions {
  /** What rules, labels and records call it. */
  readonly model: string;
  readonly slug?: string | undefined;
  readonly modelTypes?: readonly ModelType[] | undefined;
  readonly isVirtual?: boolean;
  /** The id of a rule. */
  readonly rule?: string | undefined;
  readonly routing: RoutingSettings;
  /** Asked when none of those is left, in this order. */
  readonly tail?: readonly RouteTarget[];
  /** Retries of targets that say nothing of their own. */
  readonly retry?: RetrySettings | undefined;
  /** A model with each credential of its account; empty: there is none. */
  targetsOf(name: string): readonly Target[];
  readonly memory: HealthMemory;
  readonly laws: RoutingLimits;
}

/** One name before several targets: compiled once, and what is known of its targets is read now and then. */
export class BalancedRoute implements Route, PlannedRoute {
  readonly model: string;
  readonly slug: string | undefined;
  readonly modelTypes: readonly ModelType[] | undefined;
  readonly isVirtual: boolean;
  readonly targets: readonly Target[];
  readonly strategy: RoutingStrategy;
  readonly sticky: RoutingSettings['sticky'];
  readonly shadow: RoutingSettings['shadow'];
  readonly classifier: ClassifierSettings | undefined;
  readonly entries: readonly RouteEntry[];
  readonly description: string;
  readonly hedgeCap: HedgeCap | undefined;
  readonly memory: HealthMemory;
  readonly #hedgeAfter: number | undefined;
  #refreshedAt: number | undefined;

  constructor(options: BalancedRouteOptions) {
    const { model, slug, modelTypes, isVirtual = false, rule, routing } = options;
    const { tail = [], retry, targetsOf, memory, laws } = options;
    this.model = model;
    this.slug = slug;
    this.modelTypes = modelTypes;
    this.isVirtual = isVirtual;
    this.strategy = routing.strategy;
    this.sticky = routing.sticky;
    this.shadow = routing.shadow;
    this.classifier = routing.classifier;
    this.memory = memory;
    this.#hedgeAfter = hedgeAfter(routing.hedge);
    this.hedgeCap = routing.hedge && new HedgeCap(model, routing.hedge.maxRatePercent, memory);
    const named = { model, ...(rule !== undefined && { rule }), type: `${routing.strategy}-based-routing` };
    const description = JSON.stringify(named).slice(1, -1);
    this.description = description;
    const entries: RouteEntry[] = [];
    let firstIndex = 0;
    const { canary } = routing;
    for (const [at, written] of [...routing.targets, ...tail, ...(canary ? [canary.target] : [])].entries()) {
      const targets = targetsOf(written.target);
      if (targets.length === 0) continue;
      const canaryPercent = written === canary?.target ? canary.sharePercent : undefined;
      const order =
        at < routing.targets.length || canaryPercent !== undefined ? undefined : at - routing.targets.length;
      const retries = stepRetry(written.retry ?? retry ?? DEFAULT_RETRY);
      entries.push(
        new RouteEntry({
          written,
          targets,
          firstIndex,
          tail: order,
          canaryPercent,
          retry: retries,
          description,
          memory,
          laws,
        }),
      );
      firstIndex += targets.length;
    }
    this.entries = entries;
    this.targets = entries.flatMap(({ candidates }) => candidates.map(({ place }) => place.target));
  }

  get changes(): string {
    return JSON.stringify(
      this.entries.map(({ targetId, written: { overrideParams, headersOverride } }) => [
        targetId,
        overrideParams,
        headersOverride,
      ]),
    );
  }

  mayAsk(targetId: string, context: PlanContext): boolean {
    return this.entries.some((entry) => entry.targetId === targetId && entry.matches(context));
  }

  needsComplexity(context: PlanContext): boolean {
    if (this.strategy !== 'complexity') return false;
    const tiers = this.entries
      .filter(({ written, place }) => written.tier !== undefined && context.canAsk(place.target))
      .filter((entry) => entry.matches(context))
      .map(({ written }) => written.tier);
    return new Set(tiers).size > 1;
  }

  plan(context: PlanContext): OrError<RoutePlan> {
    const now = this.memory.now();
    this.#refresh(now);
    const plan = new BalancedPlan(this, context, now);
    if (!plan.isPossible) return noTarget(this, context);
    this.hedgeCap?.asked();
    return plan;
  }

  #refresh(now: number): void {
    if (this.#refreshedAt !== undefined && ((now - this.#refreshedAt) | 0) < REFRESH_MS) return;
    this.#refreshedAt = now;
    let fastestMs = Number.POSITIVE_INFINITY;
    for (const entry of this.entries) {
      entry.refresh(now, this.#hedgeAfter);
      fastestMs = Math.min(fastestMs, entry.expectedMs ?? Number.POSITIVE_INFINITY);
    }
    for (const entry of this.entries) entry.favourAgainst(fastestMs);
  }
}

/** At least 1: milliseconds; below: a share of the answers. */
function hedgeAfter(hedge: HedgeSettings | undefined): number | undefined {
  if (hedge === undefined) return undefined;
  return typeof hedge.after === 'number' ? hedge.after : HEDGE_SHARES[hedge.after];
}

export function stepRetry({ maxRetries, delayMs, statuses }: RetrySettings): StepRetry {
  return {
    maxRetries,
    delayMs: delayMs ?? DEFAULT_DELAY_MS,
    statuses: statuses ? new Set(statuses) : DEFAULT_RETRY_STATUSES,
  };
}

function noTarget({ entries, model }: BalancedRoute, context: PlanContext): GatewayError {
  const why = entries.map((entry) => {
    if (!entry.matches(context)) return `\`${entry.targetId}\` is for requests of other metadata or another condition`;
    return context.canAsk(entry.place.target)
      ? `\`${entry.targetId}\` is no candidate`
      : `\`${entry.targetId}\` may not be used, or does not serve this endpoint`;
  });
  const detail = why.length > 0 ? `${why.join('; ')}.` : undefined;
  return new GatewayError('no_target', { param: 'model', target: model, detail });
}
