import type { ProviderWords } from '../core/errors.ts';
import type { ModelTypeName } from './account-schema.ts';
import type { GuardConfig, GuardrailRule, GuardrailSettings } from './guardrails/guardrails.ts';
import type { McpServer, McpSettings } from './mcp/mcp-servers.ts';
import type { PriceList } from './price-list.ts';

/**
 * A whole, valid configuration as plain data: what `load` makes, and what an exchange keeps until it ends. Times in milliseconds (0 = no limit), sizes in bytes.
 */
export interface Configuration {
  server: ServerSettings;
  keys: ConfiguredKey[];
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

/** `header`: as `x-tfy-logging-config` of the request says, and `byDefault` where it says nothing. */
export type BodyLogging = { mode: 'always' } | { mode: 'never' } | { mode: 'header'; byDefault: boolean };

export interface LoggingRule {
  id: string;
  /** Absent: everybody. */
  subjects?: string[];
  /** As written: its last part is the name of a tracing project. */
  project?: string | undefined;
  /** Stands over the settings; `false` over `true`. */
  bodies?: boolean | undefined;
  redact: Redaction[];
}

/** A pattern of RE2 (rules/linear-pattern.ts), and what stands in the place of what it finds. */
export interface Redaction {
  pattern: string;
  replacement: string;
  /** Absent: none is known. */
  hint?: string | undefined;
}

export interface DataRoute {
  /** All must hold. */
  when: DataCondition[];
  /** Bodies go into the store of the gateway; else none are kept. */
  isOurs: boolean;
  retentionDays?: number | undefined;
}

/** One of the values, of that key of the metadata; without a key, of who asked. */
export interface DataCondition {
  key: string | undefined;
  values: string[];
}

export interface TracingProject {
  name: string;
  isOurs: boolean;
  retentionDays?: number | undefined;
}

export type DataKind = 'traces' | 'metrics';

export interface DataAccessRule {
  subjects: string[];
  dataKinds: DataKind[];
  scope: 'own' | 'team' | 'all';
  /** Of the scope `all`: all must hold. */
  filters: DataCondition[];
}

/** Holds a secret: never logged. */
export interface RequestLoggerHook {
  /** `account/integration`. */
  name: string;
  url: string;
  /** Value of the header `authorization`; absent: none is sent. */
  authorization?: string | undefined;
}

/** What holds for all kept bodies. */
export interface RequestLogSettings {
  /** Of a request, and of an answer: what is longer is cut there. */
  maxBodyBytes: number;
  retentionDays: number;
  /** `blobs`: in the blob store, with a row of the database for each exchange. */
  store: 'database' | 'blobs';
  /** Of bodies that wait to be kept, over all threads; what does not fit is dropped and counted. */
  maxQueuedBytes: number;
  /** Of exchanges that wait for one webhook; further ones are dropped and counted. */
  maxQueuedHooks: number;
  redact: Redaction[];
}

/** One manifest of what is sent where by OTLP. */
export interface OtelExportSettings {
  traces?: OtelTracesExport;
  metrics?: OtlpEndpoint;
}

export interface OtelTracesExport {
  endpoint: OtlpEndpoint;
  resourceAttributes: Record<string, string>;
  /** All must hold for one of the spans of an exchange; empty: every exchange is exported. */
  when: { key: string; values: string[] }[];
}

export interface OtlpEndpoint {
  protocol: 'http' | 'grpc';
  url: string;
  encoding: 'proto' | 'json';
  /** Flat name-value pairs; they may hold keys. */
  headers: string[];
}

/** Names of attributes by which back ends know calls of models. */
export type SpanNames = 'genai' | 'openinference' | 'both';

/** What holds for all receivers. */
export interface OtelSettings {
  /** Share of the exchanges that nothing else keeps, 0 to 1. */
  sampleRatio: number;
  keepSlowerThanMs?: number;
  keepCostlierThanUsd?: number;
  names: SpanNames;
  maxQueuedSpans: number;
  timeoutMs: number;
  metricsIntervalMs: number;
}

/**
 * The keys of a configuration as all threads share them (packed-keys.ts): nothing is copied when they are handed on, and a
 * key is read when it is first presented. To deserialize 10,000 keys and index them takes a thread 10 to 18 ms.
 * Layout: sorted SHA-256 digests, 32 bytes each · where each key's JSON ends, uint32 · the JSON, UTF-8.
 */
export interface PackedKeys {
  readonly count: number;
  readonly bytes: SharedArrayBuffer;
}

/** What crosses to other threads: its keys are shared, everything else is copied. */
export interface ThreadConfiguration extends Omit<Configuration, 'keys'> {
  keys: PackedKeys;
}

/** Users, teams and virtual accounts, and the issuers that may vouch for them. */
export interface Identities {
  users: UserIdentity[];
  teams: TeamIdentity[];
  virtualAccounts: VirtualAccountIdentity[];
  identityProviders: IdentityProvider[];
  /** role-binding and the permissions of virtual accounts, as far as they are about provider accounts. */
  grants: AccountGrant[];
}

export interface UserIdentity {
  email: string;
  /** Of its metadata. */
  tags: Record<string, string>;
  identities: ProviderIdentity[];
}

export interface TeamIdentity {
  name: string;
  /** E-mails of members and managers. */
  members: string[];
  tags: Record<string, string>;
  identities: ProviderIdentity[];
}

export interface VirtualAccountIdentity {
  name: string;
  /** Milliseconds since the Unix epoch: the end of the day that is written. */
  expiresAtMs?: number;
  team?: string;
  tags: Record<string, string>;
  identities: ProviderIdentity[];
  autoRotate?: { intervalMs: number; graceMs: number };
  tokenType?: 'jwt' | 'opaque';
  notificationTarget?: NotificationTarget;
}

/** `identity_provider_mapping`: the claim value of that provider which stands for this identity. */
export interface ProviderIdentity {
  provider: string;
  value: string;
}

/** May use (or manage) an account or one model of it. */
export interface AccountGrant {
  subject: string;
  account: string;
  /** Absent: all of the account. */
  integration?: string;
}

/** An issuer of JWTs that are accepted as keys (`sluice/identity-provider`; `integration/jwt-auth/custom`). */
export interface IdentityProvider {
  name: string;
  issuer: string;
  jwksUri: string;
  /** Empty: not checked. */
  audiences: string[];
  algorithms: JwtAlgorithm[];
  /** Dotted paths into the claims. */
  subjectClaim: string;
  subjectKind: 'user' | 'virtualaccount';
  teamsClaim?: string;
  /** Empty: all whom it vouches for; else subjects (`user:…`, `team:…`, `virtualaccount:…`). */
  authorizedSubjects: string[];
}

/** What may be on the list; never `none`, never a symmetric one. */
export type JwtAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

export interface MetadataRule {
  id: string;
  /** Absent: everybody. */
  subjects?: string[];
  override: Record<string, string>;
}

/** All that is given must hold. Patterns may hold `*`. */
export interface RuleMatch {
  /** `user:…`, `team:…`, `virtualaccount:…`; `team:everyone` and `*` are everybody. */
  subjects?: InNotIn;
  /** Budgets v2 ask for kinds apart: e-mails, team names, virtual account names. */
  users?: InNotIn;
  teams?: InNotIn;
  virtualAccounts?: InNotIn;
  /** Canonical model names. */
  models?: InNotIn;
  metadata?: Record<string, InNotIn>;
}

export interface InNotIn {
  in?: string[];
  notIn?: string[];
}

/** What a rule counts apart: one count for each user, model, … or `metadata.<key>`. */
export type GroupKey = 'user' | 'virtualaccount' | 'model' | `metadata.${string}`;

export interface RateLimitRule {
  id: string;
  match: RuleMatch;
  counts: 'requests' | 'tokens' | 'cost' | 'concurrent';
  /** As written: `requests_per_minute`. */
  unit: string;
  /** Length of the sliding window; 0 for `concurrent`. */
  windowMs: number;
  /** Requests, tokens, integer nano-dollars, or open requests. */
  limit: number;
  appliesPer: GroupKey[];
}

export type BudgetPeriod = 'day' | 'week' | 'month' | 'quarter';

export interface BudgetLimit {
  /** As written: `cost_per_day`. */
  unit: string;
  counts: 'cost' | 'tokens';
  period: BudgetPeriod;
  /** Integer nano-dollars or tokens. */
  amount: number;
}

/** v1 rules and v2 manifests in one form. */
export interface BudgetRule {
  /** Of the rule, or the name of the manifest: unique over all budgets. */
  id: string;
  /** v1: place of its manifest, among whose rules the first match decides; undefined (v2): it decides for itself. */
  list?: number;
  match: RuleMatch;
  limits: BudgetLimit[];
  appliesPer: GroupKey[];
  /** Other limits for single values of the group; an empty list of limits there means: none. */
  overrides: { values: string[]; limits: BudgetLimit[] }[];
  /** `cut` enforces, and ends a stream that is under way when the budget ends. */
  mode: 'enforce' | 'audit' | 'downgrade' | 'cut';
  /** Of `downgrade`: the model that is asked instead. */
  downgradeTo?: string;
  alerts?: BudgetAlerts;
}

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
  /** Of complexity-based routing; absent: signs in the request tell its tier. */
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
  /** Of callers, by their subjects. */
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
  /** Of a header in lower case. */
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

export interface BudgetAlerts {
  /** Percent of the limit, ascending. */
  thresholds: number[];
  sendTo: 'shared' | 'breaching-user';
  targets: NotificationTarget[];
}

/** With its channel put in: where a message goes. Holds secrets: never logged. */
export type NotificationTarget =
  | { type: 'email'; smtp: SmtpServer; from: string; to: string[] }
  | { type: 'slack-webhook' | 'ms-teams-webhook' | 'webhook'; url: string; headers?: Record<string, string> }
  | { type: 'slack-bot'; botToken: string; channels: string[] }
  | { type: 'pagerduty'; integrationKey: string; url: string };

export interface SmtpServer {
  host: string;
  port: number;
  tls: boolean;
  username?: string;
  password?: string;
}

/** PEM files. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
}

export interface ServerSettings {
  listen: {
    host: string;
    port: number;
    tls?: TlsFiles;
    /** Addresses and networks whose `x-forwarded-for` is believed. */
    trustedProxies: string[];
    /** No connection of a client is used for a second request. */
    closeAfterAnswer: boolean;
  };
  operator: { host: string; port: number; tls?: TlsFiles; adminKey?: string };
  /** Relay threads. `auto` was resolved to a number by load. */
  threads: number;
  dataDir: string;
  store: { database: string; counters: string; blobs: string; cache: string };
  limits: Limits;
  timeouts: Timeouts;
  upstream: UpstreamSettings;
  media: MediaSettings;
  /** Absent: list prices are those of the price library. */
  prices?: PriceSettings;
  log: { level: 'debug' | 'info' | 'warn' | 'error'; access: 'all' | 'errors' | 'off'; providerWords: ProviderWords };
  keepaliveCommentMs: number;
  demo: 'auto' | boolean;
  /** One more try where a reused connection turned out dead before any byte of an answer; it may bill twice. */
  retryReusedConnection: boolean;
  /** Absent: no CORS headers, OPTIONS is 405. */
  cors?: { allowedOrigins: string[]; maxAgeSeconds: number };
  counters: CounterSettings;
  files: { sharedWith: 'nobody' | 'team' };
  /** `maxConcurrency`: lines at once, over all threads; 0: none are run. */
  batches: { maxConcurrency: number; maxAttempts: number };
  responses: ResponseSettings;
  cache: CacheLimits;
  ledger: LedgerSettings;
  /** Keys of request metadata that become labels of metrics. */
  metrics: { metadataKeys: string[] };
  routing: RoutingLimits;
  mcp: McpSettings;
  console: ConsoleSettings;
  otel: OtelSettings;
  requestLog: RequestLogSettings;
  /** Name of this gateway in a cluster: its hash chain, its share of reservations. Made and kept in data_dir by default. */
  gatewayId?: string;
}

