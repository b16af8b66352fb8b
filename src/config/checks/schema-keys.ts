import { z } from 'zod';
import { innerOf } from './schema-walk.ts';

/** One key of a manifest, read off its zod schema. */
export interface SchemaKey {
  /**
   * As `limits.max_body_bytes`. `[]` stands for each item of a list, `KEY` for any key of a map, `[type=x]` for the one
   * of several forms that has this value. Empty: the schema itself, where it is no map with one form.
   */
  readonly path: string;
  /** What may be written there, in words. */
  readonly allowed: string;
  /** Where the key it stands in is written. */
  readonly required: boolean;
  /** The value that stands in for an absent key; undefined: none, or the key is required. */
  readonly fallback: unknown;
  /** What it is for, in the words of its schema (`.describe`). */
  readonly meaning: string | undefined;
}

type Schema = z.core.$ZodType;
type Shape = Readonly<Record<string, Schema>>;

/** Schemas that are described elsewhere, with the words that stand in their place. */
export type SharedParts = ReadonlyMap<Schema, string>;

/** All keys of a manifest's schema in the schema's order, without `type`. */
export function schemaKeys(schema: Schema, shared: SharedParts = new Map()): SchemaKey[] {
  const keys: SchemaKey[] = [];
  const placeOf = new Map<Schema, string>();

  const visitShape = (shape: Shape, prefix: string): void => {
    for (const [name, value] of Object.entries(shape)) {
      if (prefix !== '' || name !== 'type') visit(value, prefix === '' ? name : `${prefix}.${name}`);
    }
  };

  const visit = (at: Schema, path: string): void => {
    const inner = unwrapped(at);
    const { def } = inner._zod;
    const part = sharedPart(at, shared);
    const before = placeOf.get(inner);
    const meaning = meaningOf(at);
    const isNewMap = part === undefined && before === undefined && def.type === 'object';
    // A map that nobody describes is told by its keys.
    if (!isNewMap || meaning !== undefined) {
      const required = !isAccepted(at, undefined);
      const allowed = before === undefined ? words(at, shared) : `as \`${before}\``;
      keys.push({ path, allowed, required, fallback: required ? undefined : parsed(at, undefined), meaning });
    }
    if (isNewMap) {
      placeOf.set(inner, path);
      visitShape(def.shape, path);
    } else if (before === undefined) visitInside(at, path);
  };

  const visitInside = (at: Schema, path: string): void => {
    if (sharedPart(at, shared) !== undefined) return;
    const { def } = unwrapped(at)._zod;
    if (def.type === 'array') visitInside(def.element, `${path}[]`);
    else if (def.type === 'record') visitInside(def.valueType, `${path}.KEY`);
    else if (def.type === 'union') visitForms(def.options, path);
    else if (def.type === 'object') visit(at, path);
  };

  const visitForms = (options: readonly Schema[], path: string): void => {
    for (const shape of options.flatMap(shapeOf)) {
      const tag = tagOf(shape);
      if (tag === undefined) visitShape(shape, path);
      else {
        const { [tag.key]: _tag, ...rest } = shape;
        visitShape(rest, `${path.replace(/\[\]$/, '')}[${tag.key}=${tag.value.replace(/.*\//, '…/')}]`);
      }
    }
  };

  visit(schema, '');
  return keys;
}

/** Described at any of its layers: the outermost words are about this place. */
function meaningOf(schema: Schema): string | undefined {
  const inside = innerOf(schema as z.core.$ZodTypes);
  return z.globalRegistry.get(schema)?.description ?? (inside === undefined ? undefined : meaningOf(inside));
}

/** A schema without what makes it optional, gives it a default or transforms its value. */
function unwrapped(schema: Schema): z.core.$ZodTypes {
  const known = schema as z.core.$ZodTypes;
  const inside = innerOf(known);
  return inside === undefined ? known : unwrapped(inside);
}

function sharedPart(schema: Schema, shared: SharedParts): string | undefined {
  const inside = innerOf(schema as z.core.$ZodTypes);
  return shared.get(schema) ?? (inside === undefined ? undefined : sharedPart(inside, shared));
}

