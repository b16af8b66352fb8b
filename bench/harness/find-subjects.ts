import { globSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchSubject } from './subject.ts';

const ENDING = '.bench.ts';

/** A fault of the person at the terminal: a name that is none, an option that does not exist. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Names of all subjects in a bench folder, as `codec/json-peek`, sorted. */
export function findSubjects(folder: string): string[] {
  return globSync(`**/*${ENDING}`, { cwd: folder })
    .map((file) => file.slice(0, -ENDING.length).split(sep).join('/'))
    .sort();
}

/** None wanted: all. A name may be whole (`codec/json-peek`), its last part (`json-peek`) or a folder (`codec`). */
export function chooseSubjects(known: readonly string[], wanted: readonly string[]): string[] {
  if (wanted.length === 0) return [...known];
  const chosen = new Set<string>();
  for (const name of wanted) {
    const found = known.filter((each) => each === name || each.endsWith(`/${name}`) || each.startsWith(`${name}/`));
    if (found.length === 0) throw new UsageError(`there is no bench "${name}"; there are: ${known.join(', ')}`);
    for (const each of found) chosen.add(each);
  }
  return [...chosen];
}

export async function loadSubject(folder: string, name: string): Promise<BenchSubject> {
  const { subject } = await import(pathToFileURL(join(folder, name + ENDING)).href);
  return subject;
}
