import { type JsonObject, objectOf } from './json-value.ts';

/**
 * JSON that is parsed only to be written again. A number beyond 2^53, or written as `1.0`, would come out as another
 * number: an order id in the arguments of a tool call would then name another order. So numbers whose text would
 * change are kept as they were written (`JSON.rawJSON`): good for stringify, not for reading.
 * https://tc39.es/proposal-json-parse-with-source/
 */

// Not in TypeScript's library yet; in V8 since Node 21.
interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
}
const exact: ExactJson = Object.assign(Object.create(null), {
  parse: JSON.parse,
  rawJSON: Reflect.get(JSON, 'rawJSON'),
  isRawJSON: Reflect.get(JSON, 'isRawJSON'),
});

function keepNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || String(value) === context.source) return value;
  return exact.rawJSON(context.source);
}

/** A number of what `parseExact` gave, as it stands in the text; undefined: the value is none. */
export function numberAsWritten(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return exact.isRawJSON(value) ? JSON.stringify(value) : undefined;
}

/**
 * A word, a number or a flag of what was parsed, as text; undefined: the value is none of these. `String` and `Number` throw
 * at objects that a stranger sends (`{"toString": 0}`), and at the numbers that `parseExact` keeps as they were written.
 */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' ? String(value) : numberAsWritten(value);
}

/** Digits that JavaScript would write in another way: many of them, a trailing zero behind the point, an exponent, `-0`. */
const CHANGED_NUMBER = /\d{16}|\.\d{14}|\.\d*0(?!\d)|\d[eE][+-]?\d|-0(?![.\d])/;

/** Whether `text` may hold a number that a parse and a stringify would change; false is certain, true is not. */
export function mayChangeNumbers(text: string): boolean {
  return CHANGED_NUMBER.test(text);
}

/** Throws SyntaxError as JSON.parse does. */
export function parseExact(text: string): unknown {
  return exact.parse(text, keepNumber);
}

/** The object that the text is; undefined where it is no JSON, or no object. */
export function parseExactObject(text: string): JsonObject | undefined {
  try {
    return objectOf(parseExact(text));
  } catch {
    // The caller decides what a text that is no JSON means.
    return undefined;
  }
}