/** What somebody may do in the console. */
export type ConsoleRole = 'viewer' | 'operator' | 'admin';

/** Sign-in to the console. Holds a secret: never logged. */
export interface ConsoleSettings {
  enabled: boolean;
  /** An origin: where browsers reach the operator port. */
  publicUrl?: string;
  sessionMs: number;
  idleMs: number;
  /** The highest that matches counts. */
  roles: { subjects: string[]; role: ConsoleRole }[];
  oidc?: ConsoleOidc;
}

export interface ConsoleOidc {
  /** Name of an identity provider. */
  provider: string;
  clientId: string;
  clientSecret?: string;
  scopes: string[];
}

/** When targets of virtual models are out, and how often a target is tried again. */
export interface RoutingLimits {
  /** Failures one after another that take a target out. */
  consecutiveFailures: number;
  /** Share of failures among the requests of a window, of which there must be so many, that does. */
  failurePercent: number;
  minRequests: number;
  windowMs: number;
  /** The first time; twice as long each time it fails again, and never longer than `maxOutMs`. */
  outMs: number;
  maxOutMs: number;
  /** How long a target that came back gets less than its share. */
  slowStartMs: number;
  /** Retries of the same target, as percent of its requests in ten seconds; ten are always allowed. */
  retryBudgetPercent: number;
  /** How often gateways that share Redis tell each other what is out; 0: never. */
  shareMs: number;
  /** How often targets whose time of being out is over are asked, besides requests; 0: never. */
  probeIntervalMs: number;
  probeTimeoutMs: number;
  /** At once. */
  maxProbes: number;
}

