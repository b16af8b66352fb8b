const CASE_BIT = 0x20;
/** Less than every `~index`. */
export const NO_KEY = -1_000_000;

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

  /**
   * The index of a name; `~index` where only the case of its letters differs; NO_KEY. Compares bytes: making a string of
   * every key of a body cost a sixth of an exchange (bench: pipeline).
   */
  find(buffer: Buffer, from: number, end: number): number {
    const candidates = this.#byLength[end - from];
    if (candidates === undefined) return NO_KEY;
    for (let at = 0; at < candidates.length; at += 1) {
      const { index, bytes } = candidates[at]!;
      const difference = differenceAt(buffer, from, bytes);
      if (difference === 0) return index;
      if (difference === CASE_BIT) return ~index;
    }
    return NO_KEY;
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

/** 0: equal. CASE_BIT: but for the case of letters. Anything else: not. */
function differenceAt(buffer: Buffer, from: number, bytes: Buffer): number {
  let all = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const difference = buffer[from + i]! ^ bytes[i]!;
    if (difference === 0) continue;
    if (difference !== CASE_BIT || bytes[i]! < 0x61) return 1;
    all = CASE_BIT;
  }
  return all;
}
