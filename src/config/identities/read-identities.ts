import type { z } from 'zod';
import type { ReadChannels } from '../channels/read-channels.ts';
import type { Identities, NotificationTarget, VirtualAccountIdentity } from '../configuration.ts';
import { type Manifest, parseKind, type Report, type Written, warn } from '../manifests.ts';
import { SUBJECT_KINDS, subjectKind } from '../subject.ts';
import { grantsOf, type PlacedGrant } from './grants.ts';
import { type Providers, readProviders } from './read-providers.ts';
import { roleBindingSchema, roleSchema } from './role-binding.ts';
import { metadataOf } from './tags.ts';
import { teamSchema } from './team.ts';
import { userSchema } from './user.ts';
import { virtualAccountSchema } from './virtual-account.ts';

export interface ReadIdentities {
  readonly identities: Identities;
  readonly grants: PlacedGrant[];
}

export function readIdentities(
  manifests: readonly Manifest[],
  { channels, providers: fromAccounts }: ReadChannels,
  report: Report,
): ReadIdentities {
  const providers = readProviders(manifests, fromAccounts, report);
  const users = parseKind('user', userSchema, manifests, report);
  const teams = parseKind('team', teamSchema, manifests, report);
  const virtualAccounts = parseKind('virtual-account', virtualAccountSchema, manifests, report);
  const bindings = parseKind('role-binding', roleBindingSchema, manifests, report);
  for (const { manifest } of parseKind('role', roleSchema, manifests, report)) {
    const message =
      'roles of your own are read, but what they permit is not told apart: a binding to one has no effect';
    warn(report, manifest, ['name'], { message });
  }
  const grants = [
    ...virtualAccounts.flatMap(({ manifest, value }) =>
      grantsOf(`virtualaccount:${value.name}`, value.permissions, manifest, report),
    ),
    ...bindings.flatMap(({ manifest, value }) => bindingGrants(value, manifest, report)),
  ];
  const identities: Identities = {
    users: users.map(({ manifest, value }) => ({
      email: value.email,
      tags: metadataOf(value.tags, manifest, report),
      identities: providers.mapping(value.identity_provider_mapping, manifest),
    })),
    teams: teams.map(({ manifest, value }) => ({
      name: value.name,
      members: [...new Set([...value.members, ...value.managers])],
      tags: metadataOf(value.tags, manifest, report),
      identities: providers.mapping(value.identity_provider_mapping, manifest),
    })),
    virtualAccounts: virtualAccounts.map((written) => virtualAccount(written, providers, channels, report)),
    identityProviders: providers.all,
    grants: grants.map(({ grant }) => grant),
  };
  return { identities, grants };
}

function virtualAccount(
  { manifest, value }: Written<z.output<typeof virtualAccountSchema>>,
  providers: Providers,
  channels: ReadChannels['channels'],
  report: Report,
): VirtualAccountIdentity {
  const { expiration_date: expiresAtMs, auto_rotate: autoRotate, token_type: tokenType, ownedBy } = value;
  if (value.secret_store_config) {
    const message = 'secret stores are not written to; make the key with `sluice keys create` and put it there';
    warn(report, manifest, ['secret_store_config'], { message });
  }
  if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) {
    warn(report, manifest, ['expiration_date'], { message: 'this day is over: the keys of this account are refused' });
  }
  let notificationTarget: NotificationTarget | undefined;
  if (value.notification_target) {
    const message =
      'nobody is written to when a key of this account is due or ends; `sluice keys list` shows which are';
    warn(report, manifest, ['notification_target'], { message });
    const resolved = channels.resolve(value.notification_target, manifest, ['notification_target']);
    if (resolved && 'code' in resolved) report.faults.push(resolved);
    else notificationTarget = resolved;
  }
  return {
    name: value.name,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(ownedBy?.team !== undefined && { team: ownedBy.team }),
    tags: metadataOf(value.tags, manifest, report),
    identities: providers.mapping(value.identity_provider_mapping, manifest),
    ...(autoRotate && { autoRotate }),
    ...(tokenType && { tokenType }),
    ...(notificationTarget && { notificationTarget }),
  };
}

function bindingGrants(binding: z.output<typeof roleBindingSchema>, manifest: Manifest, report: Report): PlacedGrant[] {
  const [first, ...others] = binding.subjects.filter((subject, index) => {
    if (SUBJECT_KINDS.has(subjectKind(subject) ?? '')) return true;
    const message = `\`${subject}\` is nobody here: a binding is for users, teams and virtual accounts`;
    warn(report, manifest, ['subjects', index], { message });
    return false;
  });
  if (first === undefined) return [];
  // The warnings are about the permissions and come once, not for each subject.
  const grants = grantsOf(first, binding.permissions, manifest, report);
  return [first, ...others].flatMap((subject) =>
    grants.map((each) => ({ ...each, grant: { ...each.grant, subject } })),
  );
}
