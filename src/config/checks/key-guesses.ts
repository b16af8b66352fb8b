import { nearNames } from '../../core/near-names.ts';
import { restrictionOf, type Schema } from './schema-walk.ts';

export interface Guesses {
  /** What it may be a misspelling of, where that must not be ignored. */
  restrictions: string[];
  others: string[];
}

/** What somebody who wrote this key may have meant, among the keys of a map. `restricts`: all of them restrict. */
export function guessesOf(
  key: string,
  shape: Readonly<Record<string, Schema>>,
  map: Readonly<Record<string, unknown>>,
  restricts: boolean,
): Guesses {
  const names = Object.keys(shape);
  const marks = new Map(names.map((name) => [name, restrictionOf(shape[name])]));
  const near = nearNames(key, names);
  const absent = (name: string): boolean => !Object.hasOwn(map, name);
  const byWords = fewestMore(
    key,
    names.filter((name) => absent(name) && holdOneAnother(key, name)),
  );
  const meant = names.filter((name) => {
    const mark = marks.get(name);
    return mark?.otherNames.includes(key.toLowerCase()) || (mark?.reach === 'within' && shareWord(key, name));
  });
  const byLetters = restricts ? near : near.filter((name) => marks.get(name) !== undefined);
  // A key that is there already is hardly meant a second time; but two restrictions of one name are a typing error.
  const likely = byLetters.filter((name) => marks.get(name) !== undefined || absent(name));
  if (likely.length > 0) return { restrictions: likely, others: [] };
  if (meant.length > 0) return { restrictions: fewestMore(key, [...new Set([...meant, ...byWords])]), others: [] };
  if (byLetters.length > 0) return { restrictions: byLetters, others: [] };
  return { restrictions: [], others: near.length > 0 ? near : byWords };
}

/** Among the names that share words with a key, those with the fewest more words. */
function fewestMore(key: string, names: readonly string[]): string[] {
  const more = (name: string): number => Math.abs(wordsOf(name).length - wordsOf(key).length);
  const least = Math.min(...names.map(more));
  return names.filter((name) => more(name) === least).slice(0, 3);
}

/** Words that begin alike are one word with another ending: `expires`, `expiry` and `expiration`. */
const ALIKE_LETTERS = 5;
/** Shorter ones (`id`, `to`, `per`, `key`) are in too many names to say anything. */
const MIN_SHARED_LETTERS = 4;

/** `allowed_models` shares one with `models`, `api_base` with `base_url`; and `not` is all of `not_in` but its end. */
function shareWord(key: string, name: string): boolean {
  const [words, others] = [wordsOf(key), wordsOf(name)];
  const shared = words.some((word) => others.some((other) => isSameWord(word, other)));
  return shared || holdOneAnother(key, name);
}

function isSameWord(word: string, other: string): boolean {
  if (word === other) return word.length >= MIN_SHARED_LETTERS;
  return word.length >= ALIKE_LETTERS && word.slice(0, ALIKE_LETTERS) === other.slice(0, ALIKE_LETTERS);
}

/** Whether all words of one are in the other: `cert` is in `cert_file`. */
function holdOneAnother(key: string, name: string): boolean {
  const [words, others] = [wordsOf(key), wordsOf(name)];
  const [few, many] = words.length < others.length ? [words, others] : [others, words];
  return few.length > 0 && few.length < many.length && few.every((word) => many.includes(word));
}

function wordsOf(key: string): string[] {
  return key
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}
