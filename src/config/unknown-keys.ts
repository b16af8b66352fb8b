import type { z } from 'zod';
import { nearNames } from '../core/near-names.ts';
import { cut, didYouMean, type Fault, formatPath, type PathSegment } from './fault.ts';
import type { YamlDocument } from './yaml-documents.ts';

type Schema = z.core.$ZodType;

/**
 * Takes the keys that the schema does not know out of the data (our own copy, never the document) and warns of each: a
 * newer or foreign key must not stop the gateway, and must not be ignored in silence either. Walks schema and data side
 * by side, because a parsed result no longer says which keys were dropped or renamed.
 */
export function takeUnknownKeys(schema: Schema, data: unknown, document: YamlDocument): Fault[] {
  const warnings: Fault[] = [];

  const visit = (at: Schema, value: unknown, path: PathSegment[]): void => {
    const known = settle(at, value);
    if (known === undefined) return;
    const { def } = known._zod;
    if (def.type === 'array' && Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(def.element, item, [...path, index]);
    } else if (isMap(value) && def.type === 'record') {
      for (const [key, item] of Object.entries(value)) visit(def.valueType, item, [...path, key]);
    } else if (isMap(value) && def.type === 'object') {
      for (const [key, item] of Object.entries(value)) {
        const next = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
        if (next !== undefined) visit(next, item, [...path, key]);
        else if (def.catchall === undefined || isNever(def.catchall))
          take(value, [...path, key], Object.keys(def.shape));
      }
    }
  };

  const take = (map: Record<string, unknown>, path: PathSegment[], known: string[]): void => {
    const key = String(path.at(-1));
    delete map[key];
    warnings.push({
      code: 'unknown-key',
      ...document.locateKey(path),
      path: formatPath(path),
      message: `the key \`${cut(key)}\` is not known here and has no effect`,
      remedy: didYouMean(nearNames(key, known)),
    });
  };

  visit(schema, data, []);
  return warnings;
}

/** The schema below optional, default, transform and union that this value is checked against. */
function settle(schema: Schema, value: unknown): z.core.$ZodTypes | undefined {
  const known = schema as z.core.$ZodTypes;
  const { def } = known._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return settle(def.innerType, value);
    case 'lazy':
      return settle(def.getter(), value);
    case 'pipe':
      return settle((def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in, value);
    case 'union': {
      const options = def.options.map((option) => settle(option, value)).filter((option) => option !== undefined);
      return options.find((option) => literalsMatch(option, value)) ?? options.find((option) => accepts(option, value));
    }
    default:
      return known;
  }
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
