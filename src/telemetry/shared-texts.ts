/** Of each of two generations. */
const MOST_TEXTS = 4_096;

let young = new Map<string, string>();
let old = new Map<string, string>();

/**
 * The same text as before, where there was one: each frame brings its labels as new ones, and whoever remembers something by
 * them would read them to the end to find them equal. What is asked for again survives, what is not is forgotten.
 */
export function sharedText(text: string): string {
  let shared = young.get(text);
  if (shared !== undefined) return shared;
  shared = old.get(text) ?? text;
  if (young.size >= MOST_TEXTS) {
    old = young;
    young = new Map();
  }
  young.set(shared, shared);
  return shared;
}
