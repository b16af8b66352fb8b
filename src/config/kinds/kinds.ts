import { codeLoader } from '../../core/code-loader.ts';
import { gatewayGlobalSettings } from './gateway-global-settings.ts';
import type { ManifestKind } from './manifest-kind.ts';
import { sluiceIdentityProvider } from './sluice-identity-provider.ts';
import { sluiceServer } from './sluice-server.ts';

const load = codeLoader(import.meta.url);

interface KindRow<K> {
  readonly type: string;
  /** It adds to the configuration also where it has no manifest. */
  readonly always: boolean;
  /** Types whose manifests its check looks at as well, so that it is needed with them. */
  readonly checks: readonly string[];
  kind(): K;
  /** Undefined: nobody needed it so far. */
  readonly loaded: K | undefined;
}

function always<K extends ManifestKind>(kind: K): KindRow<K> {
  return { type: kind.type, always: true, checks: [], kind: () => kind, loaded: kind };
}

/** Its code is loaded for the first manifest of it: schemas of all kinds take 4 MB and a tenth of a second. */
function later<K>(type: string, made: () => K, checks: readonly string[] = []): KindRow<K> {
  let kind: K | undefined;
  return {
    type,
    always: false,
    checks,
    kind() {
      kind ??= made();
      return kind;
    },
    get loaded() {
      return kind;
    },
  };
}

type Keys = typeof import('./sluice-api-keys.ts');
type User = typeof import('./user.ts');
type Team = typeof import('./team.ts');
type VirtualAccount = typeof import('./virtual-account.ts');
type Roles = typeof import('./role-binding.ts');
type RateLimiting = typeof import('./gateway-rate-limiting-config.ts');
type Budgets = typeof import('./gateway-budget-config.ts');
type OwnBudgets = typeof import('./tenant-budget-config.ts');
type Metadata = typeof import('./gateway-metadata-config.ts');
type VirtualModel = typeof import('./virtual-model.ts');
type LoadBalancing = typeof import('./gateway-load-balancing-config.ts');
type Fallback = typeof import('./gateway-fallback-config.ts');
type Cache = typeof import('./sluice-cache.ts');
type Otel = typeof import('./gateway-otel-config.ts');
type RequestLog = typeof import('./request-log-kinds.ts');
type Channels = typeof import('./channel-accounts.ts');
type McpServers = typeof import('./mcp-servers.ts');
type McpGroup = typeof import('./mcp-server-group.ts');
type Guards = typeof import('./guardrail-config-group.ts');
type GuardRules = typeof import('./gateway-guardrails-config.ts');

const channels = (): Channels => load('./channel-accounts');
const mcpServers = (): McpServers => load('./mcp-servers');
const requestLog = (): RequestLog => load('./request-log-kinds');
const roles = (): Roles => load('./role-binding');
const ownBudgets = (): OwnBudgets => load('./tenant-budget-config');

/**
 * All kinds of manifest but the provider accounts, which their plugs bring. Where several kinds add to one list of the
 * configuration, it has them in this order.
 */
