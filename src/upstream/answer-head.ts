import { decimal } from '../core/decimal.ts';
import type { HeadLines } from './head-lines.ts';

/** Bytes of one answer head at the most, as undici's `maxHeaderSize`. */
const MAX_HEAD_BYTES = 16_384;

/** What `AnswerHead.parse` returns where it has not read a whole head. */
export const INCOMPLETE = -1;
export const INVALID = -2;

/** How the end of a body is found (RFC 9112 §6.3). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
/** Up to the digit of the minor version, which is 0 or 1. */
const VERSION = Buffer.from('HTTP/1.');
const STATUS_AT = VERSION.length + 2;
const STATUS_DIGITS = 3;
const KEEP_ALIVE_SECONDS = /(?:^|[,\s])timeout\s*=\s*"?(\d{1,9})/i;

/** 1: may stand in a name (RFC 9110 §5.6.2); 2: may stand in a value (§5.5). */
const IN_NAME = 1;
const IN_VALUE = 2;
const KINDS = kindsOfBytes();

/** Names as received → in lower case. Providers send few; the bound keeps made-up names from filling memory. */
const MAX_KNOWN_NAMES = 512;
const knownNames = new Map<string, string>();

/**
 * The head of one answer, read strictly: bytes that another reader might read otherwise are no head (RFC 9112 §11.1). One
 * object serves all heads of a thread, but each head gets new `headers`.
 */
export class AnswerHead {
  status = 0;
  /** Names in lower case; an array where a name came more than once. */
  headers: Record<string, string | string[]> = {};
  framing: Framing = 'none';
  /** The length of the body, where `framing` is `length`. */
  length = 0;
  /** Whether the provider keeps the connection. */
  keepsAlive = true;
  /** How long the provider keeps the connection idle; undefined: it does not say. */
  keepAliveMs: number | undefined;

  /**
   * Reads the head that begins at `from`; the received bytes end at `to`. Returns where the head ends, INCOMPLETE, or
   * INVALID, also for a head of more than MAX_HEAD_BYTES. `lines`: those of all heads of this origin.
   */
  parse(bytes: Buffer, from: number, to: number, lines: HeadLines): number {
    const end = endOf(bytes, from, Math.min(to, from + MAX_HEAD_BYTES));
    if (end === INCOMPLETE) {
      if (to - from >= MAX_HEAD_BYTES || hasBareLineFeed(bytes, from, to)) return INVALID;
      return startsAsHead(bytes, from, to) ? INCOMPLETE : INVALID;
    }
    const firstLine = lineEnd(bytes, from);
    if (firstLine < 0 || !this.#statusLine(bytes, from, firstLine)) return INVALID;
    return this.#fields(bytes, firstLine + 2, end, lines) && this.#frame(bytes[from + VERSION.length] === ZERO)
      ? end
      : INVALID;
  }

  #statusLine(bytes: Buffer, from: number, end: number): boolean {
    if (!startsAsHead(bytes, from, end) || end < from + STATUS_AT + STATUS_DIGITS) return false;
    let status = 0;
    for (let at = from + STATUS_AT; at < from + STATUS_AT + STATUS_DIGITS; at += 1) {
      const digit = bytes[at]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      status = status * 10 + digit;
    }
    if (status < 100) return false;
    const reason = from + STATUS_AT + STATUS_DIGITS;
    // The reason phrase is not read.
    if (reason < end && bytes[reason] !== SPACE) return false;
    this.status = status;
    return true;
  }