/** What may be written, in words; of text and numbers it is the schema's own text of what is allowed. */
function words(schema: Schema, shared: SharedParts): string {
  const part = sharedPart(schema, shared);
  if (part !== undefined) return part;
  const inner = unwrapped(schema);
  const { def } = inner._zod;
  switch (def.type) {
    case 'enum':
      // A value that a refinement refuses is in the list only to be refused by its name.
      return quoted(Object.values(def.entries).filter((value) => isAccepted(inner, value)));
    case 'literal':
      return quoted(def.values);
    case 'boolean':
      return quoted([true, false]);
    case 'array':
      return collection('list', def.element, shared);
    case 'record':
      return collection('map', def.valueType, shared);
    case 'object':
      return 'map';
    case 'union':
      return unionWords(def.options, shared);
    case 'unknown':
    case 'any':
      return 'anything';
    default:
      return allowedText(inner);
  }
}

function quoted(values: readonly unknown[]): string {
  return values.map((value) => `\`${value}\``).join(', ');
}

function collection(kind: 'list' | 'map', item: Schema, shared: SharedParts): string {
  const said = words(item, shared);
  if (said === 'map') return `${kind} of maps`;
  return /^(`|text|list)/.test(said) ? `${kind} of ${said}` : `${kind}, each ${said}`;
}

function unionWords(options: readonly Schema[], shared: SharedParts): string {
  const tags = options.flatMap(shapeOf).map(tagOf);
  const [first] = tags;
  if (first !== undefined && tags.every((tag) => tag?.key === first.key)) {
    return `map with \`${first.key}\`: ${quoted(tags.map((tag) => tag?.value))}`;
  }
  return [...new Set(options.map((option) => words(option, shared)))].join(', or ');
}

/** The shape of a map that is not only there to be refused by its name. */
function shapeOf(option: Schema): Shape[] {
  const { def } = unwrapped(option)._zod;
  if (def.type !== 'object') return [];
  const tag = tagOf(def.shape);
  const probe = tag === undefined ? {} : { [tag.key]: tag.value };
  const isRefused = issuesOf(option, probe).some(({ params }) => params?.['code'] === 'unsupported');
  return isRefused ? [] : [def.shape];
}

/** The key with one possible value, as `type: api-key`, or with that and older names of it behind. */
function tagOf(shape: Shape): { key: string; value: string } | undefined {
  for (const [key, at] of Object.entries(shape)) {
    const [value] = at._zod.values ?? [];
    const isTag = at._zod.values?.size === 1 || (at as z.core.$ZodTypes)._zod.def.type === 'literal';
    if (isTag) return { key, value: String(value) };
  }
  return undefined;
}

function allowedText(schema: z.core.$ZodTypes): string {
  // The largest number finds an upper bound that stands in a check of its own.
  const said = errorText(schema, Number.MAX_VALUE) ?? errorText(schema, Symbol('wrong'));
  if (said === undefined) return schema._zod.def.type === 'string' ? 'text' : schema._zod.def.type;
  const [, most] = /^one line of text, 1 to (\d+) characters, without control characters$/.exec(said) ?? [];
  if (most === undefined) return said;
  return Number(most) >= 4096 ? 'text' : `text, up to ${most} characters`;
}

/** What a schema says of a value that it does not take, where its author wrote a text for it. */
function errorText(schema: Schema, value: unknown): string | undefined {
  const [issue] = issuesOf(schema, value);
  const error: unknown = issue === undefined ? undefined : (issue.inst?._zod.def ?? schema._zod.def).error;
  const said: unknown = typeof error === 'function' ? error(issue) : undefined;
  return typeof said === 'string' ? said : undefined;
}

function isAccepted(schema: Schema, value: unknown): boolean {
  return issuesOf(schema, value).length === 0;
}

type Issue = z.core.$ZodRawIssue & { params?: Readonly<Record<string, unknown>> };

function issuesOf(schema: Schema, value: unknown): Issue[] {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  return result instanceof Promise ? [] : result.issues;
}

function parsed(schema: Schema, value: unknown): unknown {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  return result instanceof Promise ? undefined : result.value;
}
