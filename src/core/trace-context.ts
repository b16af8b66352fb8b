import { Buffer } from 'node:buffer';
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
  /** The id of a trace that begins here. */
  readonly traceId: string;
  /** The id of the exchange's own span. */
  readonly spanId: string;
}

/** Follow from the exchange's id alone, so that the thread that exports spans knows them without being told. */
export function ownIds(exchangeId: string): OwnIds {
  writeOwn(exchangeId);
  return {
    traceId: header.toString('latin1', TRACE_AT, TRACE_AT + 2 * TRACE_BYTES),
    spanId: header.toString('latin1', SPAN_AT, SPAN_AT + 2 * SPAN_BYTES),
  };
}

/** The same as bytes: `into` gets 16 of the trace and 8 of the exchange's span. */
export function ownIdBytes(exchangeId: string, into: Uint8Array): void {
  digest(exchangeId);
  for (let word = 0; word < words.length; word += 1) writeWord(words[word]!, into, 4 * word);
  writeWord(spanWord(0), into, TRACE_BYTES);
  writeWord(spanWord(1), into, TRACE_BYTES + 4);
}

/** The span id of one attempt, counted from 1: `into` gets 8 bytes. */
export function attemptIdBytes(exchangeId: string, attempt: number, into: Uint8Array): void {
  digest(exchangeId);
  const salt = Math.imul(attempt, ATTEMPT);
  writeWord(scrambled(words[2]! ^ salt), into, 0);
  writeWord(scrambled(words[3]! + salt), into, 4);
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
/** One half of a span id, from the digest made last. */
const words = new Uint32Array(4);
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
/** A header of a trace that begins here, and where its ids stand in it: to convert bytes takes twice as long. */
const header = Buffer.from(`00-${'0'.repeat(2 * TRACE_BYTES)}-${'0'.repeat(2 * SPAN_BYTES)}-01`);
const TRACE_AT = 3;
const SPAN_AT = TRACE_AT + 2 * TRACE_BYTES + 1;
const DIGITS = Buffer.from('0123456789abcdef');

/** Both ids in the header. */
function writeOwn(exchangeId: string): void {
  digest(exchangeId);
  for (let word = 0; word < words.length; word += 1) writeDigits(words[word]!, TRACE_AT + 8 * word);
  writeDigits(spanWord(0), SPAN_AT);
  writeDigits(spanWord(1), SPAN_AT + 8);
}

/** One half of a span id, from the digest made last. */
function spanWord(half: 0 | 1): number {
  return half === 0 ? scrambled(words[0]! ^ SPAN) : scrambled(words[1]! + SPAN);
}

function writeDigits(word: number, at: number): void {
  for (let digit = 0; digit < 8; digit += 1) header[at + digit] = DIGITS[(word >>> (28 - 4 * digit)) & 15]!;
}

/** Highest byte first. */
function writeWord(word: number, into: Uint8Array, at: number): void {
  into[at] = word >>> 24;
  into[at + 1] = word >>> 16;
  into[at + 2] = word >>> 8;
  into[at + 3] = word;
}

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
  const parent = parseTraceparent(headers.traceparent);
  if (parent === undefined) {
    writeOwn(exchangeId);
    headers.tracestate = undefined;
    headers.clientTraceparent = undefined;
    headers.traceparent = header.toString('latin1');
    return;
  }
  headers.clientTraceparent = headers.traceparent;
  headers.traceparent = `00-${parent.traceId}-${ownIds(exchangeId).spanId}-${parent.sampled ? '01' : '00'}`;
}
