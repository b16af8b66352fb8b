import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from './configuration.ts';
import type { Fault } from './fault.ts';
import type { LoadedData, Refused } from './load.ts';

export type Reloaded = { configuration: Configuration; warnings: Fault[] } | { faults: Fault[] };

/**
 * The configuration in force after a reload: the new one with the old values where only a restart can change them, each
 * such change with a warning. A faulty one gives its faults, and the caller keeps the old one in force. Neither is changed.
 */
export function applyReload(previous: Configuration, loaded: LoadedData | Refused): Reloaded {
  if ('faults' in loaded) return { faults: loaded.faults };
  if (loaded.manifests === 0 && (previous.keys.count > 0 || previous.accounts.length > 0)) {
    // A file that is being written anew, a folder that is being swapped: for a moment there is nothing.
    const message = 'no manifest is there any more; a reload that would take every key and account is not believed';
    return { faults: [{ code: 'missing-key', file: loaded.files[0] ?? 'configuration', path: '', message }] };
  }
  let { configuration } = loaded;
  const warnings = [...loaded.warnings];
  for (const { value, ...at } of loaded.restartKeys) {
    const path = value.split('.');
    const before = valueAt(previous, path);
    if (isDeepStrictEqual(before, valueAt(configuration, path))) continue;
    configuration = withValue(configuration, path, before);
    const message = 'a change of this needs a restart; the old value stays in force';
    warnings.push({ code: 'restart-needed', ...at, message });
  }
  return { configuration, warnings };
}

function valueAt(from: unknown, path: readonly string[]): unknown {
  let value = from;
  for (const step of path) value = isObject(value) ? Reflect.get(value, step) : undefined;
  return value;
}

/** A copy with another value at a path; what lies beside the path is shared. */
function withValue<T>(holder: T, [step, ...rest]: readonly string[], value: unknown): T {
  if (step === undefined || !isObject(holder)) return holder;
  const copy = { ...holder };
  const next = rest.length === 0 ? value : withValue(Reflect.get(copy, step), rest, value);
  if (next === undefined) Reflect.deleteProperty(copy, step);
  else Reflect.set(copy, step, next);
  return copy;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