export const KINDS = [
  always(sluiceServer),
  later('sluice/api-keys', (): Keys['sluiceApiKeys'] => load('./sluice-api-keys').sluiceApiKeys),
  always(sluiceIdentityProvider),
  later('user', (): User['user'] => load('./user').user),
  later('team', (): Team['team'] => load('./team').team),
  later('virtual-account', (): VirtualAccount['virtualAccount'] => load('./virtual-account').virtualAccount),
  later('role', () => roles().role),
  later('role-binding', () => roles().roleBinding),
  later(
    'gateway-rate-limiting-config',
    (): RateLimiting['gatewayRateLimitingConfig'] => load('./gateway-rate-limiting-config').gatewayRateLimitingConfig,
  ),
  later(
    'gateway-budget-config',
    (): Budgets['gatewayBudgetConfig'] => load('./gateway-budget-config').gatewayBudgetConfig,
  ),
  later('tenant-budget-config', () => ownBudgets().tenantBudgetConfig),
  later('team-budget-config', () => ownBudgets().teamBudgetConfig),
  later(
    'gateway-metadata-config',
    (): Metadata['gatewayMetadataConfig'] => load('./gateway-metadata-config').gatewayMetadataConfig,
  ),
  later('provider-account/virtual-model', (): VirtualModel['virtualModel'] => load('./virtual-model').virtualModel),
  later(
    'gateway-load-balancing-config',
    (): LoadBalancing['gatewayLoadBalancingConfig'] =>
      load('./gateway-load-balancing-config').gatewayLoadBalancingConfig,
  ),
  later(
    'gateway-fallback-config',
    (): Fallback['gatewayFallbackConfig'] => load('./gateway-fallback-config').gatewayFallbackConfig,
  ),
  always(gatewayGlobalSettings),
  later('sluice/cache', (): Cache['sluiceCache'] => load('./sluice-cache').sluiceCache),
  later('gateway-otel-config', (): Otel['gatewayOtelConfig'] => load('./gateway-otel-config').gatewayOtelConfig),
  later('gateway-logging-config', () => requestLog().gatewayLoggingConfig),
  later('gateway-data-routing-config', () => requestLog().gatewayDataRoutingConfig),
  later('gateway-data-access-config', () => requestLog().gatewayDataAccessConfig),
  later('tracing-project', () => requestLog().tracingProject),
  later('provider-account/custom', () => channels().customAccount),
  later('provider-account/slack', () => channels().slackAccount),
  later('provider-account/pagerduty', () => channels().pagerdutyAccount),
  later('provider-account/ms-teams', () => channels().msTeamsAccount),
  later('provider-account/webhook', () => channels().webhookAccount),
  later('mcp-server/remote', () => mcpServers().mcpServerRemote),
  later('mcp-server/virtual', () => mcpServers().mcpServerVirtual),
  later('mcp-server/openapi', () => mcpServers().mcpServerOpenApi),
  later('mcp-server/stdio', () => mcpServers().mcpServerStdio),
  later(
    'provider-account/mcp-server-group',
    (): McpGroup['mcpServerGroup'] => load('./mcp-server-group').mcpServerGroup,
    ['mcp-server/virtual'],
  ),
  later(
    'provider-account/guardrail-config-group',
    (): Guards['guardrailConfigGroup'] => load('./guardrail-config-group').guardrailConfigGroup,
  ),
  later(
    'gateway-guardrails-config',
    (): GuardRules['gatewayGuardrailsConfig'] => load('./gateway-guardrails-config').gatewayGuardrailsConfig,
  ),
] as const satisfies readonly KindRow<ManifestKind>[];

type PartOf<K> = K extends ManifestKind<infer _, infer P> ? P : never;
type Together<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer I) => void ? I : never;
/** What all kinds together give. */
export type Given = Together<PartOf<ReturnType<(typeof KINDS)[number]['kind']>>>;

/** What kinds give that have no manifest and were not loaded for it. A test holds it against what they give. */
export const NOTHING_GIVEN: Omit<Given, 'server' | 'guardrailSettings' | 'identities'> & {
  identities: Omit<Given['identities'], 'identityProviders'>;
} = {
  keys: [],
  identities: { users: [], teams: [], virtualAccounts: [], grants: [] },
  rateLimits: [],
  budgets: [],
  metadataRules: [],
  virtualModels: [],
  loadBalancing: [],
  fallbackRules: [],
  cacheRules: [],
  otel: [],
  loggingRules: [],
  dataRoutes: [],
  dataAccess: [],
  tracingProjects: [],
  requestLoggers: [],
  mcpServers: [],
  guards: [],
  guardrailRules: [],
};

/** Those that a configuration with manifests of these types is made by, in order. */
export function kindsOf(types: ReadonlySet<string>): ManifestKind[] {
  const isNeeded = (row: KindRow<ManifestKind>): boolean =>
    row.always || types.has(row.type) || row.checks.some((type) => types.has(type));
  return KINDS.filter(isNeeded).map((row): ManifestKind => row.kind());
}

/** All of them; the code of each is loaded when its schema is asked for. */
export function kindsByName(): Pick<ManifestKind, 'type' | 'schema'>[] {
  return KINDS.map((row) => ({
    type: row.type,
    get schema() {
      return row.kind().schema;
    },
  }));
}

/** Every kind, loaded; documentation and tests ask for all. */
export function allKinds(): ManifestKind[] {
  return KINDS.map((row): ManifestKind => row.kind());
}
