import { JsonBalance } from './json-balance.ts';
import { JsonPeek } from './json-peek.ts';
import { type JsonObject, parseObject } from './json-value.ts';
import { PeekKeys } from './peek-keys.ts';

/*
 * The values of a few top-level keys of a JSON answer, by their keys, without parsing the rest of it. What is no valid
 * JSON by itself is left out.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT_CHARACTERS = 64;
/** To parse so much is less than to look for what is in it. */
const SHORT_END_BYTES = 1_024;

/** Undefined: the bytes are not one whole JSON object. */
export function topLevelValues(answer: Buffer, keys: PeekKeys): JsonObject | undefined {
  const peek = new JsonPeek(keys);
  peek.advance(answer, answer.length);
  // A repeated key and deep nesting do not make the JSON invalid: the caller decides what to do about them.
  if (!peek.finish() && peek.fault?.kind === 'syntax') return valuesOfLoose(answer, peek, peek.fault.at, keys);
  return valuesAt(answer, peek, keys);
}

/** Python's JSON has these words beyond the standard, and vLLM writes them among log probabilities. */
const BEYOND_JSON = /^-?(?:NaN|Infinity)/;

/** An answer with such a word is an answer all the same where its brackets close, and most of it is told. */
function valuesOfLoose(answer: Buffer, peek: JsonPeek, faultAt: number, keys: PeekKeys): JsonObject | undefined {
  const word = answer.toString('latin1', faultAt, faultAt + 10);
  if (!BEYOND_JSON.test(word)) return undefined;
  const balance = new JsonBalance();
  balance.push(answer);
  if (!balance.whole) return undefined;
  const behind = keys.names.map((name) => valuesOfEnd(answer, keys, Buffer.from(`${name}"`)));
  return Object.assign({}, ...behind, valuesAt(answer, peek, keys));
}

/** Where the value of one key stands; undefined: it is not there, or the bytes are not one whole JSON object. */
export function topLevelRange(
  answer: Buffer,
  key: string,
): { readonly start: number; readonly end: number } | undefined {
  const peek = new JsonPeek(new PeekKeys([key]));
  peek.advance(answer, answer.length);
  if (!peek.finish() || peek.starts[0]! < 0) return undefined;
  return { start: peek.starts[0]!, end: peek.ends[0]! };
}

/** Those that end within the first bytes of an object. */
export function valuesOfBeginning(bytes: Buffer, keys: PeekKeys): JsonObject {
  const peek = new JsonPeek(keys);
  peek.advance(bytes, bytes.length);
  return valuesAt(bytes, peek, keys);
}

/**
 * Those from the last place on where `key` stands, which must lead to the end of an object; undefined: it does not. What
 * is before that place is not looked at (bench: usage-reading). `key` is without its opening quote, which is the
 * commonest byte of JSON and would make the search slow. `at`: where it stands last, if that is known.
 */
export function valuesOfEnd(
  bytes: Buffer,
  keys: PeekKeys,
  key: Buffer,
  at = bytes.lastIndexOf(key),
): JsonObject | undefined {
  // An escaped quote is within a text, of which these are only the end.
  if (at < 1 || bytes[at - 1] !== QUOTE || bytes[at - 2] === BACKSLASH) return undefined;
  const parsed = bytes.length - at > SHORT_END_BYTES ? undefined : parseObject(`{${bytes.toString('utf8', at - 1)}`);
  if (parsed !== undefined) return chosen(parsed, keys);
  const peek = new JsonPeek(keys, at - 1);
  return peek.advance(bytes, bytes.length) && peek.finish() ? valuesAt(bytes, peek, keys) : undefined;
}

function chosen(object: JsonObject, { names }: PeekKeys): JsonObject {
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const value = object[name];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function valuesAt(source: Buffer, peek: JsonPeek, keys: PeekKeys): JsonObject {
  const values: Record<string, unknown> = {};
  for (let index = 0; index < keys.names.length; index += 1) {
    const start = peek.starts[index]!;
    const end = peek.ends[index]!;
    if (start < 0 || end < 0) continue;
    const text = source.toString('utf8', start, end);
    try {
      values[keys.names[index]!] = isPlain(text) ? text.slice(1, -1) : JSON.parse(text);
    } catch {
      // The client gets the bytes as they are; this value of them is unknown.
    }
  }
  return values;
}

/** A short string without escapes, which was checked on the way: the parser has nothing to do. */
function isPlain(text: string): boolean {
  return text.length <= SHORT_CHARACTERS && text.charCodeAt(0) === QUOTE && !text.includes('\\');
}