/** How providers are reached. Holds the password of a proxy: never logged. */
export interface UpstreamSettings {
  /** Addresses of HTTP proxies, by the scheme of what is reached through them; an account may name another. */
  proxies: { http?: string; https?: string };
  /** Hosts that are reached without them, as in NO_PROXY. */
  noProxy: string[];
  /** PEM certificates of authorities that are trusted besides the public ones. */
  ca?: string;
}

/** Images and files that a request names by address, fetched for providers that take bytes alone. */
export interface MediaSettings {
  /** Of one request; 0: nothing is fetched. */
  maxFiles: number;
  /** Of all files of one request together. */
  maxBytes: number;
  /** For all files of one request together. */
  timeoutMs: number;
  /** Requests per relay thread. */
  maxConcurrent: number;
  /** Asked although their addresses are not public. */
  privateHosts: string[];
}

/** Where list prices come from that stand before those of the price library. */
export interface PriceSettings {
  /** Of a file, read; of an address, what was fetched last, if anything was. */
  list?: PriceList;
  url?: string;
  publicKey?: string;
  refreshMs: number;
}

/** Bounds of cached answers. */
export interface CacheLimits {
  /** Over all threads; 0: nothing is cached. */
  maxBytes: number;
  maxEntryBytes: number;
  /** Of one question to Redis. */
  timeoutMs: number;
  semantic: SemanticCacheLimits;
}

