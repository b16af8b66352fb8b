import { JsonPeek, MAX_DEPTH, type PeekFault } from '../../codec/json-peek.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { type ServedAs, servedAfter, servedAs } from '../../inference/served-as.ts';
import type { PeekedRequest, RequestScan } from '../dialect.ts';

/** Every top-level key that the gateway itself reads: repeated or escaped, it is refused. */
const keys = new PeekKeys([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'service_tier',
  'speed',
  'inference_geo',
]);
const MODEL = 0;
const MESSAGES = 1;
const STREAM = 2;
const STREAM_OPTIONS = 3;
const MAX_TOKENS = 4;
const MAX_COMPLETION_TOKENS = 5;
const CHOICES = 6;
const SERVICE_TIER = 7;
const SPEED = 8;
const INFERENCE_GEO = 9;

const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** What is read by itself is bounded by itself: parsing a value of 32 MB here would stop the loop for seconds. */
const MOST_OPTIONS_BYTES = 4_096;
const MOST_NUMBER_BYTES = 64;
const MOST_WORD_BYTES = 512;
/** 256 characters, each escaped. */
const MOST_MODEL_BYTES = 6 * 256 + 2;

/** Reads a chat request as its bytes arrive; `result` once all are there. */
export class ChatScan implements RequestScan {
  readonly #peek = new JsonPeek(keys);

  advance(buffer: Buffer, end: number): void {
    if (this.#peek.fault === undefined) this.#peek.advance(buffer, end);
  }

  result(body: Buffer): OrError<PeekedRequest> {
    const peek = this.#peek;
    if (!peek.finish()) return peekError(peek.fault!);
    const { starts, ends } = peek;

    const modelStart = starts[MODEL]!;
    if (modelStart < 0) return missing('model');
    if (body[modelStart] !== QUOTE) return wrong('model', 'It must be a string.');
    const modelEnd = ends[MODEL]!;
    if (modelEnd - modelStart > MOST_MODEL_BYTES) return wrong('model', 'It may have up to 256 characters.');
    const model = text(body, modelStart, modelEnd);
    if (model === undefined) return wrong('model', 'It must be a string.');

    if (starts[MESSAGES]! < 0) return missing('messages');
    if (body[starts[MESSAGES]!] !== OPEN_BRACKET) return wrong('messages', 'It must be an array.');

    let stream = false;
    if (starts[STREAM]! >= 0) {
      const word = body.toString('latin1', starts[STREAM]!, ends[STREAM]!);
      if (word === 'true') stream = true;
      else if (word !== 'false' && word !== 'null') return wrong('stream', 'It must be true or false.');
    }

    let includeUsage = false;
    const streamOptionsStart = starts[STREAM_OPTIONS]!;
    const streamOptionsEnd = ends[STREAM_OPTIONS]!;
    if (streamOptionsEnd - streamOptionsStart > MOST_OPTIONS_BYTES) {
      return wrong('stream_options', `It may have up to ${MOST_OPTIONS_BYTES} bytes.`);
    }
    if (streamOptionsStart >= 0) {
      const options = parsed(body, streamOptionsStart, streamOptionsEnd);
      if (options !== null && (typeof options !== 'object' || Array.isArray(options))) {
        return wrong('stream_options', 'It must be an object.');
      }
      if (body[streamOptionsStart] === OPEN_BRACE) {
        const asked: unknown = Reflect.get(options as object, 'include_usage');
        if (asked !== undefined && asked !== null && typeof asked !== 'boolean') {
          return wrong('stream_options.include_usage', 'It must be true or false.');
        }
        includeUsage = asked === true;
      }
    }

    const older = this.#count(body, MAX_TOKENS);
    if (older instanceof GatewayError) return older;
    const newer = this.#count(body, MAX_COMPLETION_TOKENS);
    if (newer instanceof GatewayError) return newer;
    const choices = this.#count(body, CHOICES);
    if (choices instanceof GatewayError) return choices;
    // Which of the two a provider goes by is its own affair: no limit may be passed by the smaller one.
    const maxOutputTokens = older !== undefined && newer !== undefined ? Math.max(older, newer) : (newer ?? older);
    return {
      model,
      modelStart,
      modelEnd,
      stream,
      includeUsage,
      messagesStart: starts[MESSAGES]!,
      messagesEnd: ends[MESSAGES]!,
      streamOptionsStart,
      streamOptionsEnd,
      maxOutputTokens,
      choices: Math.max(1, choices ?? 1),
      servedAs: this.#servedAs(body),
    };
  }

  /** How the client wishes to be served, where that may cost more. */
  #servedAs(body: Buffer): ServedAs | undefined {
    const { starts } = this.#peek;
    if (starts[SERVICE_TIER]! < 0 && starts[SPEED]! < 0 && starts[INFERENCE_GEO]! < 0) return undefined;
    const wish = servedAs({
      serviceTier: this.#word(body, SERVICE_TIER),
      speed: this.#word(body, SPEED),
      inferenceGeo: this.#word(body, INFERENCE_GEO),
    });
    return wish && servedAfter(undefined, wish);
  }

  /** Undefined where it is none: whether that is allowed is the provider's to say. */
  #word(body: Buffer, key: number): string | undefined {
    const start = this.#peek.starts[key]!;
    const end = this.#peek.ends[key]!;
    if (start < 0 || body[start] !== QUOTE) return undefined;
    return end - start > MOST_WORD_BYTES ? '' : text(body, start, end);
  }

  /** Undefined where it is absent or null. */
  #count(body: Buffer, key: number): OrError<number | undefined> {
    const start = this.#peek.starts[key]!;
    if (start < 0) return undefined;
    const end = this.#peek.ends[key]!;
    if (end - start > MOST_NUMBER_BYTES) return wrong(keys.names[key]!, 'It must be a whole number.');
    const value = digits(body, start, end) ?? parsed(body, start, end);
    if (value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    return wrong(keys.names[key]!, 'It must be a whole number.');
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

function missing(param: string): GatewayError {
  return new GatewayError('missing_parameter', { param, detail: `\`${param}\` is required.` });
}

function wrong(param: string, detail: string): GatewayError {
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
function parsed(body: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(body.toString('utf8', start, end));
  } catch {
    // The caller's type check refuses undefined and names the parameter.
    return undefined;
  }
}
