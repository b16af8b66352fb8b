/**
 * A value that is made when it is first asked for. Schemas of kinds that no manifest has would cost each thread a
 * millisecond of its start.
 */
export function madeOnce<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
