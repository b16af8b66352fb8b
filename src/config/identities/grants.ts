import { z } from 'zod';
import { nearNames } from '../../core/near-names.ts';
import { ACCESS_ROLES } from '../access-roles.ts';
import { type Manifest, warn } from '../documents/manifests.ts';
import { didYouMean } from '../fault.ts';
import type { KindContext } from '../kinds/manifest-kind.ts';
import { parseResourceName } from '../resource-name.ts';
import { optionalKey, text } from '../scalar-schema.ts';
import type { AccountGrant } from './identities.ts';

/** Virtual accounts write its keys in snake_case, role bindings in camelCase; both are read in both. */
export const permission = z
  .object({
    resource_fqn: optionalKey(text(1024)).describe(
      '`account`, or the long name of an account or of one of its models.',
    ),
    resourceFqn: optionalKey(text(1024)).describe('The same.'),
    resource_type: optionalKey(text(256)).describe('`provider-account`; any other has no effect.'),
    resourceType: optionalKey(text(256)).describe('The same.'),
    role_id: optionalKey(text(256)).describe('`provider-account-manager` or `provider-account-access`.'),
    roleId: optionalKey(text(256)).describe('The same.'),
    role: optionalKey(text(256)).describe('The same.'),
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

const ACCOUNT_KINDS: ReadonlySet<string> = new Set(['provider-account', 'provider_account', 'provider-integration']);

/** What of somebody's permissions is about provider accounts; of the rest a warning that it has no effect. */
export function grantsOf(
  subjects: readonly string[],
  permissions: readonly Permission[],
  manifest: Manifest,
  { models, report }: KindContext,
): AccountGrant[] {
  return permissions.flatMap(({ resource, kind, role }, index) => {
    const path = ['permissions', index];
    if (!ACCOUNT_KINDS.has(kind)) {
      const message = `a permission on a resource of the type \`${kind}\` has no effect here`;
      warn(report, manifest, path, { message, allowed: '`provider-account`' });
      return [];
    }
    if (!ACCESS_ROLES.has(role)) {
      const message = `the role \`${role}\` has no effect here`;
      const allowed = [...ACCESS_ROLES].map((each) => `\`${each}\``).join(', ');
      warn(report, manifest, path, { message, allowed, remedy: didYouMean(nearNames(role, ACCESS_ROLES)) });
      return [];
    }
    const named = parseResourceName(resource);
    if (named === undefined) {
      const allowed = '`account`, `tenant:provider:account` or `tenant:provider:account:model:name`';
      warn(report, manifest, path, { message: `\`${resource}\` names no provider account; it has no effect`, allowed });
      return [];
    }
    const { account, integration } = named;
    const name = integration === undefined ? account : `${account}/${integration}`;
    if (integration === undefined ? !models.hasAccount(account) : !models.hasModel(account, integration)) {
      const near = integration === undefined ? models.nearAccounts(account) : models.nearModels(name);
      warn(report, manifest, path, {
        message: `there is no \`${name}\`; the grant has no effect`,
        remedy: didYouMean(near),
      });
    }
    return subjects.map((subject) => ({ subject, ...named }));
  });
}
