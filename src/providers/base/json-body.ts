/** How JSON.stringify writes half of a pair of UTF-16 units: as an escape. A whole pair it writes as it is. */
const LONE_SURROGATE = /\\ud[89a-f]/i;

/**
 * A request body that we write ourselves. Half of a surrogate pair (a text that was cut within an emoji) is no Unicode
 * text, and strict parsers refuse the whole conversation for it: U+FFFD takes its place.
 */
export function jsonBody(value: unknown): Buffer {
  const text = JSON.stringify(value);
  // The escape may also be the client's own backslash before those letters; then nothing is changed below.
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text);
  return Buffer.from(JSON.stringify(value, wellFormed));
}

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}
