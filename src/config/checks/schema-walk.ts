import { z } from 'zod';

/** The way through the layers that Zod puts around a schema: optional, default, transform, union. */

export type Schema = z.core.$ZodType;

/** How a schema is marked as restricting (scalar-schema.ts), at any of its layers. */
export function restrictionOf(schema: Schema | undefined): 'within' | 'key' | undefined {
  let mark: 'within' | 'key' | undefined;
  for (let at = schema as z.core.$ZodTypes | undefined; at !== undefined; at = innerOf(at)) {
    const found = z.globalRegistry.get(at)?.['restricting'];
    if (found === 'within') return found;
    if (found === 'key') mark = found;
  }
  return mark;
}

/** One layer less: below optional, default, transform. Undefined where there is none. */
function innerOf(schema: z.core.$ZodTypes): z.core.$ZodTypes | undefined {
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
