import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from './configuration.ts';
import type { Fault } from './fault.ts';
import { loadedKinds } from './kinds/kinds.ts';
import type { Loaded, Refused } from './load.ts';

export type Reloaded = { configuration: Configuration; warnings: Fault[] } | { faults: Fault[] };

/**
 * What is in force after a reload: the new configuration with the old values where only a restart can change them, each
 * such change with a warning. A faulty one gives its faults, and the caller keeps the old one in force.
 */
export function applyReload(previous: Configuration, loaded: Loaded | Refused): Reloaded {
  if ('faults' in loaded) return { faults: loaded.faults };
  if (loaded.manifests === 0 && (previous.keys.length > 0 || previous.accounts.length > 0)) {
    // A file that is being written anew, a folder that is being swapped: for a moment there is nothing.
    const message = 'no manifest is there any more; a reload that would take every key and account is not believed';
    return { faults: [{ code: 'missing-key', file: loaded.files[0] ?? 'configuration', path: '', message }] };
  }
  // Its keys are not changed here, and to copy ten thousand of them takes 15 ms.
  const { keys, ...others } = loaded.configuration;
  const configuration = { ...structuredClone(others), keys };
  const warnings = [...loaded.warnings];
  for (const { type, restartKeys = {} } of loadedKinds()) {
    for (const [key, place] of Object.entries(restartKeys)) {
      const path = place.split('.');
      const before = valueAt(previous, path);
      if (isDeepStrictEqual(before, valueAt(configuration, path))) continue;
      setAt(configuration, path, before);
      const message = 'a change of this needs a restart; the old value stays in force';
      warnings.push({ code: 'restart-needed', ...loaded.locate(type, key.split('.')), path: key, message });
    }
  }
  return { configuration, warnings };
}

function valueAt(from: unknown, path: readonly string[]): unknown {
  let value = from;
  for (const step of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  return value;
}

function setAt(within: object, path: readonly string[], value: unknown): void {
  const last = path.at(-1) ?? '';
  const holder = valueAt(within, path.slice(0, -1));
  if (typeof holder !== 'object' || holder === null) return;
  if (value === undefined) Reflect.deleteProperty(holder, last);
  else Reflect.set(holder, last, value);
}
