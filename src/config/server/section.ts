import { z } from 'zod';
import { keyWithDefault, text, wholeNumber } from '../scalar-schema.ts';

export const gibibyte = 1024 ** 3;

/** 0 = no limit. */
export const milliseconds = wholeNumber(0, 86_400_000);

/** A group of keys of which each has a default: absent, it is all defaults. */
export function section<T extends z.ZodObject>(object: T) {
  return object.nullish().transform((value): z.output<T> => value ?? object.parse({}));
}

export const metadataKeys = keyWithDefault(z.array(text(128)).max(16, { error: 'at most 16 keys' }), []);
