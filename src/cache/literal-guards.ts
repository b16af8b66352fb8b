import { hash } from 'node:crypto';
import {
  FREQUENT_WORDS,
  LANGUAGE_WORDS,
  LANGUAGES,
  NEGATED,
  NUMBER_WORDS,
  OPENERS,
  POLAR_WORDS,
  UNSPACED_NEGATION,
} from './literal-words.ts';

/*
 * What of a question has to be the same, word for word and in order, before another question's answer may be given. Vectors
 * of "turn on 2FA" and "disable 2FA" are closer than those of two ways to say one thing, so no threshold tells them apart.
 */

/** Each is compared by itself, in this order. */
export const LITERAL_KINDS = ['numbers', 'negation', 'identifiers', 'quotes', 'languages'] as const;
export type LiteralKind = (typeof LITERAL_KINDS)[number];

/** One 32-bit digest for each of LITERAL_KINDS: nothing of the text is kept. */
export type LiteralDigests = Int32Array;

const WORD = /[\p{L}\p{M}]+(?:['’][\p{L}]+)*/gu;
/** With a short unit behind it: milligrams are no kilograms. */
const NUMBER =
  /[+−-]?\p{Nd}+(?:[.,:/−-]\p{Nd}+)*(?:\s?(?:[%‰°€$£¥]|\p{L}{1,3}(?![\p{L}\p{M}])))?|[€$£¥½¼¾²³√π∞<>=≤≥≠±×÷^]/gu;
const QUOTE =
  /```[\s\S]*?(?:```|$)|`[^`\n]+`|"[^"\n]+"|“[^”]+”|„[^“”]+[“”]|«[^»]+»|「[^」]+」|(?<![\p{L}\p{N}])'[^'\n]+'(?![\p{L}\p{N}])/gu;
const CAPITALISED = /^\p{Lu}/u;
const EDGES = /^[^\p{L}\p{N}@#$_/\\.+-]+|[^\p{L}\p{N}_/\\#+]+$/gu;
const IDENTIFIER =
  /[_@/\\#]|::|[\p{L}\p{N}]\.[\p{L}\p{N}]|\p{Ll}\p{Lu}|^\p{Lu}{2,}$|\p{L}\p{N}|\p{N}\p{L}|^[\p{L}]\+\+$|^--?\p{L}/u;
const SCRIPTS: readonly (readonly [string, RegExp])[] = [
  ['latin', /\p{Script=Latin}/u],
  ['cyrillic', /\p{Script=Cyrillic}/u],
  ['greek', /\p{Script=Greek}/u],
  ['han', /\p{Script=Han}/u],
  ['kana', /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ['hangul', /\p{Script=Hangul}/u],
  ['arabic', /\p{Script=Arabic}/u],
  ['hebrew', /\p{Script=Hebrew}/u],
  ['devanagari', /\p{Script=Devanagari}/u],
  ['thai', /\p{Script=Thai}/u],
];

export function literalsOf(text: string): LiteralDigests {
  const found = literalTexts(text);
  return Int32Array.from(LITERAL_KINDS, (kind) => {
    const list = found[kind];
    return list.length === 0 ? 0 : hash('sha256', list.join('\n'), 'buffer').readInt32LE(0);
  });
}

/** The first kind in which they differ; undefined: in none. */
export function differingLiteral(one: LiteralDigests, other: LiteralDigests): LiteralKind | undefined {
  return LITERAL_KINDS.find((_, index) => one[index] !== other[index]);
}

function literalTexts(written: string): Record<LiteralKind, readonly string[]> {
  const text = written.normalize('NFC');
  const spelled = text.match(WORD) ?? [];
  const lower = spelled.map((word) => word.toLowerCase().replaceAll('’', "'"));
  return {
    numbers: [...(text.match(NUMBER) ?? []).map(squeezed), ...lower.filter((word) => NUMBER_WORDS.has(word))],
    negation: [...lower.filter(isPolar), ...(text.match(UNSPACED_NEGATION) ?? [])],
    identifiers: [...identifiersOf(text), ...spelled.filter((word, index) => isName(word, lower[index]!))],
    quotes: text.match(QUOTE) ?? [],
    languages: [...scriptsOf(text), languageOf(lower), ...lower.filter((word) => LANGUAGE_WORDS.has(word))],
  };
}

function squeezed(number: string): string {
  return number.replace(/\s/gu, '').toLowerCase();
}

function isPolar(word: string): boolean {
  return POLAR_WORDS.has(word) || word.endsWith("n't") || NEGATED.test(word);
}

function identifiersOf(text: string): string[] {
  return text
    .split(/\s+/u)
    .map((piece) => piece.replace(EDGES, ''))
    .filter((piece) => piece !== '' && IDENTIFIER.test(piece));
}

function isName(word: string, lower: string): boolean {
  return CAPITALISED.test(word) && !OPENERS.has(lower);
}

function scriptsOf(text: string): string[] {
  return SCRIPTS.filter(([, letters]) => letters.test(text)).map(([name]) => name);
}

/** The language most of whose frequent words stand there; empty: of none. */
function languageOf(lower: readonly string[]): string {
  let best = '';
  let most = 0;
  for (const language of LANGUAGES) {
    const count = lower.filter((word) => FREQUENT_WORDS.has(`${language} ${word}`)).length;
    if (count > most) [best, most] = [language, count];
  }
  return best;
}
