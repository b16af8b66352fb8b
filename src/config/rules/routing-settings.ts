import type { ModelTypeName } from '../account-schema.ts';
import type { RuleMatch } from './rule-match.ts';

/** Virtual models of one manifest. Access to them is declared as for accounts. */
export interface VirtualModelGroup {
  name: string;
  collaborators?: { subject: string; role_id: string }[] | undefined;
  integrations: VirtualModel[];
}

/** One name before several models. */
export interface VirtualModel {
  /** Canonical: `<group>/<name>`. */
  name: string;
  /** A further name. */
  slug?: string | undefined;
  modelTypes: ModelTypeName[];
  routing: RoutingSettings;
}

export interface RoutingSettings {
  strategy: RoutingStrategy;
  targets: RouteTarget[];
  sticky?: { ttlMs: number; identifiers: SessionIdentifier[] } | undefined;
  hedge?: HedgeSettings | undefined;
  canary?: CanarySettings | undefined;
  shadow?: ShadowSettings | undefined;
  /** The classifier of complexity-based routing; absent: signs in the request tell its tier. */
  classifier?: ClassifierSettings | undefined;
}

/** A model that is asked how hard a request is, before its target is chosen. */
export interface ClassifierSettings {
  /** Canonical name of a model of an account. */
  model: string;
  /** It is not waited for any longer. */
  timeoutMs: number;
  /** Questions under way in each relay thread; beyond it signs in the request tell. */
  maxConcurrent: number;
  /** What it is told first; absent: the words of the gateway. */
  instructions?: string | undefined;
  overrideParams?: Record<string, unknown> | undefined;
}

/** A new target for some callers, always the same ones. */
export interface CanarySettings {
  /** The share of callers, who are told apart by their subjects. */
  sharePercent: number;
  target: RouteTarget;
}

/** A second target that gets copies of requests, whose answers are only recorded. */
export interface ShadowSettings {
  target: string;
  sharePercent: number;
  /** Copies under way in each relay thread; none is made beyond it. */
  maxConcurrent: number;
  /** Limits and budgets of who asked hold for the copy, and pay for it. */
  chargesCaller: boolean;
}

export type RoutingStrategy = 'weight' | 'latency' | 'priority' | 'complexity';

export type ComplexityTier = 'simple' | 'medium' | 'complex';

export interface SessionIdentifier {
  source: 'headers' | 'metadata';
  /** The name of a header in lower case. */
  key: string;
}

/** A second attempt beside a slow first. */
export interface HedgeSettings {
  /** Milliseconds without content, or what most answers of that target take at the most. */
  after: number | 'p50' | 'p75' | 'p90' | 'p95' | 'p99';
  /** Percent of requests that may have one. */
  maxRatePercent: number;
}

export interface RouteTarget {
  /** Canonical name of a model. */
  target: string;
  /** Relative; of no other strategy. */
  weight?: number | undefined;
  /** 0 is the highest. */
  priority?: number | undefined;
  tier?: ComplexityTier | undefined;
  /** What it may take; a target that takes longer is asked last. */
  sla?: { perTokenMs?: number | undefined; firstTokenMs?: number | undefined } | undefined;
  retry?: RetrySettings | undefined;
  /** Statuses of its provider after which the next target is asked; absent: the default ones. */
  fallbackStatuses?: number[] | undefined;
  /** Whether it may be asked after another failed. */
  fallbackCandidate: boolean;
  overrideParams?: Record<string, unknown> | undefined;
  /** Names in lower case. */
  headersOverride?: { remove: string[]; set: Record<string, string> } | undefined;
  /** All of these must be in the metadata of the request. */
  metadataMatch?: Record<string, string> | undefined;
  /** In CEL, found right: rules/target-condition.ts. */
  condition?: string | undefined;
}

/** Further tries of one target. */
export interface RetrySettings {
  maxRetries: number;
  /** Before the first of them; it doubles with each. Absent: 100. */
  delayMs?: number | undefined;
  /** Statuses of the provider that are tried again; absent: the default ones. */
  statuses?: number[] | undefined;
}

export interface LoadBalancingRule {
  id: string;
  match: RuleMatch;
  routing: RoutingSettings;
}

export interface FallbackRule {
  id: string;
  match: RuleMatch;
  statuses: number[];
  targets: { target: string; overrideParams?: Record<string, unknown> | undefined }[];
}
