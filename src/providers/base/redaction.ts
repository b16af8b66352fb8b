import { isSecretHeader } from '../../config/secret-names.ts';

/** What stands in the place of a secret. */
const REDACTED = '[redacted]';
/** Providers quote the beginning of a key; a shorter one is no more than its kind (`sk-`). */
const MIN_PREFIX_CHARACTERS = 8;
/** A shorter secret is a word that stands anywhere. */
const MIN_SECRET_CHARACTERS = 4;
/** The length of a piece from inside a key, which may hold words that stand anywhere. */
const PIECE_CHARACTERS = 12;
/** A longer secret is searched so far. */
const MAX_SEARCHED_CHARACTERS = 4_096;
/** In the place of the middle of a key. */
const MASK = /\*{2,}|\.{3,}|\u2026+|\u2022{2,}|[xX]{3,}/g;
/** What must be left of a masked key at both ends to know it by, and what is looked for. */
const MIN_END_CHARACTERS = 2;
const MAX_END_CHARACTERS = 12;
/** `Bearer KEY`, `Basic …`, `Token …` */
const SCHEME = /^[A-Za-z-]{3,20} +(?=\S)/;
/** An opaque value, under whatever name: long, without spaces, letters and digits mixed. */
const OPAQUE = /^(?=.*\d)(?=.*[A-Za-z])[\w.+/=~:-]{16,}$/;

/** The secrets in flat name-value pairs: what must not be read back to anybody. */
export function secretsOf(headers: readonly string[]): string[] {
  const secrets: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!;
    const bare = value.replace(SCHEME, '');
    if (!isSecretHeader(headers[i]!) && !OPAQUE.test(bare)) continue;
    secrets.push(bare);
    if (/^basic /i.test(value)) secrets.push(passwordOf(bare));
  }
  return secrets;
}

/**
 * Takes secrets out of a text, and as much of them as is worth something: beginnings, longer pieces of the inside, and both
 * ends where the middle is masked (`sk-…abcd`); also as JSON, addresses, base64 and hexadecimal digits write them, in
 * whatever case.
 */
export function redaction(secrets: readonly string[]): (words: string) => string {
  const known = [...new Set(secrets)].filter(({ length }) => length >= MIN_SECRET_CHARACTERS);
  // Most credentials are never quoted.
  let sought: Sought | undefined;
  return (words) => {
    sought ??= new Sought(known);
    return sought.takenOut(words);
  };
}

class Sought {
  readonly #secrets: readonly string[];
  /** All pieces of PIECE_CHARACTERS of what is written. */
  readonly #pieces = new Set<string>();
  /** The secrets by their beginnings. */
  readonly #beginnings: (readonly [string, readonly string[]])[];

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    const written = new Set(secrets.flatMap(plainForms));
    for (const each of [...written, ...secrets.filter(isLong).flatMap(encodedForms)].map(folded)) {
      const last = Math.min(each.length, MAX_SEARCHED_CHARACTERS) - PIECE_CHARACTERS;
      for (let at = 0; at <= last; at += 1) this.#pieces.add(each.slice(at, at + PIECE_CHARACTERS));
    }
    const byBeginning = Map.groupBy(written, (each) => each.slice(0, MIN_PREFIX_CHARACTERS));
    // A secret that holds another one goes first.
    this.#beginnings = [...byBeginning].sort(([, one], [, other]) => longest(other) - longest(one));
  }

  takenOut(words: string): string {
    const inside = this.#withoutPieces(words);
    const begun = this.#beginnings.reduce((text, [beginning, same]) => without(text, beginning, same), inside);
    return this.#withoutMasked(begun);
  }

  /** Pieces that overlap are one. */
  #withoutPieces(words: string): string {
    const text = folded(words);
    const isPiece = (at: number): boolean => this.#pieces.has(text.slice(at, at + PIECE_CHARACTERS));
    let clean = '';
    let from = 0;
    for (let at = 0; at <= text.length - PIECE_CHARACTERS; at += 1) {
      if (!isPiece(at)) continue;
      let end = at + PIECE_CHARACTERS;
      while (isPiece(end - PIECE_CHARACTERS + 1)) end += 1;
      clean += words.slice(from, at) + REDACTED;
      from = end;
      at = end - 1;
    }
    return clean + words.slice(from);
  }

  /** `sk-…abcd`: both ends, where they are those of one secret. */
  #withoutMasked(words: string): string {
    let clean = '';
    let from = 0;
    for (const { 0: mask, index } of words.matchAll(MASK)) {
      if (index < from) continue;
      const before = words.slice(from, index);
      const after = words.slice(index + mask.length);
      for (const secret of this.#secrets) {
        const head = before.endsWith(REDACTED)
          ? REDACTED.length
          : commonLength(secret, (part) => before.endsWith(part));
        const tail = commonLength(reversed(secret), (part) => after.startsWith(reversed(part)));
        if (head < MIN_END_CHARACTERS || tail < MIN_END_CHARACTERS) continue;
        clean += before.slice(0, before.length - head) + REDACTED;
        from = index + mask.length + tail;
        break;
      }
    }
    return clean + words.slice(from);
  }
}

/** `secrets` all begin with `beginning`; where it stands, as much is taken out as is equal to one of them. */
function without(words: string, beginning: string, secrets: readonly string[]): string {
  let at = words.indexOf(beginning);
  if (at < 0) return words;
  let clean = '';
  let from = 0;
  while (at >= 0) {
    const length = Math.max(...secrets.map((secret) => equalCharacters(words, at, secret)));
    clean += words.slice(from, at) + REDACTED;
    from = at + length;
    at = words.indexOf(beginning, from);
  }
  return clean + words.slice(from);
}

function equalCharacters(words: string, at: number, secret: string): number {
  let length = 0;
  while (length < secret.length && words[at + length] === secret[length]) length += 1;
  return length;
}

/** Characters of the longest beginning of `secret` for which it `holds`. */
function commonLength(secret: string, holds: (part: string) => boolean): number {
  for (let length = Math.min(secret.length, MAX_END_CHARACTERS); length > 0; length -= 1) {
    if (holds(secret.slice(0, length))) return length;
  }
  return 0;
}

function reversed(text: string): string {
  return [...text].reverse().join('');
}

function plainForms(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
}

/** In base64 a secret looks different at each place in a group of three bytes; its edges depend on the neighbours. */
function encodedForms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const forms = [bytes.toString('hex')];
  for (const before of [0, 1, 2]) {
    const placed = Buffer.concat([Buffer.alloc(before), bytes]);
    const text = placed.toString('base64').replaceAll('=', '');
    const certain = text.slice(Math.ceil((before * 8) / 6), placed.length % 3 === 0 ? undefined : -1);
    forms.push(certain, certain.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

/** Only letters of ASCII, so that every character keeps its place. */
function folded(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function isLong(secret: string): boolean {
  return secret.length >= MIN_PREFIX_CHARACTERS;
}

function longest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}

function passwordOf(encoded: string): string {
  const pair = Buffer.from(encoded, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}
