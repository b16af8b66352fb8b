import { z } from 'zod';
import { notificationTarget } from '../channels/notification-target.ts';
import { keyWithDefault, optionalKey, text, wholeNumber } from '../scalar-schema.ts';
import { virtualAccountName } from '../subject.ts';
import { ownedBy } from './owner.ts';
import { providerMapping } from './provider-mapping.ts';
import { tags } from './tags.ts';

const DAY_MS = 86_400_000;

const dateError = 'a date as `2027-01-31`';
/** The end of that day in UTC; a whole ISO 8601 time is that moment. Milliseconds since the Unix epoch. */
const expiration = z.string({ error: dateError }).transform((written, context): number => {
  const ms = /^\d{4}-\d{2}-\d{2}(T|$)/.test(written) ? Date.parse(written) : Number.NaN;
  const wholeDay = written.length === 10;
  // The 30th of February would silently be the 2nd of March.
  const exists = Number.isFinite(ms) && (!wholeDay || new Date(ms).toISOString().startsWith(written));
  if (exists) return wholeDay ? ms + DAY_MS : ms;
  context.issues.push({ code: 'custom', message: dateError, input: written });
  return z.NEVER;
});

/** Virtual accounts write its keys in snake_case, role bindings in camelCase; both are read in both. */
export const permission = z
  .object({
    resource_fqn: optionalKey(text(1024)),
    resourceFqn: optionalKey(text(1024)),
    resource_type: optionalKey(text(256)),
    resourceType: optionalKey(text(256)),
    role_id: optionalKey(text(256)),
    roleId: optionalKey(text(256)),
    role: optionalKey(text(256)),
  })
  .transform((written, context) => {
    const resource = written.resource_fqn ?? written.resourceFqn;
    const kind = written.resource_type ?? written.resourceType;
    const role = written.role_id ?? written.roleId ?? written.role;
    if (resource !== undefined && kind !== undefined && role !== undefined) return { resource, kind, role };
    const message = 'what it is about, its type, and the role';
    const missing = resource === undefined ? 'resource_fqn' : kind === undefined ? 'resource_type' : 'role_id';
    context.issues.push({ code: 'custom', message, path: [missing], input: written });
    return z.NEVER;
  });

export type Permission = z.output<typeof permission>;

export const virtualAccountSchema = z.object({
  type: z.literal('virtual-account'),
  name: virtualAccountName,
  permissions: keyWithDefault(z.array(permission), []),
  expiration_date: optionalKey(expiration),
  auto_rotate: optionalKey(
    z
      .object({ auto_rotate_interval: wholeNumber(30, 36_500), grace_period: wholeNumber(1, 36_500) })
      .transform(({ auto_rotate_interval: interval, grace_period: grace }) => ({
        intervalMs: interval * DAY_MS,
        graceMs: grace * DAY_MS,
      })),
  ),
  notification_target: optionalKey(notificationTarget),
  secret_store_config: optionalKey(z.object({ integration_fqn: text(1024), secret_path: text(1024) })),
  ownedBy,
  tags,
  identity_provider_mapping: providerMapping,
  token_type: optionalKey(z.enum(['jwt', 'opaque'])),
});
