const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];
/** Not in an array that is looked for. */
const OUTSIDE = -1;

export interface ArrayItemsOptions {
  /** The key of the arrays whose objects are wanted, at whatever depth; ASCII. */
  readonly key: string;
  /** An object as it was written; arrays of this name are counted from 0. Absent: they are left out. */
  onItem?(item: Buffer, array: number): void;
  /** What stands around them, the brackets of the arrays included. The bytes are those that were pushed. */
  onAround?(bytes: Buffer): void;
}

/**
 * Cuts the objects of an array out of a JSON text that arrives in pieces, however they are cut. Only the one that is not
 * whole yet is held, so that a large answer is never parsed at once. The text is not checked.
 */
export class ArrayItems {
  /** Bytes of the item that is not whole yet. */
  heldBytes = 0;
  readonly #options: ArrayItemsOptions;
  readonly #key: Buffer;
  #held: Buffer[] = [];
  /** 0: between items; from 1: within one. */
  #depth = OUTSIDE;
  #array = -1;
  #inString = false;
  #isEscaped = false;
  /** So many bytes of the key were read of this string; -1: it is another. */
  #matched = -1;
  /** The last string was the key, and nothing but a colon came behind it. */
  #isNamed = false;

  constructor(options: ArrayItemsOptions) {
    this.#options = options;
    this.#key = Buffer.from(options.key, 'latin1');
  }

  push(bytes: Buffer): void {
    const { onAround } = this.#options;
    let from = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (this.#inString) this.#readString(byte);
      else if (byte === QUOTE) {
        this.#inString = true;
        this.#matched = 0;
        this.#isNamed = false;
      } else if (this.#depth === OUTSIDE) {
        if (byte === OPEN_BRACKET && this.#isNamed) {
          onAround?.(bytes.subarray(from, at + 1));
          this.#depth = 0;
          this.#array += 1;
        }
        if (byte === OPEN_BRACKET || byte === OPEN_BRACE || byte === COMMA) this.#isNamed = false;
        else if (byte === COLON) this.#isNamed = this.#matched === this.#key.length;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#depth === 0) from = at;
        this.#depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth -= 1;
        if (this.#depth === OUTSIDE) from = at;
        else if (this.#depth === 0) this.#emit(bytes.subarray(from, at + 1));
      }
    }
    if (this.#depth === OUTSIDE) onAround?.(bytes.subarray(from));
    else if (this.#depth > 0) this.#hold(bytes.subarray(from));
  }

  #readString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === QUOTE) this.#inString = false;
    else {
      this.#isEscaped = byte === BACKSLASH;
      if (this.#matched >= 0) this.#matched = this.#key[this.#matched] === byte ? this.#matched + 1 : -1;
    }
  }

  #hold(bytes: Buffer): void {
    if (this.#options.onItem === undefined) return;
    this.#held.push(Buffer.from(bytes));
    this.heldBytes += bytes.length;
  }

  #emit(end: Buffer): void {
    const item = this.#held.length === 0 ? end : Buffer.concat([...this.#held, end]);
    this.#held = [];
    this.heldBytes = 0;
    this.#options.onItem?.(item, this.#array);
  }
}
