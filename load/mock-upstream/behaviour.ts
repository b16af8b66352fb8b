/**
 * What the mock does with a request, read from the model name, because a model name passes through any gateway.
 *
 * A name is `mock` followed by words joined with `-`; a word may be followed by its values. README.md has the table.
 * Names that do not begin with `mock` behave like `mock`, so that any client can talk to it.
 */
export type Behaviour = {
  /** Content events in a stream, and content bytes in each (0 = a short numbered word). */
  chunks: number;
  chunkBytes: number;
  /** Time between content events; 0 = all at once. */
  intervalMs: number;
  /** Each event is a send of its own, as a model server flushes its tokens; otherwise events share sends of 16 KB. */
  flushed: boolean;
  /** Nothing at all is sent before this. */
  firstByteMs: number;
  /** Head and an SSE comment go out at once, the content only after this. */
  headMs: number;
  /** A whole answer has exactly this many bytes; 0 = its natural size. */
  wholeBytes: number;
  status: number;
  retryAfterSeconds: number;
  /** What goes wrong once `faultAfter` content events are out (0 = before the head). */
  fault: 'none' | 'silent' | 'die' | 'error';
  faultAfter: number;
  /** The fault or status holds for this many first requests with the name; 0 = always. */
  times: number;
  echo: boolean;
  usage: boolean;
  promptTokens: number;
  completionTokens: number;
};

const PLAIN: Behaviour = {
  chunks: 10,
  chunkBytes: 0,
  intervalMs: 0,
  flushed: false,
  firstByteMs: 0,
  headMs: 0,
  wholeBytes: 0,
  status: 200,
  retryAfterSeconds: 0,
  fault: 'none',
  faultAfter: 0,
  times: 0,
  echo: false,
  usage: true,
  promptTokens: 12,
  completionTokens: 0,
};

/** A stream of megabytes is cut into events of this many content bytes. */
const BULK_CHUNK_BYTES = 64 * 1024;

/** Words and how each reads the values after it. */
const WORDS: Record<string, (behaviour: Behaviour, values: Values) => void> = {
  whole: () => {},
  burst: (b, values) => {
    b.chunks = values.count(100);
  },
  paced: (b, values) => {
    b.intervalMs = values.milliseconds();
    b.chunks = values.count(100);
  },
  flushed: (b) => {
    b.flushed = true;
  },
  chunk: (b, values) => {
    b.chunkBytes = values.bytes();
  },
  ttfb: (b, values) => {
    b.firstByteMs = values.milliseconds();
  },
  head: (b, values) => {
    b.headMs = values.milliseconds();
  },
  size: (b, values) => {
    b.wholeBytes = values.bytes();
  },
  stream: (b, values) => {
    b.chunkBytes = BULK_CHUNK_BYTES;
    b.chunks = Math.max(1, Math.ceil(values.bytes() / BULK_CHUNK_BYTES));
  },
  status: (b, values) => {
    b.status = values.number();
    b.retryAfterSeconds ||= b.status === 429 || b.status === 503 ? 1 : 0;
  },
  retry: (b, values) => {
    b.retryAfterSeconds = values.seconds();
  },
  silent: (b, values) => fault(b, 'silent', values),
  die: (b, values) => fault(b, 'die', values),
  error: (b, values) => fault(b, 'error', values),
  times: (b, values) => {
    b.times = values.number();
  },
  echo: (b) => {
    b.echo = true;
  },
  usage: (b, values) => {
    values.word('off');
    b.usage = false;
  },
  tokens: (b, values) => {
    b.promptTokens = values.number();
    b.completionTokens = values.number();
  },
};

function fault(behaviour: Behaviour, kind: 'silent' | 'die' | 'error', values: Values): void {
  behaviour.fault = kind;
  if (values.optionalWord('after')) behaviour.faultAfter = values.number();
}

/** Reads a name; throws with what was found and what is allowed. */
export function behaviourOf(name: string): Behaviour {
  const behaviour = { ...PLAIN };
  if (name !== 'mock' && !name.startsWith('mock-')) return behaviour;
  const values = new Values(name.split('-').slice(1));
  while (!values.done()) {
    const word = values.next();
    const read = WORDS[word];
    if (!read) throw new Error(`mock model '${name}': unknown word '${word}'; known: ${Object.keys(WORDS).join(' ')}`);
    read(behaviour, values);
  }
  return behaviour;
}

/** The words of one name, taken from left to right. */
class Values {
  readonly #words: string[];
  #index = 0;

  constructor(words: string[]) {
    this.#words = words;
  }

  done(): boolean {
    return this.#index >= this.#words.length;
  }

  next(): string {
    return this.#words[this.#index++] ?? '';
  }

  number(): number {
    return this.#match(/^(\d{1,9})$/, 'a number');
  }

  /** A number, or `fallback` where the next word is none. */
  count(fallback: number): number {
    return /^\d+$/.test(this.#words[this.#index] ?? '') ? this.number() : fallback;
  }

  milliseconds(): number {
    return this.#match(/^(\d{1,7})ms$/, 'milliseconds like 25ms');
  }

  seconds(): number {
    return this.#match(/^(\d{1,5})s$/, 'seconds like 2s');
  }

  bytes(): number {
    const [, digits, unit] = /^(\d{1,9})(b|kb|mb)$/.exec(this.next()) ?? this.#fail('a size like 512b, 64kb or 1mb');
    return Number(digits) * (unit === 'mb' ? 1024 * 1024 : unit === 'kb' ? 1024 : 1);
  }

  word(expected: string): void {
    if (this.next() !== expected) this.#fail(`'${expected}'`);
  }

  optionalWord(expected: string): boolean {
    if (this.#words[this.#index] !== expected) return false;
    this.#index++;
    return true;
  }

  #match(pattern: RegExp, expected: string): number {
    const match = pattern.exec(this.next()) ?? this.#fail(expected);
    return Number(match[1]);
  }

  #fail(expected: string): never {
    const found = this.#words[this.#index - 1];
    const before = ['mock', ...this.#words.slice(0, this.#index - 1)].join('-');
    throw new Error(`mock model: after '${before}' comes ${expected}, found ${found ? `'${found}'` : 'nothing'}`);
  }
}
