import { compilePatterns } from './model-pattern.ts';

export type SubjectMatcher = (subjects: ReadonlySet<string>) => boolean;

/**
 * Whether somebody is meant by any of these: `user:…`, `team:…`, `virtualaccount:…`, with `*` for any characters. Held
 * against all that a caller is (Caller.subjects), `team:everyone` and `*` among them.
 */
export function compileSubjects(patterns: readonly string[]): SubjectMatcher {
  const covers = compilePatterns(patterns);
  return (subjects) => {
    for (const subject of subjects) if (covers(subject)) return true;
    return false;
  };
}
