const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether JSON that passes by in pieces has ended: every bracket and string that was opened was closed again. */
export class JsonBalance {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #opened = false;

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
        this.#opened = true;
      } else if (byte === 0x7b || byte === 0x5b) {
        this.#depth += 1;
        this.#opened = true;
      } else if (byte === 0x7d || byte === 0x5d) this.#depth -= 1;
    }
  }

  /** Nothing at all is not whole either. */
  get whole(): boolean {
    return this.#opened && this.#depth <= 0 && !this.#inString;
  }
}
