import { JsonPeek } from '../codec/json-peek.ts';
import { PeekKeys } from '../codec/peek-keys.ts';

const keys = new PeekKeys(['usage']);
/** Without its opening quote, which is the commonest byte of JSON (bench: usage-reading). */
const USAGE = Buffer.from('usage"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The value of the outermost `usage` of a whole answer; undefined where there is none. It mostly stands near the end:
 * what follows it then reads as the rest of one object to the last byte, and what is before it is not looked at.
 */
export function usageOf(answer: Buffer): unknown {
  const peek = fromLastKey(answer);
  if (peek?.finish()) return valueAt(answer, peek);
  const whole = new JsonPeek(keys);
  return whole.advance(answer, answer.length) && whole.finish() ? valueAt(answer, whole) : undefined;
}

/** The same where only the end of the answer is left: the last `usage` there is. */
export function usageOfEnd(end: Buffer): unknown {
  const peek = fromLastKey(end);
  return peek && valueAt(end, peek);
}

function fromLastKey(bytes: Buffer): JsonPeek | undefined {
  const at = bytes.lastIndexOf(USAGE);
  if (at < 1 || bytes[at - 1] !== QUOTE) return undefined;
  // That quote is within a text, of which ours is only the end.
  if (bytes[at - 2] === BACKSLASH) return undefined;
  const peek = new JsonPeek(keys, at - 1);
  peek.advance(bytes, bytes.length);
  return peek;
}

function valueAt(source: Buffer, peek: JsonPeek): unknown {
  const start = peek.starts[0]!;
  const end = peek.ends[0]!;
  if (start < 0 || end < 0) return undefined;
  try {
    return JSON.parse(source.toString('utf8', start, end));
  } catch {
    // The client gets the bytes as they are; usage is then unknown and estimated.
    return undefined;
  }
}
