import type { z } from 'zod';
import { modelType } from '../../src/config/account-schema.ts';
import { apiKeysSchema } from '../../src/config/api-keys-schema.ts';
import { channelAccountKinds } from '../../src/config/channels/channel-accounts.ts';
import { notificationTarget } from '../../src/config/channels/notification-target.ts';
import { costSchema } from '../../src/config/cost-schema.ts';
import { identityProviderSchema } from '../../src/config/identities/identity-provider.ts';
import { roleBindingSchema, roleSchema } from '../../src/config/identities/role-binding.ts';
import { teamSchema } from '../../src/config/identities/team.ts';
import { userSchema } from '../../src/config/identities/user.ts';
import { permission, virtualAccountSchema } from '../../src/config/identities/virtual-account.ts';
import { teamBudgetSchema, tenantBudgetSchema } from '../../src/config/limits/budget-manifests.ts';
import { budgetRulesSchema } from '../../src/config/limits/budget-rules.ts';
import { rateLimitsSchema } from '../../src/config/limits/rate-limits.ts';
import { metadataRulesSchema } from '../../src/config/metadata-rules.ts';
import { subjectPattern } from '../../src/config/subject.ts';
import { PLUGS } from '../../src/plugs.ts';

/** Every kind of manifest that loads, but for `sluice/server`, which has a table of its own; a test holds it complete. */
export const MANIFEST_KINDS: readonly { readonly type: string; readonly schema: z.core.$ZodType }[] = [
  { type: 'sluice/api-keys', schema: apiKeysSchema },
  { type: 'sluice/identity-provider', schema: identityProviderSchema },
  ...PLUGS,
  ...channelAccountKinds,
  { type: 'gateway-rate-limiting-config', schema: rateLimitsSchema },
  { type: 'gateway-budget-config', schema: budgetRulesSchema },
  { type: 'tenant-budget-config', schema: tenantBudgetSchema },
  { type: 'team-budget-config', schema: teamBudgetSchema },
  { type: 'gateway-metadata-config', schema: metadataRulesSchema },
  { type: 'user', schema: userSchema },
  { type: 'team', schema: teamSchema },
  { type: 'virtual-account', schema: virtualAccountSchema },
  { type: 'role-binding', schema: roleBindingSchema },
  { type: 'role', schema: roleSchema },
];

/** Parts that several kinds share: shown once, under these names. */
export const SHARED_PARTS: readonly { readonly name: string; readonly schema: z.core.$ZodType }[] = [
  { name: 'cost', schema: costSchema },
  { name: 'notification target', schema: notificationTarget },
  { name: 'permission', schema: permission },
  { name: 'subject pattern', schema: subjectPattern },
  { name: 'model type', schema: modelType },
];
