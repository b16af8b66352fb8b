export type TextRedactor = (text: string) => string;

/** JSON within texts of JSON, as arguments of tools are. */
const MAX_DEPTH = 4;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A text without what a redactor finds in it. In JSON it looks into the texts as they are read: `\n4111…` written as an
 * escape would hide the number from a pattern that begins at a word. What is cut off, or no JSON, is looked through as well.
 */
export function redactedText(text: string, redact: TextRedactor | undefined, depth = 0): string {
  if (redact === undefined) return text;
  return depth < MAX_DEPTH && /^\s*[[{]/.test(text) ? redactedJson(text, redact, depth) : redact(text);
}

function redactedJson(json: string, redact: TextRedactor, depth: number): string {
  let written = '';
  let at = 0;
  for (;;) {
    const opens = json.indexOf('"', at);
    if (opens === -1) return written + redact(json.slice(at));
    const end = endOfText(json, opens + 1);
    written += redact(json.slice(at, opens));
    written += redactedLiteral(json.slice(opens, end), redact, depth);
    at = end;
  }
}

/** Behind the quote that ends it, or the end of all. */
function endOfText(json: string, from: number): number {
  for (let at = from; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at + 1;
  }
  return json.length;
}

function redactedLiteral(literal: string, redact: TextRedactor, depth: number): string {
  const text = readLiteral(literal);
  if (text === undefined) return redact(literal);
  const redacted = redactedText(text, redact, depth + 1);
  return redacted === text ? literal : JSON.stringify(redacted);
}

/** An escape that was cut in two at the end is left out, six characters at the most; undefined: it is no text of JSON. */
function readLiteral(literal: string): string | undefined {
  const isWhole = literal.length > 1 && literal.endsWith('"');
  for (let cut = 0; cut <= 6 && cut < literal.length; cut += 1) {
    const written = isWhole && cut === 0 ? literal : `${literal.slice(0, literal.length - cut)}"`;
    try {
      const text: unknown = JSON.parse(written);
      if (typeof text === 'string') return text;
    } catch {
      // Cut off: a shorter one may be whole.
    }
  }
  return undefined;
}
