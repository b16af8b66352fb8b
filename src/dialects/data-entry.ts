import { numberAsWritten } from '../codec/exact-json.ts';

/** Shorter ones say nothing: counts, indices, hours. */
const MIN_DIGITS = 4;
const MAX_PLAIN_NAME = 32;

/** Whether a key is a name that a program gave: letters alone, and not many. */
export function isPlainName(key: string): boolean {
  return key.length <= MAX_PLAIN_NAME && /^[A-Za-z_$.-]*$/.test(key);
}

/** A whole number that is long enough to be one of somebody, as it was written; undefined: the value is none. */
export function numberIn(value: unknown): string | undefined {
  const written = numberAsWritten(value);
  return written !== undefined && /^-?\d+$/.test(written) && written.length >= MIN_DIGITS ? written : undefined;
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** One entry of an object whose key, or whose number, is read as words. Both may be set to other words, in any order. */
export class DataEntry {
  readonly #parent: Record<string, unknown>;
  #key: string;
  #wanted: string;

  constructor(parent: Record<string, unknown>, key: string) {
    this.#parent = parent;
    this.#key = key;
    this.#wanted = key;
  }

  /** The value as a text. */
  get text(): Place {
    const entry = this;
    return {
      key: 'text',
      holder: {
        get text(): unknown {
          const value = entry.#parent[entry.#key];
          return numberAsWritten(value) ?? value;
        },
        set text(text: unknown) {
          entry.#put(entry.#key, text);
        },
      },
    };
  }

  get name(): Place {
    const entry = this;
    return {
      key: 'name',
      holder: {
        get name(): unknown {
          return entry.#wanted;
        },
        set name(name: unknown) {
          entry.#rename(String(name));
        },
      },
    };
  }

  #rename(name: string): void {
    const value = this.#parent[this.#key];
    delete this.#parent[this.#key];
    let free = name;
    for (let count = 2; Object.hasOwn(this.#parent, free); count += 1) free = `${name}_${count}`;
    this.#put(free, value);
    this.#key = free;
    this.#wanted = name;
  }

  /** `__proto__` is a key as any other. */
  #put(key: string, value: unknown): void {
    Object.defineProperty(this.#parent, key, { value, writable: true, enumerable: true, configurable: true });
  }
}