/** Bounds of what makes answers of like questions hits. */
export interface SemanticCacheLimits {
  /** Vectors in memory, over all threads. */
  maxEntries: number;
  /** Of the vectors in memory. */
  maxBytes: number;
  /** Vectors in Redis of requests that differ in their last text alone. */
  maxRedisEntries: number;
  /** How long a vector is waited for. */
  embeddingTimeoutMs: number;
  /** Vectors that one thread asks for at the same time. */
  maxConcurrentEmbeddings: number;
  /** Of a conversation, system prompts apart; a longer one gets the answers of equal requests alone. */
  maxMessages: number;
  /** Of the last text. */
  maxTextBytes: number;
}

/** How answers are cached, as a rule or a client says. */
export interface CacheSettings {
  /** `semantic`: the answers of questions that are like one, beside those of equal requests. */
  type: 'exact-match' | 'semantic';
  /** Cosine from which on two questions are alike. */
  similarityThreshold: number;
  /** Nothing is served: it is recorded what would have been. */
  shadow: boolean;
  ttlMs: number;
  namespace: string;
}

export interface CacheRule {
  id: string;
  match: RuleMatch;
  /** Undefined: nothing is cached, whatever the client asks. */
  cache: RuledCache | undefined;
}

export interface RuledCache extends CacheSettings {
  /** Who gets the answers of one principal beside it; `team`: those whose first team is the same. */
  sharedWith: 'nobody' | 'team' | 'everyone';
  /** Streams come as fast as they are taken, or at the pace of the original. */
  replay: 'at-once' | 'paced';
}

