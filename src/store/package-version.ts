import { readFileSync } from 'node:fs';

/** The version of the package that runs: `1.2.3`. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const version: unknown = Reflect.get(Object(JSON.parse(text)), 'version');
  if (typeof version !== 'string') throw new Error('package.json names no version');
  return version;
}
