import { Buffer } from 'node:buffer';
import { countOf, parseObject } from '../codec/json-value.ts';
import type { RecordedBytes } from './recording.ts';

/** The facts of an answer beside its bytes. */
export interface AnswerAbout {
  /** `account/model` that answered. */
  readonly target: string;
  readonly contentType: string;
  readonly stream: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly storedAt: number;
  readonly expiresAt: number;
  readonly namespace: string;
  /** The id of the exchange that got this answer first. */
  readonly exchange: string;
  /** What it cost; undefined: nobody knows. */
  readonly nanoUsd: number | undefined;
}

export interface CachedAnswer extends RecordedBytes {
  readonly about: AnswerAbout;
}

/** The form of an entry: a change of its layout takes another first byte, and older entries are misses. */
const FORM = 1;
const HEAD_BYTES = 12;

/** `[form, 3 × 0 · bytes of JSON · pieces] [JSON] [ends, uint32 each] [times, uint32 each] [bytes]`, lowest byte first. */
export function encodeAnswer(answer: RecordedBytes, known: AnswerAbout): Buffer {
  const json = Buffer.from(JSON.stringify(known));
  const { bytes, ends, times } = answer;
  const entry = Buffer.allocUnsafe(HEAD_BYTES + json.length + 8 * ends.length + bytes.length);
  entry.writeUInt32LE(FORM, 0);
  entry.writeUInt32LE(json.length, 4);
  entry.writeUInt32LE(ends.length, 8);
  json.copy(entry, HEAD_BYTES);
  let at = HEAD_BYTES + json.length;
  for (const end of ends) at = entry.writeUInt32LE(end, at);
  for (const time of times) at = entry.writeUInt32LE(time, at);
  bytes.copy(entry, at);
  return entry;
}

/** Undefined: it is no entry of this form. The answer's bytes are those of the entry. */
export function decodeAnswer(entry: Buffer): CachedAnswer | undefined {
  if (entry.length < HEAD_BYTES || entry.readUInt32LE(0) !== FORM) return undefined;
  const jsonEnd = HEAD_BYTES + entry.readUInt32LE(4);
  const pieces = entry.readUInt32LE(8);
  const begin = jsonEnd + 8 * pieces;
  if (pieces === 0 || begin >= entry.length) return undefined;
  const known = readAbout(entry.toString('utf8', HEAD_BYTES, jsonEnd));
  if (known === undefined) return undefined;
  const bytes = entry.subarray(begin);
  const ends: number[] = new Array(pieces);
  const times: number[] = new Array(pieces);
  for (let piece = 0; piece < pieces; piece += 1) {
    ends[piece] = entry.readUInt32LE(jsonEnd + 4 * piece);
    times[piece] = entry.readUInt32LE(jsonEnd + 4 * (pieces + piece));
  }
  return ends[pieces - 1] === bytes.length ? { about: known, bytes, ends, times } : undefined;
}

/** What stands in the head of an entry; undefined: it is none. */
export function aboutOf(entry: Buffer): AnswerAbout | undefined {
  if (entry.length < HEAD_BYTES || entry.readUInt32LE(0) !== FORM) return undefined;
  return readAbout(entry.toString('utf8', HEAD_BYTES, HEAD_BYTES + entry.readUInt32LE(4)));
}

/** By hand: each hit pays for it. Undefined: no gateway of this build wrote it. */
function readAbout(text: string): AnswerAbout | undefined {
  const { target, contentType, stream, storedAt, expiresAt, namespace, exchange, nanoUsd } = parseObject(text) ?? {};
  if (typeof target !== 'string' || typeof contentType !== 'string' || typeof stream !== 'boolean') return undefined;
  if (typeof storedAt !== 'number' || typeof expiresAt !== 'number') return undefined;
  if (typeof namespace !== 'string' || typeof exchange !== 'string') return undefined;
  return { target, contentType, stream, storedAt, expiresAt, namespace, exchange, nanoUsd: countOf(nanoUsd) };
}
