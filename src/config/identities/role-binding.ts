import { z } from 'zod';
import { keyWithDefault, optionalKey, text } from '../scalar-schema.ts';
import { canonicalSubject } from '../subject.ts';
import { ownedBy } from './owner.ts';
import { permission } from './virtual-account.ts';

/** `role-binding`, which grants, and `role`, which is read and has no effect. */

export const roleBindingSchema = z.object({
  type: z.literal('role-binding'),
  name: text(256),
  subjects: keyWithDefault(
    z.array(
      z.object({ type: text(64), name: text(256) }).transform(({ type, name }) => canonicalSubject(`${type}:${name}`)),
    ),
    [],
  ),
  permissions: keyWithDefault(z.array(permission), []),
  ownedBy,
});

/** Older manifests list maps where newer ones list words; neither is read any further. */
const rolePermission = z.union([
  text(256),
  z.object({ resourceType: text(256), actions: keyWithDefault(z.array(text(256)), []) }),
]);

export const roleSchema = z.object({
  type: z.literal('role'),
  name: text(256),
  displayName: optionalKey(text(256)),
  description: optionalKey(z.string().max(4096)),
  resourceType: optionalKey(text(256)),
  permissions: keyWithDefault(z.array(rolePermission), []),
  ownedBy,
});
