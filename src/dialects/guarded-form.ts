import { numberAsWritten } from '../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../codec/json-value.ts';
import { DataEntry, isPlainName, numberIn } from './data-entry.ts';

/** What a text is: words for people, what a model thought, or arguments of a tool call as JSON. */
export type TextKind = 'text' | 'reasoning' | 'arguments';

/** A place in a parsed body or event where words stand: `holder[key]` is a string, and may be set to another. */
export interface TextSlot {
  readonly holder: Record<string, unknown>;
  readonly key: string;
  readonly kind: TextKind;
  /** The role of the message in a request, such as `user`. */
  readonly role?: string;
  /** The text that it goes on with, of events and of parts of a whole answer; absent: it is whole by itself. */
  readonly channel?: string;
  /** What repeats the words of this slot beside it, and what stands there where they are changed. */
  readonly repeats?: { readonly holder: Record<string, unknown>; readonly key: string; readonly instead: unknown };
}

/** What an event of a stream has for those who read its words. */
export interface GuardedEvent {
  readonly slots: readonly TextSlot[];
  /** Beginnings of the names of channels that are over behind it. */
  readonly ends: readonly string[];
  /** What differs in each event with words and means nothing: a text that hides their length; the key of its number. */
  readonly meaningless?: { readonly padding?: string | undefined; readonly counter?: string | undefined };
  /** Something was taken out of it that tells words which other events have: it is written anew. */
  readonly isStripped?: boolean;
}

export interface GuardedStream {
  /** Whether an event certainly has no words, told without parsing it; absent: each is parsed. */
  skips?(event: Buffer): boolean;
  /** Reads one parsed event. */
  read(event: JsonObject): GuardedEvent;
}

/** Where the words of a form stand. Slots are of the very objects that were handed in. */
export interface GuardedForm {
  request(body: JsonObject): TextSlot[];
  /** Absent: no words are generated. */
  answer?(body: JsonObject): TextSlot[];
  /** Absent: it has no streams. */
  stream?(): GuardedStream;
  /** An answer that is no JSON is one text. */
  readonly isPlain?: true;
}

export const NO_WORDS: GuardedEvent = { slots: [], ends: [] };

type AboutSlot = Omit<TextSlot, 'holder' | 'key'>;

/** A slot where the value is a string that is not empty. */
export function slotAt(holder: unknown, key: string, about: AboutSlot): TextSlot | undefined {
  if (!isHolder(holder)) return undefined;
  const text = holder[key];
  return typeof text === 'string' && text !== '' ? { holder, key, ...about } : undefined;
}

/** Which strings below a value are words. */
interface Below {
  enters(key: string, holder: Readonly<Record<string, unknown>>): boolean;
  takes(text: string, holder: Readonly<Record<string, unknown>>, key: string): boolean;
  /** Numbers and keys may say something, too: it is data of somebody's own. */
  readonly isData?: true;
}

const STRINGS: Below = { enters: () => true, takes: () => true };
const DATA: Below = { ...STRINGS, isData: true };

/** Names, and what is sealed: no words of anybody. */
const NO_WORDS_KEY = /^(?:type|id|signature|media_type|encrypted_.*|.*_id)$/;

const QUOTES: Below = {
  enters: (key) => !NO_WORDS_KEY.test(key),
  takes: (text, holder, key) => !text.startsWith('data:') && !(key === 'data' && holder['type'] === 'base64'),
};

/** Slots of all strings below a value. */
export function stringsBelow(holder: unknown, key: string, about: AboutSlot, into: TextSlot[]): void {
  collect(holder, key, about, into, STRINGS);
}

/**
 * As `stringsBelow`, of data such as arguments of a tool: with numbers that are long enough to say something, whose place a
 * string takes, and with keys that are not plain names.
 */
export function slotsBelow(holder: unknown, key: string, about: AboutSlot, into: TextSlot[]): void {
  collect(holder, key, about, into, DATA);
}

/**
 * As `stringsBelow`, of what quotes words or tells what a tool of the provider's found: names of kinds and ids, what is sealed,
 * and media within are left out.
 */
export function quotesBelow(holder: unknown, key: string, about: AboutSlot, into: TextSlot[]): void {
  collect(holder, key, about, into, QUOTES);
}

/** As `stringsBelow`, without what stands at keys that hold no words of anybody. */
export function wordsBelow(
  holder: unknown,
  key: string,
  about: AboutSlot,
  into: TextSlot[],
  isNoWord: (key: string, holder: Readonly<Record<string, unknown>>) => boolean,
): void {
  collect(holder, key, about, into, { ...STRINGS, enters: (each, within) => !isNoWord(each, within) });
}

function collect(holder: unknown, key: string, about: AboutSlot, into: TextSlot[], below: Below): void {
  if (!isHolder(holder)) return;
  const value = holder[key];
  const entry = below.isData && !isArray(holder) && !isPlainName(key) ? new DataEntry(holder, key) : undefined;
  if (typeof value === 'string') {
    if (value !== '' && below.takes(value, holder, key)) into.push({ ...(entry?.text ?? { holder, key }), ...about });
  } else if (below.isData && numberIn(value) !== undefined) {
    into.push({ ...(entry ?? new DataEntry(holder, key)).text, ...about });
  } else if (isHolder(value) && numberAsWritten(value) === undefined) {
    for (const each of Object.keys(value)) if (below.enters(each, value)) collect(value, each, about, into, below);
  }
  if (entry) into.push({ ...entry.name, ...about });
}

/** Whether chances of tokens are told. Beside no words they are those of words in other events, and no guard reads them. */
export function hasTokens(logprobs: unknown): boolean {
  return isArray(logprobs)
    ? logprobs.length > 0
    : isObject(logprobs) && Object.values(logprobs).some((each) => isArray(each) && each.length > 0);
}

/** Parsed JSON is ours alone: its objects and lists may be changed. */
function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
