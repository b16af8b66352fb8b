const CASE_BIT = 0x20;

/** Names of the keys to find → their index in `starts` and `ends`. */
export class PeekKeys {
  readonly names: readonly string[];
  /** -1 for each key. */
  readonly nowhere: readonly number[];
  /** By length: most keys of a body are none of ours and are told apart by that alone. */
  readonly #byLength: { index: number; bytes: Buffer }[][] = [];
  readonly #folded: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
    this.#folded = names.map(folded);
    this.nowhere = names.map(() => -1);
    for (const [index, name] of names.entries()) {
      const bytes = Buffer.from(name, 'latin1');
      this.#byLength[bytes.length] = [...(this.#byLength[bytes.length] ?? []), { index, bytes }];
    }
  }

  /** Compares bytes: making a string of every key of a body cost a sixth of an exchange (bench: pipeline). */
  find(buffer: Buffer, from: number, end: number): number {
    const candidates = this.#byLength[end - from];
    if (candidates === undefined) return -1;
    for (const { index, bytes } of candidates) if (matchAt(buffer, from, bytes, 0)) return index;
    return -1;
  }

  /** The name that the key is but for the case of its letters. */
  findInOtherCase(buffer: Buffer, from: number, end: number): number {
    const candidates = this.#byLength[end - from];
    if (candidates === undefined) return -1;
    for (const { index, bytes } of candidates) if (matchAt(buffer, from, bytes, CASE_BIT)) return index;
    return -1;
  }

  /** The name that a reader might take this text for, if it folds letters together: of any case, width or alphabet. */
  findFolded(text: string): number {
    return this.#folded.indexOf(folded(text));
  }
}

/**
 * What readers that fold case make of a name: U+212A KELVIN SIGN is a `k` and U+017F LONG S an `s` to Go's
 * encoding/json, dotless and dotted i are an `i` to Java's equalsIgnoreCase.
 */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase().toUpperCase().replaceAll('\u0307', '');
}

/** Equal but for the bits of `except` in letters. */
function matchAt(buffer: Buffer, from: number, bytes: Buffer, except: number): boolean {
  for (let i = 0; i < bytes.length; i += 1) {
    const difference = buffer[from + i]! ^ bytes[i]!;
    if (difference !== 0 && (difference !== except || bytes[i]! < 0x61)) return false;
  }
  return true;
}
