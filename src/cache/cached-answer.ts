import { Buffer } from 'node:buffer';
import { z } from 'zod';
import type { RecordedBytes } from './recording.ts';

/** What is known of an answer beside its bytes. */
const about = z.object({
  /** `account/model` that answered. */
  target: z.string(),
  contentType: z.string(),
  stream: z.boolean(),
  /** Milliseconds since the Unix epoch. */
  storedAt: z.number(),
  expiresAt: z.number(),
  namespace: z.string(),
  /** Of the exchange that it was the answer to. */
  exchange: z.string(),
  /** What it cost; absent: nobody knows. */
  nanoUsd: z.number().optional(),
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
});

export type AnswerAbout = z.output<typeof about>;

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

function readAbout(text: string): AnswerAbout | undefined {
  try {
    return about.safeParse(JSON.parse(text)).data;
  } catch {
    // What no gateway of this build wrote is no answer.
    return undefined;
  }
}
