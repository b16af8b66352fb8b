import { z } from 'zod';
import { canonicalSubject, KIND_WORDS, lowerCase, subjectKind } from './subject.ts';

const patternError = '`user:…`, `team:…`, `virtualaccount:…` (in which `*` stands for any characters), or `*`';

/** In its one form. */
export const subjectPattern = z
  .string({ error: patternError })
  .regex(/^(\*|[A-Za-z_-]{1,32}:[^\x00-\x1f\x7f]{1,256})$/, { error: patternError })
  .transform(canonicalSubject);

const plainError = 'a name of 1 to 256 characters';
const plainName = z.string({ error: plainError }).regex(/^[^\x00-\x1f\x7f]{1,256}$/, { error: plainError });

/** An e-mail address where the kind is known already; `user:` in front is tolerated. */
export const userName = plainName.transform((name) => lowerCase(withoutKind(name, ['user'])));
export const teamName = plainName.transform((name) => withoutKind(name, ['team']));
export const virtualAccountName = plainName.transform((name) =>
  withoutKind(name, ['virtualaccount', ...Object.keys(KIND_WORDS)]),
);

function withoutKind(name: string, kinds: readonly string[]): string {
  const kind = subjectKind(name);
  return kind !== undefined && kinds.includes(kind.toLowerCase()) ? name.slice(kind.length + 1) : name;
}
