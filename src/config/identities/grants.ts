import { nearNames } from '../../core/near-names.ts';
import { ACCESS_ROLES } from '../access-roles.ts';
import type { AccountGrant } from '../configuration.ts';
import { didYouMean, type PathSegment } from '../fault.ts';
import { type Manifest, type Report, warn } from '../manifests.ts';
import { parseResourceName } from '../resource-name.ts';
import type { Permission } from './virtual-account.ts';

/** A grant and where it stands. */
export interface PlacedGrant {
  readonly grant: AccountGrant;
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

const ACCOUNT_KINDS: ReadonlySet<string> = new Set(['provider-account', 'provider_account', 'provider-integration']);

/** What of somebody's permissions is about provider accounts; of the rest a warning that it has no effect. */
export function grantsOf(
  subject: string,
  permissions: readonly Permission[],
  manifest: Manifest,
  report: Report,
): PlacedGrant[] {
  return permissions.flatMap(({ resource, kind, role }, index) => {
    const path = ['permissions', index];
    if (!ACCOUNT_KINDS.has(kind)) {
      const message = `a permission on a resource of the type \`${kind}\` has no effect here`;
      warn(report, manifest, path, { message, allowed: '`provider-account`' });
      return [];
    }
    if (!ACCESS_ROLES.has(role)) {
      const message = `the role \`${role}\` has no effect here`;
      const remedy = didYouMean(nearNames(role, ACCESS_ROLES));
      const allowed = [...ACCESS_ROLES].map((each) => `\`${each}\``).join(', ');
      warn(report, manifest, path, { message, allowed, ...(remedy && { remedy }) });
      return [];
    }
    const named = parseResourceName(resource);
    if (named === undefined) {
      const allowed = '`account`, `tenant:provider:account` or `tenant:provider:account:model:name`';
      warn(report, manifest, path, { message: `\`${resource}\` names no provider account; it has no effect`, allowed });
      return [];
    }
    return [{ grant: { subject, ...named }, manifest, path }];
  });
}
