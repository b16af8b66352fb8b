import { type FileHandle, open } from 'node:fs/promises';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import { decodeBatch } from '../telemetry/record-batch.ts';
import { FRAME_HEAD_BYTES, MAGIC, MOST_FRAME_BYTES, readFrame } from './journal-format.ts';

export interface JournalPart {
  readonly records: ExchangeRecord[];
  /** Where to read on. */
  readonly next: number;
  /** Why nothing can be read behind `next`; undefined: all of it is whole so far. */
  readonly broken: string | undefined;
}

const READ_BYTES = 256 * 1024;

/**
 * Whole frames between `start` and `end` of a segment, until `most` records are there. A frame that is torn or was written by
 * an unknown version ends it: what is behind has no beginning that could be found.
 */
export async function readJournal(path: string, start: number, end: number, most: number): Promise<JournalPart> {
  const records: ExchangeRecord[] = [];
  const file = await open(path, 'r');
  try {
    let next = start;
    if (next < MAGIC.length) {
      const magic = await readAt(file, 0, MAGIC.length);
      if (!magic.equals(MAGIC)) return { records, next, broken: 'it does not begin as a journal of this version' };
      next = MAGIC.length;
    }
    let base = next;
    let bytes: Buffer = Buffer.alloc(0);
    while (next < end && records.length < most) {
      const read = readFrame(bytes, next - base);
      if (read === 'torn') return { records, next, broken: 'the checksum of a frame does not hold' };
      if ('needs' in read) {
        const wanted = Math.min(end - next, Math.max(READ_BYTES, read.needs));
        if (wanted < read.needs || read.needs > MOST_FRAME_BYTES + FRAME_HEAD_BYTES)
          return { records, next, broken: 'the last frame is not whole' };
        base = next;
        bytes = await readAt(file, next, wanted);
        if (bytes.length < read.needs) return { records, next, broken: 'the last frame is not whole' };
        continue;
      }
      const decoded = decodedOrNone(read.frame);
      if (decoded === undefined) return { records, next, broken: 'a frame was written by another version' };
      for (const record of decoded) records.push(record);
      next = base + read.next;
    }
    return { records, next, broken: undefined };
  } finally {
    await file.close();
  }
}

function decodedOrNone(frame: Buffer): ExchangeRecord[] | undefined {
  try {
    return decodeBatch(frame);
  } catch {
    // Its checksum holds, so it is not torn: it is of a form that this version does not know.
    return undefined;
  }
}

async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
