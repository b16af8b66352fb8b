/** `HTTP/1.` and a digit of any kind, a blank, and the first digit of a status that is only information. */
const STATUS_LINE = Buffer.from('HTTP/1.x 1');
const MINOR_VERSION = 7;
const SECOND_DIGIT = STATUS_LINE.length;
const THIRD_DIGIT = SECOND_DIGIT + 1;
const IN_HEAD = THIRD_DIGIT + 1;
const HEAD_END = Buffer.from('\r\n\r\n');
const OVER = IN_HEAD + HEAD_END.length;
const ZERO = 0x30;
const TWO = 0x32;

/**
 * A client has to ignore informational heads that it did not ask for (RFC 9110 §15.2). undici ignores all but
 * `100 Continue`, for which it closes the connection: so undici is given 102 in its place. Looks at the bytes of one
 * connection from a request to the first head that is an answer, and at none behind it.
 */
export class UnaskedContinue {
  #state = OVER;
  #isContinue = false;

  /** A request is about to be written: what comes next is a head. */
  expectHead(): void {
    this.#state = 0;
  }

  /** Bytes of the connection, in order; changed in place. */
  mask(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#state !== OVER; at += 1) this.#take(bytes, at);
  }

  #take(bytes: Buffer, at: number): void {
    const byte = bytes[at]!;
    const state = this.#state;
    if (state < SECOND_DIGIT) {
      this.#state = state === MINOR_VERSION || byte === STATUS_LINE[state] ? state + 1 : OVER;
    } else if (state === SECOND_DIGIT) {
      this.#isContinue = byte === ZERO;
      this.#state = THIRD_DIGIT;
    } else if (state === THIRD_DIGIT) {
      if (this.#isContinue && byte === ZERO) bytes[at] = TWO;
      this.#state = IN_HEAD;
    } else {
      const seen = state - IN_HEAD;
      if (byte === HEAD_END[seen]) this.#state = state + 1 === OVER ? 0 : state + 1;
      else this.#state = byte === HEAD_END[0] ? IN_HEAD + 1 : IN_HEAD;
    }
  }
}