  /** Reads every line up to the empty one. A line that continues in the next (RFC 9112 §5.2) is refused: its name is invalid. */
  #fields(bytes: Buffer, first: number, end: number, lines: HeadLines): boolean {
    const { byteOffset } = bytes;
    lines.begin(bytes);
    const headers: Record<string, string | string[]> = {};
    const last = end - 2;
    for (let at = first, index = 0; at < last; index += 1) {
      const known = lines.at(index);
      if (known !== undefined && lines.isLine(known, byteOffset + at, byteOffset + last)) {
        add(headers, known.name, known.value);
        at += known.bytes.byteLength;
        continue;
      }
      const isNamed = known !== undefined && lines.hasName(known, byteOffset + at, byteOffset + last);
      let colon = isNamed ? at + known.nameBytes - 1 : at;
      while ((KINDS[bytes[colon]!]! & IN_NAME) !== 0) colon += 1;
      if (colon === at || bytes[colon] !== COLON) return false;
      let start = colon + 1;
      while (isBlank(bytes[start]!)) start += 1;
      let stop = start;
      while ((KINDS[bytes[stop]!]! & IN_VALUE) !== 0) stop += 1;
      if (bytes[stop] !== CR || bytes[stop + 1] !== LF) return false;
      const next = stop + 2;
      while (stop > start && isBlank(bytes[stop - 1]!)) stop -= 1;
      const name = isNamed ? known.name : lowerCased(bytes.toString('latin1', at, colon));
      const value = bytes.toString('latin1', start, stop);
      add(headers, name, value);
      lines.learn(index, name, value, byteOffset + at, colon + 1 - at, byteOffset + next);
      at = next;
    }
    this.headers = headers;
    return true;
  }

  #frame(isOld: boolean): boolean {
    const { headers, status } = this;
    const connection = headers['connection'];
    if (connection === undefined) this.keepsAlive = !isOld;
    // As nearly all say that say anything.
    else this.keepsAlive = connection === 'keep-alive' || keeps(joined(connection), isOld);
    const keepAlive = headers['keep-alive'];
    this.keepAliveMs = keepAlive === undefined ? undefined : secondsIn(joined(keepAlive));
    const declared = headers['content-length'];
    const coding = headers['transfer-encoding'];
    // Two lengths, or a length and chunks, end at two places (RFC 9112 §6.3).
    if (declared !== undefined && (coding !== undefined || Array.isArray(declared))) return false;
    this.length = declared === undefined ? 0 : decimal(declared);
    if (Number.isNaN(this.length)) return false;
    if (status < 200 || status === 204 || status === 304) {
      this.framing = 'none';
      // A body might follow all the same, and nobody can know.
      if (this.length > 0 || coding !== undefined) this.keepsAlive = false;
    } else if (coding !== undefined) this.framing = isChunked(joined(coding)) ? 'chunked' : 'close';
    else this.framing = declared === undefined ? 'close' : 'length';
    if (this.framing === 'close') this.keepsAlive = false;
    return true;
  }
}

/** Where the empty line ends; INCOMPLETE. */
function endOf(bytes: Buffer, from: number, to: number): number {
  for (let at = from + 3; at < to; at += 1) {
    const byte = bytes[at]!;
    // The last byte has three others of line ends before it.
    if (byte > CR) at += 3;
    else if (byte === LF && bytes[at - 2] === LF && bytes[at - 1] === CR && bytes[at - 3] === CR) return at + 1;
  }
  return INCOMPLETE;
}

/** The end of a line, which exists; INVALID: the line does not end as HTTP's lines do. */
function lineEnd(bytes: Buffer, from: number): number {
  for (let at = from; ; at += 1) {
    const byte = bytes[at]!;
    if (byte === LF) return INVALID;
    if (byte === CR) return bytes[at + 1] === LF ? at : INVALID;
  }
}

function hasBareLineFeed(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] === LF && (at === from || bytes[at - 1] !== CR)) return true;
  return false;
}

/** Whether these bytes may begin a head: bytes that are no HTTP are refused at once. */
function startsAsHead(bytes: Buffer, from: number, to: number): boolean {
  const length = Math.min(to - from, STATUS_AT);
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[from + at]!;
    if (at < VERSION.length) {
      if (byte !== VERSION[at]) return false;
    } else if (at === VERSION.length) {
      if (byte !== ZERO && byte !== ZERO + 1) return false;
    } else if (byte !== SPACE) return false;
  }
  return true;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function lowerCased(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(name, lower);
  return lower;
}

function add(headers: Record<string, string | string[]>, name: string, value: string): void {
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else if (typeof before === 'string') headers[name] = [before, value];
  // A name that every object has, such as `constructor` or `__proto__`.
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
}

function joined(value: string | string[]): string {
  return Array.isArray(value) ? value.join(',') : value;
}

function keeps(connection: string, isOld: boolean): boolean {
  const tokens = connection
    .toLowerCase()
    .split(',')
    .map((token) => token.trim());
  return !tokens.includes('close') && (!isOld || tokens.includes('keep-alive'));
}

function secondsIn(keepAlive: string): number | undefined {
  const seconds = KEEP_ALIVE_SECONDS.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** The last coding ends the body; where it is another one, the connection does. */
function isChunked(codings: string): boolean {
  const last = codings.slice(codings.lastIndexOf(',') + 1);
  return last.trim().toLowerCase() === 'chunked';
}

function kindsOfBytes(): Uint8Array {
  const kinds = new Uint8Array(256);
  for (let byte = SPACE; byte < 256; byte += 1) if (byte !== 0x7f) kinds[byte] = IN_VALUE;
  kinds[TAB] = IN_VALUE;
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
    kinds[character.charCodeAt(0)] = IN_VALUE | IN_NAME;
  }
  return kinds;
}
