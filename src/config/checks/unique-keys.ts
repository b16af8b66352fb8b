import { type Manifest, positionOf } from '../documents/manifests.ts';
import { type Fault, formatPosition, type PathSegment, type Position } from '../fault.ts';
import type { UniqueKey } from '../kinds/manifest-kind.ts';

type UniqueKeys = readonly UniqueKey[];

interface Found {
  value: unknown;
  path: PathSegment[];
}

/**
 * What stands twice and may not. It is read from the data as it is written, so that a fault elsewhere in a manifest does
 * not hide these.
 */
export function duplicateFaults(
  manifests: readonly Manifest[],
  uniqueKeys: ReadonlyMap<string, UniqueKeys | undefined>,
): Fault[] {
  const faults: Fault[] = [];
  const shared = new Map<string, Map<string, Position>>();
  for (const manifest of manifests) {
    for (const key of uniqueKeys.get(manifest.type) ?? []) {
      const first = key.over === undefined ? new Map<string, Position>() : seenOver(key.over, shared);
      for (const { value, path } of found(manifest.data, key.path.split('.'), [])) {
        const compared = key.compared ? key.compared(value) : typeof value === 'string' ? value : undefined;
        if (compared === undefined) continue;
        const position = positionOf(manifest, path);
        const before = first.get(compared);
        if (before === undefined) {
          first.set(compared, position);
          continue;
        }
        const message = `${key.what} stands already in ${formatPosition(before)}`;
        faults.push({ code: 'duplicate', ...position, message });
      }
    }
  }
  return faults;
}

function seenOver(word: string, shared: Map<string, Map<string, Position>>): Map<string, Position> {
  let seen = shared.get(word);
  if (seen === undefined) {
    seen = new Map();
    shared.set(word, seen);
  }
  return seen;
}

/** All values at a path in which `name[]` stands for each item of a list. */
function found(value: unknown, [step, ...rest]: string[], path: PathSegment[]): Found[] {
  if (step === undefined) return [{ value, path }];
  if (typeof value !== 'object' || value === null) return [];
  const each = step.endsWith('[]');
  const key = each ? step.slice(0, -2) : step;
  const below: unknown = Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
  if (!each) return found(below, rest, [...path, key]);
  if (!Array.isArray(below)) return [];
  return below.flatMap((item: unknown, index) => found(item, rest, [...path, key, index]));
}
