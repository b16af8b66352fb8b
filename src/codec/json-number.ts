const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const CASE_BIT = 0x20;
const SMALL_E = 0x65;

/** The byte cannot stand here. */
export const NO_NUMBER = -1;
/** The number ended before this byte, which is no part of it. */
export const NUMBER_ENDED = -2;

/** States, named after the character that came last. */
const minus = 0;
const zero = 1;
const digits = 2;
const point = 3;
const fraction = 4;
const exponent = 5;
const exponentSign = 6;
const exponentDigits = 7;

/** How far a JSON number has come behind its first byte; NO_NUMBER: none begins so. */
export function firstOfNumber(byte: number): number {
  if (byte === MINUS) return minus;
  return isDigit(byte) ? wholePart(byte) : NO_NUMBER;
}

/** RFC 8259 §6: how far it has come behind one more byte, or NUMBER_ENDED, or NO_NUMBER where a digit had to stand. */
export function afterNumberByte(state: number, byte: number): number {
  switch (state) {
    case digits:
      return isDigit(byte) ? digits : afterWholePart(byte);
    case zero:
      return afterWholePart(byte);
    case fraction:
      if (isDigit(byte)) return fraction;
      return (byte | CASE_BIT) === SMALL_E ? exponent : NUMBER_ENDED;
    case point:
      return isDigit(byte) ? fraction : NO_NUMBER;
    case minus:
      return isDigit(byte) ? wholePart(byte) : NO_NUMBER;
    case exponent:
      if (byte === PLUS || byte === MINUS) return exponentSign;
      return isDigit(byte) ? exponentDigits : NO_NUMBER;
    case exponentSign:
      return isDigit(byte) ? exponentDigits : NO_NUMBER;
    default:
      return isDigit(byte) ? exponentDigits : NUMBER_ENDED;
  }
}

function wholePart(byte: number): number {
  return byte === ZERO ? zero : digits;
}

function afterWholePart(byte: number): number {
  if (byte === DOT) return point;
  return (byte | CASE_BIT) === SMALL_E ? exponent : NUMBER_ENDED;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
