import { isKeyAt, stringEndAt } from './json-object-walk.ts';
import { JsonPeek, type PeekFault } from './json-peek.ts';
import { NO_KEY, PeekKeys } from './peek-keys.ts';

/** `bytes` in the place of body[start, end). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/** What becomes of one key of a JSON object whose reader knows it by another name, in other words, or not at all. */
export interface KeyRule {
  readonly key: string;
  /** Its pair is left out: `all`, or where its value is one of these, written in JSON without blanks. */
  readonly drop?: 'all' | readonly string[];
  /** The host refuses this key: a value that is not in `omit` becomes a 400. A `null` is always left out. */
  readonly refuse?: boolean;
  /** Its name for the reader; where the object has that key as well, this pair is left out. */
  readonly rename?: string;
  /** A value → what the reader understands in its place, both in JSON without blanks. */
  readonly words?: Readonly<Record<string, string>>;
}

export type RuleFault = { readonly kind: 'refused'; readonly key: string } | PeekFault;

/** Longer values are none of the words that rules know. */
const MAX_WORD_BYTES = 256;
const NOTHING = Buffer.alloc(0);
const QUOTE = 0x22;
const COMMA = 0x2c;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

interface CompiledRule {
  readonly drop: 'all' | ReadonlySet<string>;
  readonly refuse: boolean;
  readonly rename: { readonly index: number; readonly name: Buffer } | undefined;
  readonly words: ReadonlyMap<string, Buffer>;
}

function stands(body: Buffer, key: Buffer, start: number, end: number): boolean {
  const at = body.indexOf(key, start);
  return at >= 0 && at < end;
}

/** Where one key of an object stands: from its quote to behind its quote, and its value. */
interface Pair {
  readonly index: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  start: number;
  end: number;
}

/**
 * Rules for the keys of an object, compiled once for each configuration. They edit the bytes: what no rule is about stays
 * as it was written.
 */
export class KeyRules {
  readonly #keys: PeekKeys;
  /** Each key that a rule is about, in its quotes. */
  readonly #quoted: readonly Buffer[];
  /** By index of the key; undefined: its presence alone matters to another. */
  readonly #rules: readonly (CompiledRule | undefined)[];

  constructor(rules: readonly KeyRule[]) {
    const names = [...new Set(rules.flatMap(({ key, rename }) => (rename === undefined ? [key] : [key, rename])))];
    this.#keys = new PeekKeys(names);
    this.#quoted = rules.map(({ key }) => Buffer.from(JSON.stringify(key)));
    this.#rules = names.map((name) => {
      const rule = rules.find(({ key }) => key === name);
      return rule && compiled(rule, names);
    });
  }

  /**
   * The edits of a whole body, in order. What stands at [skipStart, skipEnd), the value of another of its keys, is not
   * read: in a chat that is nearly all of it. The grammar of the body was checked before.
   */
  ofBody(body: Buffer, skipStart: number, skipEnd: number): Edit[] | RuleFault {
    const before = new JsonPeek(this.#keys);
    if (!before.advance(body, skipStart)) return before.fault!;
    const after = new JsonPeek(this.#keys, behindComma(body, skipEnd));
    if (!after.advance(body, body.length)) return after.fault!;
    const pairs: Pair[] = [];
    for (const [index, name] of this.#keys.names.entries()) {
      if (before.starts[index] !== -1 && after.starts[index] !== -1) {
        return { kind: 'repeated', key: name, at: after.starts[index]! };
      }
      const found = before.starts[index] === -1 ? after : before;
      const start = found.starts[index]!;
      if (start === -1) continue;
      const keyEnd = body.lastIndexOf(QUOTE, start - 1) + 1;
      pairs.push({ index, keyStart: keyEnd - name.length - 2, keyEnd, start, end: found.ends[index]! });
    }
    pairs.sort((one, other) => one.keyStart - other.keyStart);
    const edits: Edit[] = [];
    const refused = this.#edit(body, pairs, edits);
    return refused === undefined ? edits : { kind: 'refused', key: refused };
  }

  /**
   * The edits of every object of the array at body[start, end), in order. Where none of the keys stands in it, as in most
   * requests, this is one native search for each.
   */
  ofObjects(body: Buffer, start: number, end: number): Edit[] | RuleFault {
    const edits: Edit[] = [];
    if (!this.#quoted.some((key) => stands(body, key, start, end))) return edits;
    let pairs: Pair[] = [];
    let open: Pair | undefined;
    let depth = 0;
    let at = start;
    while (at < end) {
      const byte = body[at]!;
      if (byte === QUOTE) {
        const from = at;
        at = stringEndAt(body, from);
        if (depth !== 2 || open !== undefined || !isKeyAt(body, at)) continue;
        const index = this.#keys.find(body, from + 1, at - 1);
        if (index < 0 || index === NO_KEY) continue;
        open = { index, keyStart: from, keyEnd: at, start: -1, end: -1 };
        pairs.push(open);
        at = valueStart(body, at);
        open.start = at;
        continue;
      }
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COMMA) {
        if (depth === 2 && open !== undefined) {
          open.end = behindText(body, at);
          open = undefined;
        }
        if (byte !== COMMA) depth -= 1;
        if (depth === 1 && pairs.length > 0) {
          const refused = this.#edit(body, pairs, edits);
          if (refused !== undefined) return { kind: 'refused', key: refused };
          pairs = [];
        }
      }
      at += 1;
    }
    return edits;
  }

  /** Pairs of one object, in order. The key that is refused, if one is. */
  #edit(body: Buffer, pairs: readonly Pair[], edits: Edit[]): string | undefined {
    const firstOfObject = edits.length;
    for (const pair of pairs) {
      const rule = this.#rules[pair.index];
      if (rule === undefined) continue;
      const { rename, words, drop } = rule;
      const word = wordAt(body, pair);
      const known = rename !== undefined && pairs.some(({ index }) => index === rename.index);
      if (known || drop === 'all' || (word !== undefined && drop.has(word))) {
        leaveOut(body, pair, edits, firstOfObject);
        continue;
      }
      if (rule.refuse) return this.#keys.names[pair.index];
      if (rename !== undefined) edits.push({ start: pair.keyStart, end: pair.keyEnd, bytes: rename.name });
      const other = word === undefined ? undefined : words.get(word);
      if (other !== undefined) edits.push({ start: pair.start, end: pair.end, bytes: other });
    }
    return undefined;
  }
}