/** How limits and budgets are counted where `store.counters` is Redis; `memory` is exact on one machine by itself. */
export interface CounterSettings {
  /** `strict` asks Redis before each request; `leased` spends shares taken in advance. */
  agreement: 'strict' | 'leased';
  /** Of a limit, at most this part is leased to one gateway at a time: the bound of overshoot is gateways × this. */
  leasePercent: number;
  /** A Redis that does not answer in time counts as away. */
  timeoutMs: number;
  /** Redis is away: count on this machine alone, refuse everything, or let everything through. */
  whenAway: 'local' | 'closed' | 'open';
  /** Counts of rate limits and budgets kept in shared memory; further groups of a rule share one count. */
  maxCells: number;
}

export interface LedgerSettings {
  enabled: boolean;
  /**
   * `strict`: the record is in the journal before the last byte of the answer goes out, and with `disk` on the disk; else it
   * is in the journal at most 10 ms after.
   */
  sync: 'batched' | 'strict' | 'disk';
  /** Where a record could find no room: refuse new exchanges, or serve them and count the records that are lost. */
  whenFull: 'refuse' | 'serve';
  /** Rows; 0: kept for ever. */
  retentionDays: number;
  hourlyRetentionDays: number;
  /** Entries of the audit log; 0: kept for ever. */
  auditRetentionDays: number;
  /** Keys of request metadata that are kept in rows and rollups. */
  metadataKeys: string[];
  /** Journal files that wait for the database; beyond it the oldest records of usage would be lost, so new requests are refused. */
  maxJournalBytes: number;
}

export interface Limits {
  /** One request body. */
  maxBodyBytes: number;
  /** All request bodies held at once, over all threads. */
  maxFileBytes: number;
  maxBodyMemoryBytes: number;
  maxHeaderBytes: number;
  /** Exchanges open at once, over all threads. */
  maxInFlight: number;
  /** Bytes of an answer that may wait for a slow client before its provider is paused. Resumed at a quarter of it. */
  highWatermarkBytes: number;
  /** Connections per origin and credential, in each relay thread. */
  maxUpstreamConnections: number;
  /** Exchanges waiting for one of those. */
  maxUpstreamQueue: number;
  /** What a translation may hold: a whole unstreamed answer, or one event of a stream. */
  maxTranslateBytes: number;
  /** Of a stream that is passed through: a longer event is passed on in pieces. */
  maxEventBytes: number;
}

/** Answers that callers may go on from. */
export interface ResponseSettings {
  /** False: none is kept. */
  keep: boolean;
  keepMs: number;
  /** Of one turn: what was asked and answered. A larger one is not kept. */
  maxBytes: number;
  /** Of one answer in the background: its events. */
  maxEventBytes: number;
}

export interface Timeouts {
  bodyMs: number;
  uploadMs: number;
  connectMs: number;
  firstByteMs: number;
  idleMs: number;
  totalMs: number;
  writeMs: number;
  drainMs: number;
  /** How long a client's connection may rest between two requests. */
  keepAliveMs: number;
}

export interface ConfiguredKey {
  name: string;
  /** Hex SHA-256 of the key; a literal key is hashed by load and forgotten. */
  keySha256: string;
  subject: string;
  teams: string[];
  /** Model patterns with `*`; absent: all models. */
  models?: string[];
  metadata: Record<string, string>;
}

export interface AccountManifest {
  type: string;
  name: string;
  [key: string]: unknown;
}
