import { z } from 'zod';

/** The way through the layers that Zod puts around a schema: optional, default, transform, union. */

export type Schema = z.core.$ZodType;

export interface Restriction {
  /** `within`: what stands in it is restricting as well. */
  readonly reach: 'within' | 'key';
  readonly otherNames: readonly string[];
}

/** How a schema is marked as restricting (scalar-schema.ts), at any of its layers. */
export function restrictionOf(schema: Schema | undefined): Restriction | undefined {
  let mark: Restriction | undefined;
  for (let at = schema as z.core.$ZodTypes | undefined; at !== undefined; at = innerOf(at)) {
    const { restricting, otherNames } = z.globalRegistry.get(at) ?? {};
    if (restricting === 'within')
      return { reach: restricting, otherNames: Array.isArray(otherNames) ? otherNames : [] };
    if (restricting === 'key') mark = { reach: restricting, otherNames: [] };
  }
  return mark;
}

/** One layer less: below optional, default, transform. Undefined where there is none. */
export function innerOf(schema: z.core.$ZodTypes): z.core.$ZodTypes | undefined {
  const { def } = schema._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return def.innerType as z.core.$ZodTypes;
    case 'lazy':
      return def.getter() as z.core.$ZodTypes;
    case 'pipe':
      return ((def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in) as z.core.$ZodTypes;
    default:
      return undefined;
  }
}

/** The schema below all layers; of a union each of its members. */
export function membersOf(schema: Schema): z.core.$ZodTypes[] {
  const known = schema as z.core.$ZodTypes;
  const { def } = known._zod;
  if (def.type === 'union') return def.options.flatMap(membersOf);
  const inner = innerOf(known);
  return inner === undefined ? [known] : membersOf(inner);
}
