import type { HeadersOfInterest } from './exchange.ts';

/** W3C trace context, version 00 or a later one that begins alike: https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const SAMPLED = 1;

export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Undefined where the header is absent or malformed: then a trace of its own begins. */
export function parseTraceparent(text: string | undefined): TraceParent | undefined {
  const [, traceId, spanId, flags] = (text !== undefined && TRACEPARENT.exec(text)) || [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export interface OwnIds {
  /** Of a trace that begins here. */
  readonly traceId: string;
  /** Of the exchange's own span. */
  readonly spanId: string;
}

/** Follow from the exchange's id alone, so that the thread that exports spans knows them without being told. */
export function ownIds(exchangeId: string): OwnIds {
  digest(exchangeId);
  for (let word = 0; word < words.length; word += 1) bytes.writeUInt32BE(words[word]!, 4 * word);
  bytes.writeUInt32BE(scrambled(words[0]! ^ SPAN) >>> 0, TRACE_BYTES);
  bytes.writeUInt32BE(scrambled(words[1]! + SPAN) >>> 0, TRACE_BYTES + 4);
  const text = bytes.toString('hex');
  return { traceId: text.slice(0, 2 * TRACE_BYTES), spanId: text.slice(2 * TRACE_BYTES) };
}

/** Of one attempt, counted from 1. */
export function attemptSpanId(exchangeId: string, attempt: number): string {
  digest(exchangeId);
  const salt = Math.imul(attempt, ATTEMPT);
  bytes.writeUInt32BE(scrambled(words[2]! ^ salt) >>> 0, 0);
  bytes.writeUInt32BE(scrambled(words[3]! + salt) >>> 0, 4);
  return bytes.toString('hex', 0, 8);
}

/** How many bits of an id every gateway of a trace chooses by: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag */
const CHOOSING_BITS = 56;

/** The last 56 bits of `ownIds().traceId` as a share from 0 to 1, without writing it. */
export function ownShare(exchangeId: string): number {
  digest(exchangeId);
  return ((words[2]! & 0xff_ffff) * 2 ** 32 + words[3]!) / 2 ** CHOOSING_BITS;
}

/** The same of a trace that the client began. */
export function shareOf(traceId: string): number {
  return Number.parseInt(traceId.slice(-CHOOSING_BITS / 4), 16) / 2 ** CHOOSING_BITS;
}

const SPAN = 0x5bd1_e995;
const ATTEMPT = 0x27d4_eb2f;
/** Of the digest made last. */
const words = new Uint32Array(4);
const TRACE_BYTES = 16;
const bytes = Buffer.alloc(TRACE_BYTES + 8);

/**
 * 128 bits of an id, which is unique already: they must be spread evenly, and nobody is kept from making the same. SHA-256
 * takes three times as long, twice an exchange (bench: tracing). https://github.com/bryc/code/blob/master/jshash/PRNGs.md#cyrb128
 */
function digest(text: string): void {
  let one = 1_779_033_703;
  let two = 3_144_134_277;
  let three = 1_013_904_242;
  let four = 2_773_480_762;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    one = two ^ Math.imul(one ^ code, 597_399_067);
    two = three ^ Math.imul(two ^ code, 2_869_860_233);
    three = four ^ Math.imul(three ^ code, 951_274_213);
    four = one ^ Math.imul(four ^ code, 2_716_044_179);
  }
  words[0] = scrambled(one ^ (three >>> 18));
  words[1] = scrambled(two ^ (four >>> 22));
  words[2] = scrambled(three ^ (one >>> 17));
  words[3] = scrambled(four ^ (two >>> 19));
}

/** The last step of MurmurHash3: each bit of the word changes half of the others. */
function scrambled(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * The provider becomes a child of the exchange's span. What the client sent is kept for the record; a `tracestate` without
 * a trace that it belongs to goes no further.
 */
export function continueTrace(headers: HeadersOfInterest, exchangeId: string): void {
  const own = ownIds(exchangeId);
  const parent = parseTraceparent(headers.traceparent);
  if (parent === undefined) headers.tracestate = undefined;
  headers.clientTraceparent = parent && headers.traceparent;
  const flags = parent === undefined || parent.sampled ? '01' : '00';
  headers.traceparent = `00-${parent?.traceId ?? own.traceId}-${own.spanId}-${flags}`;
}
