type Camel<S> = S extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : S;

/** The keys of `T` in camel case; those that may be undefined may be absent instead. */
export type CamelKeys<T> = {
  [K in keyof T as undefined extends T[K] ? never : Camel<K>]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? Camel<K> : never]?: Exclude<T[K], undefined>;
};

/** A section of a manifest as the code names its keys: `max_body_bytes` → `maxBodyBytes`. Values stay as they are. */
export function camelKeys<T extends object>(written: T): CamelKeys<T> {
  const entries = Object.entries(written).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [camelCase(key), value])) as CamelKeys<T>;
}

function camelCase(key: string): string {
  return key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
