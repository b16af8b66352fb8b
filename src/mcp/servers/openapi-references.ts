import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';

const MAX_DEPTH = 24;
/** Values of one schema, and of all schemas of a document. What refers to itself by many ways grows with each. */
const MAX_OF_ONE = 10_000;
const MAX_OF_ALL = 200_000;

/**
 * Puts what a document refers to in the place of `$ref`, so that a model sees one schema. A reference that goes round in a
 * circle, or elsewhere, becomes anything, and so does what lies beyond the bounds.
 */
export class References {
  readonly #document: JsonObject;
  #left = MAX_OF_ALL;
  #leftOfOne = 0;

  constructor(document: JsonObject) {
    this.#document = document;
  }

  resolved(value: unknown): unknown {
    this.#leftOfOne = MAX_OF_ONE;
    return this.#within(value, 0, []);
  }

  #within(value: unknown, depth: number, inside: readonly string[]): unknown {
    this.#leftOfOne -= 1;
    this.#left -= 1;
    if (depth > MAX_DEPTH || this.#leftOfOne < 0 || this.#left < 0) return {};
    if (isArray(value)) return value.map((each) => this.#within(each, depth + 1, inside));
    if (!isObject(value)) return value;
    const ref = stringOf(value['$ref']);
    if (ref !== undefined) {
      if (!ref.startsWith('#/') || inside.includes(ref)) return {};
      return this.#within(at(this.#document, ref), depth + 1, [...inside, ref]);
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#within(each, depth + 1, inside)]));
  }
}

/** RFC 6901. */
function at(document: JsonObject, ref: string): unknown {
  let value: unknown = document;
  for (const part of ref.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    value = isObject(value) && Object.hasOwn(value, key) ? value[key] : isArray(value) ? value[Number(key)] : undefined;
  }
  return value;
}
