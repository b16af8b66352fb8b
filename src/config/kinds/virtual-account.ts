import { z } from 'zod';
import { type ChannelDirectory, channelDirectory } from '../channels/channel-directory.ts';
import { type NotificationTarget, notificationTarget } from '../channels/notification-target.ts';
import { warn } from '../documents/manifests.ts';
import type { Report } from '../fault.ts';
import { grantsOf, permission } from '../identities/grants.ts';
import type { AccountGrant, VirtualAccountIdentity } from '../identities/identities.ts';
import { metadataOf, owner, tags } from '../identities/identity-schema.ts';
import { mappedIdentities, type PlacedIssuer, providerMapping } from '../identities/issuers.ts';
import { keyWithDefault, optionalKey, restricting, text, wholeNumber } from '../scalar-schema.ts';
import { virtualAccountName } from '../subject-schema.ts';
import { manifestKind, type Written } from './manifest-kind.ts';
import { issuers } from './sluice-identity-provider.ts';
import { inLowerCase } from './user.ts';

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

const schema = restricting(
  z.object({
    type: z.literal('virtual-account'),
    name: virtualAccountName.describe('`virtualaccount:<name>` in keys and rules.'),
    permissions: keyWithDefault(z.array(permission), []).describe('Which accounts or models it may use.'),
    expiration_date: restricting(optionalKey(expiration), ['valid_until', 'ttl']).describe(
      'After this day (UTC) its keys are refused.',
    ),
    auto_rotate: optionalKey(
      z
        .object({
          auto_rotate_interval: wholeNumber(30, 36_500).describe('Days that a key of it lives.'),
          grace_period: wholeNumber(1, 36_500).describe('Days that the key before still works.'),
        })
        .transform(({ auto_rotate_interval: interval, grace_period: grace }) => ({
          intervalMs: interval * DAY_MS,
          graceMs: grace * DAY_MS,
        })),
    ).describe('How long its keys live.'),
    notification_target: optionalKey(notificationTarget).describe('Is checked; nobody is written to yet.'),
    secret_store_config: optionalKey(
      z.object({
        integration_fqn: text(1024).describe('Has no effect.'),
        secret_path: text(1024).describe('Has no effect.'),
      }),
    ).describe('Has no effect: secret stores are not written to.'),
    ownedBy: owner,
    tags,
    identity_provider_mapping: providerMapping,
    token_type: optionalKey(z.enum(['jwt', 'opaque'])).describe('The form of its keys.'),
  }),
);

/** `virtual-account`. */
export const virtualAccount = manifestKind({
  type: 'virtual-account',
  schema,
  uniqueKeys: [{ path: 'name', what: 'this virtual account name', over: 'virtual accounts', compared: inLowerCase }],
  check(written, { report }) {
    for (const { manifest, value } of written) checkEffects(manifest, value, report);
  },
  part(written, context): { identities: { virtualAccounts: VirtualAccountIdentity[]; grants: AccountGrant[] } } {
    const [channels, known] = [channelDirectory(context), issuers(context)];
    return {
      identities: {
        virtualAccounts: written.map((each) => identityOf(each, channels, known, context.report)),
        grants: written.flatMap(({ manifest, value }) =>
          grantsOf([`virtualaccount:${value.name}`], value.permissions, manifest, context),
        ),
      },
    };
  },
});

type Value = z.output<typeof schema>;

/** What of it does not do here what its key says. */
function checkEffects(manifest: Written<Value>['manifest'], value: Value, report: Report): void {
  if (value.secret_store_config) {
    const message = 'secret stores are not written to; make the key with `sluice keys create` and put it there';
    warn(report, manifest, ['secret_store_config'], { message });
  }
  if (value.expiration_date !== undefined && value.expiration_date <= Date.now()) {
    warn(report, manifest, ['expiration_date'], { message: 'this day is over: the keys of this account are refused' });
  }
  if (value.notification_target) {
    const message =
      'nobody is written to when a key of this account is due or ends; `sluice keys list` shows which are';
    warn(report, manifest, ['notification_target'], { message });
  }
}

function identityOf(
  { manifest, value }: Written<Value>,
  channels: ChannelDirectory,
  known: readonly PlacedIssuer[],
  report: Report,
): VirtualAccountIdentity {
  const { expiration_date: expiresAtMs, auto_rotate: autoRotate, token_type: tokenType, ownedBy } = value;
  let notificationTarget: NotificationTarget | undefined;
  if (value.notification_target) {
    const resolved = channels.resolve(value.notification_target, manifest, ['notification_target']);
    if (resolved && 'code' in resolved) report.faults.push(resolved);
    else notificationTarget = resolved;
  }
  return {
    name: value.name,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(ownedBy?.team !== undefined && { team: ownedBy.team }),
    tags: metadataOf(value.tags, manifest, report),
    identities: mappedIdentities(value.identity_provider_mapping, known, manifest, report),
    ...(autoRotate && { autoRotate }),
    ...(tokenType && { tokenType }),
    ...(notificationTarget && { notificationTarget }),
  };
}
