/** Only door to the tokenizer; loaded inside the task pool alone (o200k costs 180 ms and 70 MB, cl100k 70 ms and 20). */

export type TokenCounter = (text: string) => number;

interface Encoding {
  countTokens(text: string, options: { disallowedSpecial: Set<string> }): number;
  setMergeCacheSize(size: number): void;
}

const older = /(^|\/)(gpt-4(-|$)|gpt-3|gpt-35|text-embedding|text-davinci)/;
const loaded = new Map<string, Promise<TokenCounter>>();

/** o200k for everything newer (and for other vendors' models, whose vocabularies are of that size), else cl100k. */
export function counterFor(model: string): Promise<TokenCounter> {
  const name = older.test(model) ? 'cl100k_base' : 'o200k_base';
  let counter = loaded.get(name);
  if (counter === undefined) {
    counter = load(name);
    loaded.set(name, counter);
  }
  return counter;
}

async function load(name: 'cl100k_base' | 'o200k_base'): Promise<TokenCounter> {
  const encoding: Encoding =
    name === 'cl100k_base'
      ? await import('gpt-tokenizer/encoding/cl100k_base')
      : await import('gpt-tokenizer/encoding/o200k_base');
  // Its default keeps 100,000 merged words.
  encoding.setMergeCacheSize(10_000);
  return (text) => countBounded(text, encoding);
}

/** Text up to this length is counted whole; of a longer one this much, in 32 windows spread over it, and scaled. */
const MAX_COUNTED = 65_536;
const WINDOWS = 32;
const WINDOW = MAX_COUNTED / WINDOWS;

/** What looks like `<|endoftext|>` in a prompt is text there; the tokenizer would throw. */
const asText = { disallowedSpecial: new Set<string>() };

function countBounded(text: string, encoding: Encoding): number {
  if (text.length <= MAX_COUNTED) return countPieces(text, 0, text.length, encoding);
  let counted = 0;
  for (let window = 0; window < WINDOWS; window++) {
    const start = Math.floor((window * (text.length - WINDOW)) / (WINDOWS - 1));
    counted += countPieces(text, start, start + WINDOW, encoding);
  }
  return Math.round((counted * text.length) / MAX_COUNTED);
}

/**
 * In pieces of 192 characters, cut before a space where there is one. Merging is quadratic in a run without a break
 * (letters, spaces, CJK): one of a megabyte would take hours. A cut elsewhere costs at most a token.
 */
const PIECE = 192;

function countPieces(text: string, from: number, to: number, encoding: Encoding): number {
  let tokens = 0;
  let start = from;
  while (start < to) {
    let end = Math.min(start + PIECE, to);
    if (end < to) {
      const space = text.lastIndexOf(' ', end);
      if (space > start + PIECE / 2) end = space;
      else if (isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    }
    tokens += encoding.countTokens(text.slice(start, end), asText);
    start = end;
  }
  return tokens;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
