import type { z } from 'zod';
import type { YamlDocument } from '../documents/yaml-documents.ts';
import { cut, didYouMean, type Fault, formatPath, type PathSegment } from '../fault.ts';
import { guessesOf } from './key-guesses.ts';
import { membersOf, restrictionOf, type Schema } from './schema-walk.ts';

export interface UnknownKeys {
  /** Misspelt restrictions: without the key, what it closes would be open. */
  faults: Fault[];
  warnings: Fault[];
}

/**
 * Takes the keys that the schema does not know out of the data (our own copy, never the document) and tells of each: a
 * newer or foreign key must not stop the gateway, and must not be ignored in silence either. A key that is near a known
 * one is a fault where something is restricted: in a whole kind that restricts, in whatever a schema marks as
 * `restricting`, and where the near key itself is marked. Walks schema and data side by side, because a parsed result
 * no longer says which keys were dropped or renamed.
 */
export function takeUnknownKeys(
  schema: Schema,
  data: unknown,
  document: YamlDocument,
  kindRestricts = false,
): UnknownKeys {
  const told: UnknownKeys = { faults: [], warnings: [] };
  let places: ReadonlyMap<string, readonly Place[]> | undefined;

  const visit = (at: Schema, value: unknown, path: PathSegment[], restricts: boolean): void => {
    const known = settle(at, value);
    if (known === undefined) return;
    const within = restricts || restrictionOf(at)?.reach === 'within' || restrictionOf(known)?.reach === 'within';
    const { def } = known._zod;
    if (def.type === 'array' && Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(def.element, item, [...path, index], within);
    } else if (isMap(value) && def.type === 'record') {
      for (const [key, item] of Object.entries(value)) visit(def.valueType, item, [...path, key], within);
    } else if (isMap(value) && def.type === 'object') {
      for (const [key, item] of Object.entries(value)) {
        const next = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
        if (next !== undefined) visit(next, item, [...path, key], within);
        else if (def.catchall === undefined || isNever(def.catchall)) take(value, [...path, key], def.shape, within);
      }
    }
  };

  const take = (
    map: Record<string, unknown>,
    path: PathSegment[],
    shape: Readonly<Record<string, Schema>>,
    restricts: boolean,
  ): void => {
    const key = String(path.at(-1));
    delete map[key];
    const at = { code: 'unknown-key' as const, ...document.locateKey(path), path: formatPath(path) };
    const shown = `the key \`${cut(key)}\``;
    const guess = guessesOf(key, shape, map, restricts);
    if (guess.restrictions.length > 0) {
      const message = `${shown} is not known here, and what it seems to mean would not hold`;
      told.faults.push({ ...at, message, remedy: didYouMean(guess.restrictions) });
      return;
    }
    places ??= placesByKey(schema);
    const found = (places.get(key) ?? []).filter(({ above }) => !above.includes(key));
    // Another key of this map is a better guess than one of this name somewhere else, but for restrictions themselves.
    const restricted = found.filter(({ mark }) => mark === 'itself' || (mark && guess.others.length === 0));
    if (restricted.length > 0) {
      told.faults.push({
        ...at,
        message: `${shown} does not belong here, and what it means would not hold`,
        remedy: itsPlace(restricted),
      });
      return;
    }
    const remedy = didYouMean(guess.others) ?? itsPlace(found);
    told.warnings.push({ ...at, message: `${shown} is not known here and has no effect`, remedy });
  };

  visit(schema, data, [], kindRestricts);
  return told;
}

interface Place {
  readonly path: string;
  /** Keys on the way to it. One below a key of its own name tells nobody more. */
  readonly above: readonly string[];
  /** Whether the key restricts, or what it stands in. */
  readonly mark: 'itself' | 'inside' | undefined;
}

/** Where in a schema the keys of each name stand: one that is not known may have been written at another level. */
function placesByKey(schema: Schema): Map<string, Place[]> {
  const found = new Map<string, Map<string, Place>>();
  const visit = (at: Schema, path: string, above: readonly string[], within: boolean): void => {
    const inside = within || restrictionOf(at)?.reach === 'within';
    for (const known of membersOf(at)) {
      const { def } = known._zod;
      if (def.type === 'array') visit(def.element, `${path}[]`, above, inside);
      if (def.type !== 'object') continue;
      for (const [name, next] of Object.entries(def.shape)) {
        const below = path === '' ? name : `${path}.${name}`;
        const mark = restrictionOf(next) !== undefined ? 'itself' : inside ? 'inside' : undefined;
        const ofName = found.get(name) ?? new Map<string, Place>();
        found.set(name, ofName.set(below, { path: below, above, mark }));
        visit(next, below, [...above, name], inside);
      }
    }
  };
  visit(schema, '', [], false);
  return new Map([...found].map(([name, places]) => [name, [...places.values()]]));
}

function itsPlace(places: readonly Place[]): string | undefined {
  if (places.length === 0) return undefined;
  const shown = places.slice(0, 3).map(({ path }) => `\`${path}\``);
  return `Its place is ${shown.join(' or ')}`;
}

/** The schema below all layers and unions that this value is checked against. */
function settle(schema: Schema, value: unknown): z.core.$ZodTypes | undefined {
  const members = membersOf(schema);
  if (members.length < 2) return members[0];
  return members.find((member) => literalsMatch(member, value)) ?? members.find((member) => accepts(member, value));
}

/** Whether all keys with one possible value (`type: api-key`) have it, and there is one: so faults elsewhere do not matter. */
function literalsMatch(schema: z.core.$ZodTypes, value: unknown): boolean {
  const { def } = schema._zod;
  if (def.type !== 'object' || !isMap(value)) return false;
  let literals = 0;
  for (const [key, at] of Object.entries(def.shape)) {
    if (at._zod.values?.size !== 1) continue;
    literals += 1;
    if (!at._zod.values.has(value[key] as z.core.util.Primitive)) return false;
  }
  return literals > 0;
}

function accepts(schema: z.core.$ZodTypes, value: unknown): boolean {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  return !(result instanceof Promise) && result.issues.length === 0;
}

function isNever(schema: Schema): boolean {
  return (schema as z.core.$ZodTypes)._zod.def.type === 'never';
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
