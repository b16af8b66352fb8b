import { z } from 'zod';
import { nearNames } from '../core/near-names.ts';
import { ACCESS_ROLES } from './access-roles.ts';
import { didYouMean } from './fault.ts';
import { type Manifest, type Report, warn } from './manifests.ts';

/** As they are written: the account was found right by its own schema. */
const written = z.object({
  collaborators: z.array(z.object({ role_id: z.string() })).nullish(),
  integrations: z.array(z.object({ authorized_subjects: z.array(z.string()).nullish() })).nullish(),
});

/** Access rules of an account that are right in form and hardly what was meant. */
export function checkAccess(manifest: Manifest, report: Report): void {
  const read = written.safeParse(manifest.data);
  if (!read.success) return;
  for (const [index, { role_id: role }] of (read.data.collaborators ?? []).entries()) {
    if (ACCESS_ROLES.has(role)) continue;
    const remedy = didYouMean(nearNames(role, ACCESS_ROLES));
    warn(report, manifest, ['collaborators', index, 'role_id'], {
      message: `the role \`${role}\` gives nothing here`,
      allowed: [...ACCESS_ROLES].map((each) => `\`${each}\``).join(', '),
      ...(remedy && { remedy }),
    });
  }
  for (const [index, { authorized_subjects: subjects }] of (read.data.integrations ?? []).entries()) {
    if (subjects?.length !== 0) continue;
    const message = 'an empty list authorizes nobody: only managers of the account and grants may use this model';
    warn(report, manifest, ['integrations', index, 'authorized_subjects'], {
      message,
      remedy: 'Leave the key out if it shall not restrict anybody',
    });
  }
}
