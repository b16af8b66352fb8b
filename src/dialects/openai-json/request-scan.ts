import { JsonPeek, MAX_DEPTH, type PeekFault } from '../../codec/json-peek.ts';
import { isObject } from '../../codec/json-value.ts';
import type { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { BodyScan, OrError } from '../../core/exchange.ts';
import { type ServedAs, servedAfter, servedAs, type TermName } from '../../inference/served-as.ts';

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** A value that is read by itself has a bound of its own: parsing one of 32 MB here would stop the loop for seconds. */
const MOST_NUMBER_BYTES = 64;
const MOST_WORD_BYTES = 512;
const MOST_OPTIONS_BYTES = 4_096;
/** As of a value of `x-tfy-metadata`. */
const MAX_METADATA_CHARACTERS = 128;
/** 256 characters, each escaped. */
export const MAX_MODEL_BYTES = 6 * 256 + 2;

/** Where a model is named in a body: the JSON string, quotes included. */
export interface NamedModel {
  readonly model: string;
  readonly modelStart: number;
  readonly modelEnd: number;
}

/**
 * A few top-level keys of a JSON request, read as its bytes arrive. Keys are named by their index in `keys`; each method
 * refuses what OpenAI refuses, by name.
 */
export class JsonRequestScan implements BodyScan {
  readonly #keys: PeekKeys;
  readonly #peek: JsonPeek;

  constructor(keys: PeekKeys) {
    this.#keys = keys;
    this.#peek = new JsonPeek(keys);
  }

  get starts(): readonly number[] {
    return this.#peek.starts;
  }

  get ends(): readonly number[] {
    return this.#peek.ends;
  }

  advance(buffer: Buffer, end: number): void {
    if (this.#peek.fault === undefined) this.#peek.advance(buffer, end);
  }

  /** After the last byte: what is wrong with the body as a whole; undefined: nothing. */
  fault(): GatewayError | undefined {
    return this.#peek.finish() ? undefined : peekError(this.#peek.fault!);
  }

  model(body: Buffer, key: number): OrError<NamedModel> {
    const name = this.#keys.names[key]!;
    const modelStart = this.starts[key]!;
    if (modelStart < 0) return missing(name);
    if (body[modelStart] !== QUOTE) return wrong(name, 'It must be a string.');
    const modelEnd = this.ends[key]!;
    if (modelEnd - modelStart > MAX_MODEL_BYTES) return wrong(name, 'It may have up to 256 characters.');
    const model = text(body, modelStart, modelEnd);
    return model === undefined ? wrong(name, 'It must be a string.') : { model, modelStart, modelEnd };
  }

  /** False where it is absent or null. */
  flag(body: Buffer, key: number): OrError<boolean> {
    const start = this.starts[key]!;
    if (start < 0) return false;
    const word = body.toString('latin1', start, this.ends[key]);
    if (word === 'true') return true;
    return word === 'false' || word === 'null' ? false : wrong(this.#keys.names[key]!, 'It must be true or false.');
  }

  /** Whether the object at `key` (`stream_options`) asks for usage in the stream. */
  includeUsage(body: Buffer, key: number): OrError<boolean> {
    const start = this.starts[key]!;
    const end = this.ends[key]!;
    const name = this.#keys.names[key]!;
    if (end - start > MOST_OPTIONS_BYTES) return wrong(name, `It may have up to ${MOST_OPTIONS_BYTES} bytes.`);
    if (start < 0) return false;
    const options = parsed(body, start, end);
    if (options !== null && !isObject(options)) return wrong(name, 'It must be an object.');
    const asked = options?.['include_usage'];
    if (asked !== undefined && asked !== null && typeof asked !== 'boolean') {
      return wrong(`${name}.include_usage`, 'It must be true or false.');
    }
    return asked === true;
  }

  /** Undefined where it is no string: whether that is allowed is the provider's to say. */
  word(body: Buffer, key: number): string | undefined {
    const start = this.starts[key]!;
    const end = this.ends[key]!;
    if (start < 0 || body[start] !== QUOTE) return undefined;
    return end - start > MOST_WORD_BYTES ? '' : text(body, start, end);
  }

  /**
   * `prompt_cache_key` as metadata: requests of one key share a prompt, and whoever routes by it keeps the caches of its
   * provider warm. Undefined where there is none.
   */
  cacheKey(body: Buffer, key: number): Readonly<Record<string, string>> | undefined {
    const value = this.word(body, key);
    if (value === undefined || value === '' || value.length > MAX_METADATA_CHARACTERS) return undefined;
    return { prompt_cache_key: value };
  }

  /** Why the value is not the array that it has to be; undefined: it is one. */
  notArray(body: Buffer, key: number): GatewayError | undefined {
    const name = this.#keys.names[key]!;
    const start = this.starts[key]!;
    if (start < 0) return missing(name);
    return body[start] === OPEN_BRACKET ? undefined : wrong(name, 'It must be an array.');
  }

  /** How the client wishes to be served, where that may cost more. `terms`: with the index of the key of each. */
  servedAs(body: Buffer, terms: readonly (readonly [TermName, number])[]): ServedAs | undefined {
    let wished: { [Name in TermName]?: string } | undefined;
    for (const [name, key] of terms) {
      const word = this.word(body, key);
      if (word === undefined) continue;
      wished ??= {};
      wished[name] = word;
    }
    const wish = wished && servedAs(wished);
    return wish && servedAfter(undefined, wish);
  }

  /** Undefined where it is absent or null. */
  count(body: Buffer, key: number): OrError<number | undefined> {
    const start = this.starts[key]!;
    if (start < 0) return undefined;
    const end = this.ends[key]!;
    const name = this.#keys.names[key]!;
    if (end - start > MOST_NUMBER_BYTES) return wrong(name, 'It must be a whole number.');
    const value = digits(body, start, end) ?? parsed(body, start, end);
    if (value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    return wrong(name, 'It must be a whole number.');
  }
}

export function peekError(fault: PeekFault): GatewayError {
  switch (fault.kind) {
    case 'syntax':
      return new GatewayError('invalid_json', { detail: `At byte ${fault.at}: expected ${fault.expected}.` });
    case 'depth':
      return new GatewayError('invalid_json', { detail: `At byte ${fault.at}: nested deeper than ${MAX_DEPTH}.` });
    case 'repeated':
      return new GatewayError('ambiguous_parameter', { param: fault.key, detail: `\`${fault.key}\` is repeated.` });
    case 'case':
      return new GatewayError('ambiguous_parameter', {
        param: fault.key,
        detail: `\`${fault.key}\` is written in other letter case, or with letters that some servers read as the same.`,
      });
    case 'escaped':
      return new GatewayError('ambiguous_parameter', {
        param: fault.key,
        detail: `\`${fault.key}\` is written with escapes.`,
      });
  }
}

export function missing(param: string): GatewayError {
  return new GatewayError('missing_parameter', { param, detail: `\`${param}\` is required.` });
}

export function wrong(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail: `\`${param}\`: ${detail}` });
}

/** What a count nearly always is: up to nine digits; undefined for all else. */
function digits(body: Buffer, start: number, end: number): number | undefined {
  if (end - start > 9 || (end - start > 1 && body[start] === ZERO)) return undefined;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = body[at]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** The string between the quotes; undefined where its escapes are not valid. */
function text(body: Buffer, start: number, end: number): string | undefined {
  const raw = body.toString('utf8', start + 1, end - 1);
  for (let i = 0; i < raw.length; i += 1) {
    if (raw.charCodeAt(i) === BACKSLASH) {
      const value = parsed(body, start, end);
      return typeof value === 'string' ? value : undefined;
    }
  }
  return raw;
}

/** Undefined where the value is not valid JSON. */
export function parsed(body: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(body.toString('utf8', start, end));
  } catch {
    // The caller's type check refuses undefined and names the parameter.
    return undefined;
  }
}
