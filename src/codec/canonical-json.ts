import { Buffer } from 'node:buffer';

/*
 * One text for all JSON that says the same: keys in order, no white space, texts with the fewest escapes. Numbers stay as
 * they were written, since a parse would make one of two that differ beyond 2^53. Bytes are carried as latin1, so that
 * nothing of them is lost; long texts without escapes cost a search for their quote and no more.
 */

export interface CanonicalOptions {
  /** Keys of the outermost object that are left out. */
  readonly leaveOut?: ReadonlySet<string> | undefined;
  /** Keys of the outermost object with the canonical JSON of a value at which there is no text. */
  readonly never?: Readonly<Record<string, string>> | undefined;
  /** A key of the outermost object: texts in it that begin so lose their first line. */
  readonly attribution?: { readonly key: string; readonly begins: string } | undefined;
}

const MAX_DEPTH = 128;
const SPACES = /[ \t\n\r]*/y;
const SCALAR = /-?[0-9][0-9.eE+-]*|true|false|null/y;
const LINE_END = '\\n';

/**
 * As latin1 text; undefined: it is no JSON, nests too deep, has a value of `never`, or writes a key of one object twice,
 * of which nobody knows which one a provider reads.
 */
export function canonicalJson(body: Buffer, options: CanonicalOptions = {}): string | undefined {
  const walk = new Walk(body.toString('latin1'), options);
  return walk.whole();
}

class Walk {
  readonly #text: string;
  readonly #options: CanonicalOptions;
  #at = 0;
  /** Within the key whose texts may have an attribution. */
  #attributed = false;

  constructor(text: string, options: CanonicalOptions) {
    this.#text = text;
    this.#options = options;
  }

  whole(): string | undefined {
    const value = this.#value(0);
    this.#skipSpaces();
    return this.#at === this.#text.length ? value : undefined;
  }

  #value(depth: number): string | undefined {
    if (depth > MAX_DEPTH) return undefined;
    this.#skipSpaces();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): string | undefined {
    const members: string[] = [];
    const keys = new Set<string>();
    this.#at += 1;
    if (this.#take('}')) return '{}';
    for (;;) {
      this.#skipSpaces();
      if (this.#text[this.#at] !== '"') return undefined;
      const key = this.#string();
      if (key === undefined || keys.has(key) || !this.#take(':')) return undefined;
      keys.add(key);
      const name = depth === 0 ? key.slice(1, -1) : undefined;
      if (name !== undefined) this.#attributed = name === this.#options.attribution?.key;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      if (name !== undefined && this.#options.never?.[name] === value) return undefined;
      if (name === undefined || !this.#options.leaveOut?.has(name)) members.push(`${key}:${value}`);
      if (this.#take(',')) continue;
      if (!this.#take('}')) return undefined;
      return `{${members.sort().join(',')}}`;
    }
  }

  #array(depth: number): string | undefined {
    const items: string[] = [];
    this.#at += 1;
    if (this.#take(']')) return '[]';
    for (;;) {
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
      if (this.#take(',')) continue;
      return this.#take(']') ? `[${items.join(',')}]` : undefined;
    }
  }

  #string(): string | undefined {
    const text = this.#text;
    const begin = this.#at;
    let end = text.indexOf('"', begin + 1);
    while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
    if (end < 0) return undefined;
    this.#at = end + 1;
    const written = withoutAttribution(text.slice(begin, end + 1), this.#attributed, this.#options);
    return written.includes('\\') ? leastEscapes(written) : written;
  }

  #scalar(): string | undefined {
    SCALAR.lastIndex = this.#at;
    const [found] = SCALAR.exec(this.#text) ?? [];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    this.#skipSpaces();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpaces(): void {
    // Mostly there is none.
    if (this.#text.charCodeAt(this.#at) > 0x20) return;
    SPACES.lastIndex = this.#at;
    SPACES.exec(this.#text);
    this.#at = SPACES.lastIndex;
  }
}

function isEscaped(text: string, quote: number): boolean {
  let before = quote - 1;
  while (text[before] === '\\') before -= 1;
  return ((quote - 1 - before) & 1) === 1;
}

function withoutAttribution(written: string, attributed: boolean, { attribution }: CanonicalOptions): string {
  if (!attributed || attribution === undefined || !written.startsWith(attribution.begins, 1)) return written;
  const line = written.indexOf(LINE_END);
  return line < 0 ? '""' : `"${written.slice(line + LINE_END.length)}`;
}

/** `\u0041` and `A` say the same. Undefined: it is no JSON. Half a pair of surrogates stays as it was written. */
function leastEscapes(written: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(written, 'latin1').toString('utf8'));
  } catch {
    // The caller decides what a text that is no JSON means.
    return undefined;
  }
  if (typeof value !== 'string' || !value.isWellFormed()) return written;
  return Buffer.from(JSON.stringify(value), 'utf8').toString('latin1');
}
