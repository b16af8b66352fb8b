import { customAccount, msTeamsAccount, pagerdutyAccount, slackAccount, webhookAccount } from './channel-accounts.ts';
import { gatewayBudgetConfig } from './gateway-budget-config.ts';
import { gatewayFallbackConfig } from './gateway-fallback-config.ts';
import { gatewayGlobalSettings } from './gateway-global-settings.ts';
import { gatewayGuardrailsConfig } from './gateway-guardrails-config.ts';
import { gatewayLoadBalancingConfig } from './gateway-load-balancing-config.ts';
import { gatewayMetadataConfig } from './gateway-metadata-config.ts';
import { gatewayOtelConfig } from './gateway-otel-config.ts';
import { gatewayRateLimitingConfig } from './gateway-rate-limiting-config.ts';
import { guardrailConfigGroup } from './guardrail-config-group.ts';
import type { ManifestKind } from './manifest-kind.ts';
import { mcpServerGroup } from './mcp-server-group.ts';
import { mcpServerOpenApi, mcpServerRemote, mcpServerStdio, mcpServerVirtual } from './mcp-servers.ts';
import {
  gatewayDataAccessConfig,
  gatewayDataRoutingConfig,
  gatewayLoggingConfig,
  tracingProject,
} from './request-log-kinds.ts';
import { role, roleBinding } from './role-binding.ts';
import { sluiceApiKeys } from './sluice-api-keys.ts';
import { sluiceCache } from './sluice-cache.ts';
import { sluiceIdentityProvider } from './sluice-identity-provider.ts';
import { sluiceServer } from './sluice-server.ts';
import { team } from './team.ts';
import { teamBudgetConfig, tenantBudgetConfig } from './tenant-budget-config.ts';
import { user } from './user.ts';
import { virtualAccount } from './virtual-account.ts';
import { virtualModel } from './virtual-model.ts';

/**
 * All kinds of manifest but the provider accounts, which their plugs bring. Where several kinds add to one list of the
 * configuration, it has them in this order.
 */
export const KINDS = [
  sluiceServer,
  sluiceApiKeys,
  sluiceIdentityProvider,
  user,
  team,
  virtualAccount,
  role,
  roleBinding,
  gatewayRateLimitingConfig,
  gatewayBudgetConfig,
  tenantBudgetConfig,
  teamBudgetConfig,
  gatewayMetadataConfig,
  virtualModel,
  gatewayLoadBalancingConfig,
  gatewayFallbackConfig,
  gatewayGlobalSettings,
  sluiceCache,
  gatewayOtelConfig,
  gatewayLoggingConfig,
  gatewayDataRoutingConfig,
  gatewayDataAccessConfig,
  tracingProject,
  customAccount,
  slackAccount,
  pagerdutyAccount,
  msTeamsAccount,
  webhookAccount,
  mcpServerRemote,
  mcpServerVirtual,
  mcpServerOpenApi,
  mcpServerStdio,
  mcpServerGroup,
  guardrailConfigGroup,
  gatewayGuardrailsConfig,
] as const satisfies readonly ManifestKind[];
