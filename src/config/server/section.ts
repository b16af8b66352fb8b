import { z } from 'zod';
import { keyWithDefault, text, wholeNumber } from '../scalar-schema.ts';

export const gibibyte = 1024 ** 3;

export const port = wholeNumber(0, 65_535);

const ratioError = 'a number from 0 to 1';

export const ratio = z.number({ error: ratioError }).min(0, { error: ratioError }).max(1, { error: ratioError });

/** 0 = no limit. */
export const milliseconds = wholeNumber(0, 86_400_000);

/** A group of keys of which each has a default: absent, it is all defaults. */
export function section<T extends z.ZodObject>(object: T) {
  return object.nullish().transform((value): z.output<T> => value ?? object.parse({}));
}

export const metadataKeys = keyWithDefault(z.array(text(128)).max(16, { error: 'at most 16 keys' }), []);
