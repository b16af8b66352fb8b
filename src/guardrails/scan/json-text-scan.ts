import type { TextKind } from '../../dialects/guarded-form.ts';
import { type Found, type RecogniserSet, type TextScan, TokenScan } from './token-scan.ts';

/** Outside of strings: no part of a number or a word. */
const STRUCTURE = new Set('{}[]:, \t\r\n');
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
const HEX_DIGITS = 4;

/** A string or a bare word of the JSON, read as the text that it stands for. */
interface Unit {
  readonly kind: 'string' | 'word';
  /** Where it begins, behind the quote. */
  readonly start: number;
  readonly scan: TokenScan;
  /** Where each unit of its text stands; one more than it has: where the next will. */
  readonly places: number[];
}

/**
 * Arguments of a tool, as JSON that comes in pieces: each string is read as what it stands for, so that an escape hides
 * nothing, and what takes its place is escaped again. A number or word that holds a find is found whole, since its place can
 * only be taken by a string. Text that is no JSON is read as it is.
 */
class JsonTextScan implements TextScan {
  readonly #set: RecogniserSet;
  #plain: TokenScan | undefined;
  #begun = false;
  #at = 0;
  #unit: Unit | undefined;
  /** The part of an escape that has not come whole: without its backslash. */
  #escape: string | undefined;
  #escapeStart = 0;
  #found: Found[] = [];

  constructor(set: RecogniserSet) {
    this.#set = set;
  }

  get decided(): number {
    if (this.#plain) return this.#plain.decided;
    const unit = this.#unit;
    if (unit === undefined) return this.#at;
    return unit.kind === 'word' ? unit.start : unit.places[unit.scan.decided]!;
  }

  push(text: string): void {
    if (!this.#begun) this.#begin(text);
    if (this.#plain) {
      this.#plain.push(text);
      return;
    }
    let piece = '';
    for (const char of text.split('')) {
      const unit = this.#unit;
      if (unit?.kind === 'string') piece = this.#inString(unit, char, piece);
      else this.#outside(char);
      this.#at += 1;
    }
    if (this.#unit?.kind === 'string') this.#unit.scan.push(piece);
    if (this.#unit?.kind === 'string') this.#collect(this.#unit);
  }

  end(): void {
    this.#plain?.end();
    if (this.#unit) this.#close(this.#unit);
    this.#unit = undefined;
  }

  take(): readonly Found[] {
    if (this.#plain) return this.#plain.take();
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #begin(text: string): void {
    const first = /\S/.exec(text)?.[0];
    if (first === undefined) return;
    this.#begun = true;
    if (first !== '{' && first !== '[' && first !== '"' && this.#at === 0) this.#plain = new TokenScan(this.#set);
  }

  #inString(unit: Unit, char: string, piece: string): string {
    if (this.#escape !== undefined) {
      this.#escape += char;
      const decoded = decodedEscape(this.#escape);
      if (decoded === undefined) return piece;
      this.#escape = undefined;
      unit.places[unit.places.length - 1] = this.#escapeStart;
      unit.places.push(this.#at + 1);
      return piece + decoded;
    }
    if (char === '\\') {
      this.#escape = '';
      this.#escapeStart = this.#at;
      return piece;
    }
    if (char === '"') {
      unit.scan.push(piece);
      this.#close(unit);
      this.#unit = undefined;
      return '';
    }
    unit.places.push(this.#at + 1);
    return piece + char;
  }

  #outside(char: string): void {
    const unit = this.#unit;
    if (char === '"' || STRUCTURE.has(char)) {
      if (unit) this.#close(unit);
      this.#unit = char === '"' ? this.#newUnit('string', this.#at + 1) : undefined;
      return;
    }
    const word = unit ?? this.#newUnit('word', this.#at);
    this.#unit = word;
    word.places.push(this.#at + 1);
    word.scan.push(char);
  }

  #newUnit(kind: Unit['kind'], start: number): Unit {
    return { kind, start, scan: new TokenScan(this.#set), places: [start] };
  }

  #close(unit: Unit): void {
    unit.scan.end();
    this.#collect(unit);
    this.#escape = undefined;
  }

  #collect(unit: Unit): void {
    const found = unit.scan.take();
    if (found.length === 0) return;
    if (unit.kind === 'string') {
      for (const each of found) this.#found.push(this.#inPlace(each, unit.places[each.start]!, unit.places[each.end]!));
      return;
    }
    // What stands outside of strings is found whole, once it is over.
    const [first] = found;
    this.#found.push({ ...first!, start: unit.start, end: unit.places.at(-1)!, standsAs: 'json-word' });
  }

  #inPlace(found: Found, start: number, end: number): Found {
    return { ...found, start, end, standsAs: 'json-string' };
  }
}

/** A scan for texts of this kind. */
export function newScan(set: RecogniserSet, kind: TextKind): TextScan {
  return kind === 'arguments' ? new JsonTextScan(set) : new TokenScan(set);
}

/** What an escape stands for; undefined: it is not whole. */
function decodedEscape(written: string): string | undefined {
  if (written[0] !== 'u') return ESCAPED[written] ?? written;
  if (written.length <= HEX_DIGITS) return undefined;
  const code = Number.parseInt(written.slice(1), 16);
  return Number.isNaN(code) ? '\ufffd' : String.fromCharCode(code);
}
