import type { GuardConfig, GuardrailRule, GuardrailSettings } from './guardrails/guardrails.ts';
import type { Identities } from './identities/identities.ts';
import type { McpServer } from './mcp/mcp-servers.ts';
import type { PackedKeys } from './packed-keys.ts';
import type { CacheRule } from './rules/caching.ts';
import type { BudgetRule, RateLimitRule } from './rules/counted-rules.ts';
import type {
  BodyLogging,
  DataAccessRule,
  DataRoute,
  LoggingRule,
  RequestLoggerHook,
  TracingProject,
} from './rules/request-log-rules.ts';
import type { FallbackRule, LoadBalancingRule, RetrySettings, VirtualModelGroup } from './rules/routing-settings.ts';
import type { MetadataRule } from './rules/rule-match.ts';
import type { OtelExportSettings } from './server/otel.ts';
import type { ServerSettings } from './server/server-settings.ts';

/**
 * A whole, valid configuration as plain data: what `load` makes, and what an exchange keeps until it ends. Times in milliseconds (0 = no limit), sizes in bytes.
 */
export interface Configuration {
  server: ServerSettings;
  /** Shared between threads, and never copied. */
  keys: PackedKeys;
  /** Provider accounts as their plug's schema returned them; `type` and `name` are common to all. */
  accounts: AccountManifest[];
  identities: Identities;
  /** gateway-metadata-config: what overrides the metadata header of a request, in order; later rules win. */
  metadataRules: MetadataRule[];
  /** One list per gateway-rate-limiting-config; in each the first rule that matches decides and counts. */
  rateLimits: RateLimitRule[][];
  budgets: BudgetRule[];
  /** provider-account/virtual-model. */
  virtualModels: VirtualModelGroup[];
  /** gateway-load-balancing-config: the first rule that matches a request says where it goes. */
  loadBalancing: LoadBalancingRule[];
  /** gateway-fallback-config: who is asked next, by the status that came; the first rule that matches. */
  fallbackRules: FallbackRule[];
  /** gateway-global-settings: retries of every model that says nothing of its own. */
  retrySettings?: RetrySettings | undefined;
  /** sluice/cache: the first rule that matches a request says what is cached of it. */
  cacheRules: CacheRule[];
  /** gateway-global-settings: model that makes vectors for the semantic cache; absent: there is none. */
  semanticCacheModel?: string | undefined;
  mcpServers: McpServer[];
  /** provider-account/guardrail-config-group: guards by name. */
  guards: GuardConfig[];
  /** gateway-guardrails-config: all rules that match a request apply. */
  guardrailRules: GuardrailRule[];
  guardrailSettings: GuardrailSettings;
  /** gateway-otel-config: each is one more receiver. */
  otel: OtelExportSettings[];
  /** gateway-global-settings: whether bodies of requests and answers are kept; absent: no. */
  bodyLogging?: BodyLogging | undefined;
  /** gateway-logging-config, in order. */
  loggingRules: LoggingRule[];
  /** gateway-data-routing-config: the first whose conditions hold; the last one has none. Empty: as the server says. */
  dataRoutes: DataRoute[];
  tracingProjects: TracingProject[];
  /** gateway-data-access-config: what any of them opens may be seen. */
  dataAccess: DataAccessRule[];
  /** gateway-request-logger: each gets every exchange whose bodies are kept. */
  requestLoggers: RequestLoggerHook[];
}

/** What crosses to threads that check no key: ten thousand keys are not copied for them. */
export type KeylessConfiguration = Omit<Configuration, 'keys'>;

export interface AccountManifest {
  type: string;
  name: string;
  [key: string]: unknown;
}
