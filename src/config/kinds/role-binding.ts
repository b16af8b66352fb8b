import { z } from 'zod';
import { warn } from '../documents/manifests.ts';
import { grantsOf, permission } from '../identities/grants.ts';
import type { AccountGrant } from '../identities/identities.ts';
import { owner } from '../identities/identity-schema.ts';
import { keyWithDefault, optionalKey, restricting, text } from '../scalar-schema.ts';
import { canonicalSubject, SUBJECT_KINDS, subjectKind } from '../subject.ts';
import { manifestKind } from './manifest-kind.ts';

/** `role-binding`, which grants, and `role`, which is read and has no effect. */

const subject = z
  .object({
    type: text(64).describe('`user`, `team` or `virtualaccount`; any other is nobody here.'),
    name: text(256).describe('Its name; of a user the e-mail address.'),
  })
  .transform(({ type, name }) => canonicalSubject(`${type}:${name}`));

const bindingSchema = restricting(
  z.object({
    type: z.literal('role-binding'),
    name: text(256).describe('For people; has no effect.'),
    subjects: keyWithDefault(z.array(subject), []).describe('Who gets the permissions.'),
    permissions: keyWithDefault(z.array(permission), []).describe('Which accounts or models they may use.'),
    ownedBy: owner,
  }),
);

export const roleBinding = manifestKind({
  type: 'role-binding',
  schema: bindingSchema,
  part(written, context): { identities: { grants: AccountGrant[] } } {
    const grants = written.flatMap(({ manifest, value }) => {
      const subjects = value.subjects.filter((each, index) => {
        if (SUBJECT_KINDS.has(subjectKind(each) ?? '')) return true;
        const message = `\`${each}\` is nobody here: a binding is for users, teams and virtual accounts`;
        warn(context.report, manifest, ['subjects', index], { message });
        return false;
      });
      return subjects.length === 0 ? [] : grantsOf(subjects, value.permissions, manifest, context);
    });
    return { identities: { grants } };
  },
});

/** Older forms (§7) list maps where newer ones list words; neither is read any further. */
const rolePermission = z.union([
  text(256),
  z.object({
    resourceType: text(256).describe('Has no effect.'),
    actions: keyWithDefault(z.array(text(256)), []).describe('Has no effect.'),
  }),
]);

const roleSchema = z.object({
  type: z.literal('role'),
  name: text(256).describe('Has no effect.'),
  displayName: optionalKey(text(256)).describe('Has no effect.'),
  description: optionalKey(z.string().max(4096)).describe('Has no effect.'),
  resourceType: optionalKey(text(256)).describe('Has no effect.'),
  permissions: keyWithDefault(z.array(rolePermission), []).describe('Has no effect.'),
  ownedBy: owner,
});

/** Read so that a set of manifests loads whole. */
export const role = manifestKind({
  type: 'role',
  schema: roleSchema,
  check(written, { report }) {
    for (const { manifest } of written) {
      const message =
        'roles of your own are read, but what they permit is not told apart: a binding to one has no effect';
      warn(report, manifest, ['name'], { message });
    }
  },
});
