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

type Camel<S> = S extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : S;

type CamelValue<V> = V extends readonly unknown[] ? V : V extends object ? CamelKeys<V> : V;

/** The keys of `T` in camel case; those that may be undefined may be absent instead. */
type CamelKeys<T> = {
  [K in keyof T as undefined extends T[K] ? never : Camel<K>]: CamelValue<T[K]>;
} & {
  [K in keyof T as undefined extends T[K] ? Camel<K> : never]?: CamelValue<Exclude<T[K], undefined>>;
};

/** A section as the code reads it: `max_body_bytes` is `maxBodyBytes`. What its keys mean stands with the schema. */
export type SettingsOf<T extends z.ZodType> = CamelKeys<z.output<T>>;

/** Keys of objects within are renamed as well, those of what stands in lists are not. */
export function camelKeys<T extends object>(written: T): CamelKeys<T> {
  const entries = Object.entries(written).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [camelCase(key), camelValue(value)])) as CamelKeys<T>;
}

function camelValue(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? camelKeys(value) : value;
}

function camelCase(key: string): string {
  return key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
