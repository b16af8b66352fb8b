export type ModelMatcher = (model: string) => boolean;

/** By the identity of the list: a principal's patterns are compiled once, and forgotten with it. */
const compiled = new WeakMap<readonly string[], ModelMatcher>();

/**
 * Whether any pattern covers a canonical model name. `*` stands for any run of characters, empty and `/` included; all
 * else is taken letter by letter, case too. An empty list covers nothing. No regular expressions: the parts between
 * stars are looked for one after the other from the left, so a pattern of many stars cannot make it backtrack.
 */
export function compilePatterns(patterns: readonly string[]): ModelMatcher {
  let matcher = compiled.get(patterns);
  if (matcher === undefined) {
    matcher = compile(patterns);
    compiled.set(patterns, matcher);
  }
  return matcher;
}

function compile(patterns: readonly string[]): ModelMatcher {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  const general: string[][] = [];
  for (const pattern of patterns) {
    const parts = pattern.split('*');
    // Empty parts in the middle are `**`, which says no more than `*`.
    const [first = '', last = ''] = [parts[0], parts.at(-1)];
    const middle = parts.slice(1, -1).filter((part) => part !== '');
    if (parts.length === 1) exact.add(pattern);
    else if (last === '' && middle.length === 0) prefixes.push(first);
    else general.push([first, ...middle, last]);
  }
  if (prefixes.includes('')) return () => true;
  return (model) =>
    exact.has(model) ||
    prefixes.some((prefix) => model.startsWith(prefix)) ||
    general.some((parts) => covers(parts, model));
}

/** First part at the start, last part at the end, the others in between in order, none overlapping. */
function covers(parts: readonly string[], model: string): boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  const end = model.length - last.length;
  if (end < first.length || !model.startsWith(first) || !model.endsWith(last)) return false;
  let at = first.length;
  for (let index = 1; index < parts.length - 1; index += 1) {
    const part = parts[index] ?? '';
    const found = model.indexOf(part, at);
    // The leftmost place leaves the most room for the rest, so it need never be taken back.
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
