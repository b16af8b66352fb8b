// Where a cursor stands in YAML text.

/**
 * Where a cursor stands in YAML text: the kind of its manifest, and the keys from the outermost to the one that it is in.
 * Told by indentation and by brackets on its line; it need not be right where the text is none of YAML.
 */
export function placeAt(text, cursor) {
  const lines = text.slice(0, cursor).split('\n');
  const whole = text.split('\n');
  const at = lines.length - 1;
  const start = whole.findLastIndex((line, index) => index <= at && /^---/.test(line)) + 1;
  const end = whole.findIndex((line, index) => index > at && /^---/.test(line));
  const document = whole.slice(start, end === -1 ? undefined : end);
  const type = /^type: *["']?([^"'#\s]+)/.exec(document.find((line) => line.startsWith('type:')) ?? '')?.[1];
  const path = [];
  let below = Number.POSITIVE_INFINITY;
  // On an empty line the cursor itself says how deep it is.
  const isEmpty = whole[at].trim() === '';
  if (isEmpty) below = lines[at].length;
  for (let index = isEmpty ? at - 1 : at; index >= start; index -= 1) {
    const found = keyOf(whole[index]);
    if (found === undefined || found.indent >= below) continue;
    path.unshift(found.key);
    // A list may stand as deep as its key.
    below = found.isItem ? found.dash + 0.5 : found.indent;
    if (below === 0) break;
  }
  const [word] = /^[\w.$/-]*/.exec(whole[at].slice(lines[at].length));
  return { type, path: [...path, ...inBrackets(lines[at] + word)], isEmpty };
}

/** The key that a line begins with, behind dashes. */
function keyOf(line) {
  const [, spaces, dashes, key] = /^( *)((?:- +)*)["']?([\w.$/-]+)["']?:(?: |$)/.exec(line) ?? [];
  if (key === undefined) return undefined;
  return { key, dash: spaces.length, indent: spaces.length + dashes.length, isItem: dashes !== '' };
}

/** Keys of `{a: {b: …` that are open at the end of a piece of a line. */
function inBrackets(line) {
  const [, flow] = /^[^{[#]*?: +([{[].*)$/.exec(line) ?? /^ *(?:- +)+([{[].*)$/.exec(line) ?? [];
  if (flow === undefined) return [];
  const open = [];
  let word = '';
  let quote;
  for (const character of flow) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word += character;
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '{' || character === '[') {
      open.push({ key: undefined, isMap: character === '{' });
      word = '';
    } else if (character === '}' || character === ']') {
      open.pop();
      word = '';
    } else if (character === ',') {
      if (open.at(-1)) open.at(-1).key = undefined;
      word = '';
    } else if (character === ':' && open.at(-1)?.isMap && open.at(-1).key === undefined) {
      open.at(-1).key = word.trim();
      word = '';
    } else word += character;
  }
  const last = open.at(-1);
  if (last?.isMap && last.key === undefined && word.trim() !== '') last.key = word.trim();
  return open.flatMap(({ key }) => (key ? [key] : []));
}