function compiled({ drop = [], refuse = false, rename, words = {} }: KeyRule, names: readonly string[]): CompiledRule {
  return {
    drop: drop === 'all' ? drop : new Set(refuse ? [...drop, 'null'] : drop),
    refuse,
    rename:
      rename === undefined
        ? undefined
        : { index: names.indexOf(rename), name: Buffer.from(JSON.stringify(rename), 'latin1') },
    words: new Map(Object.entries(words).map(([from, to]) => [from, Buffer.from(to)])),
  };
}

/** Without the comma that would be one too many. */
function leaveOut(body: Buffer, { keyStart, end }: Pair, edits: Edit[], firstOfObject: number): void {
  const next = behindSpace(body, end);
  if (body[next] === COMMA) {
    edits.push({ start: keyStart, end: next + 1, bytes: NOTHING });
    return;
  }
  // The last pair: the comma in front of it goes, and what was left out up to it.
  let start = keyStart;
  while (edits.length > firstOfObject) {
    const { start: from, end: to, bytes } = edits.at(-1)!;
    if (bytes.length > 0 || behindSpace(body, to) !== start) break;
    start = from;
    edits.pop();
  }
  const before = behindText(body, start);
  edits.push({ start: body[before - 1] === COMMA ? before - 1 : start, end, bytes: NOTHING });
}

/** The value without blanks; undefined where it is longer than any word. */
function wordAt(body: Buffer, { start, end }: Pair): string | undefined {
  if (end - start > MAX_WORD_BYTES) return undefined;
  const text = body.toString('utf8', start, end);
  return body[start] === QUOTE ? text : text.replace(/\s+/g, '');
}

/** Behind the colon that follows a key, and blanks around it. */
function valueStart(body: Buffer, keyEnd: number): number {
  return behindSpace(body, behindSpace(body, keyEnd) + 1);
}

/** Behind the comma that follows a value, if one does. */
function behindComma(body: Buffer, from: number): number {
  const at = behindSpace(body, from);
  return body[at] === COMMA ? at + 1 : at;
}

function behindSpace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && body[at]! <= SPACE) at += 1;
  return at;
}

/** Behind the last byte in front of `from` that is no blank. */
function behindText(body: Buffer, from: number): number {
  let at = from;
  while (at > 0 && body[at - 1]! <= SPACE) at -= 1;
  return at;
}
