import { type FileHandle, open } from 'node:fs/promises';
import { RecordFrame } from '../telemetry/record-frame.ts';
import { FRAME_HEAD_BYTES, MAGIC, MOST_FRAME_BYTES, readFrame } from './journal-format.ts';

export interface JournalPart {
  readonly frames: readonly RecordFrame[];
  /** Where to read on. */
  readonly next: number;
  /** Why nothing can be read behind `next`; undefined: all of it is whole so far. */
  readonly broken: string | undefined;
}

const READ_BYTES = 256 * 1024;

/**
 * Whole frames between `start` and `end` of a segment, until `most` records are there. A frame that is torn or was written by
 * an unknown version ends it: what is behind has no beginning that could be found. Room that was reserved is no frame.
 */
export async function readJournal(path: string, start: number, end: number, most: number): Promise<JournalPart> {
  const frames: RecordFrame[] = [];
  let records = 0;
  const file = await open(path, 'r');
  try {
    let next = start;
    if (next < MAGIC.length) {
      const magic = await readAt(file, 0, MAGIC.length);
      if (!magic.equals(MAGIC)) return { frames, next, broken: 'it does not begin as a journal of this version' };
      next = MAGIC.length;
    }
    let base = next;
    let bytes: Buffer = Buffer.alloc(0);
    while (next < end && records < most) {
      const read = readFrame(bytes, next - base);
      if (read === 'blank') {
        const blank = await isBlank(file, next, end);
        return blank ? { frames, next: end, broken: undefined } : { frames, next, broken: 'a frame is missing' };
      }
      if (read === 'torn') return { frames, next, broken: 'the checksum of a frame does not hold' };
      if ('needs' in read) {
        const wanted = Math.min(end - next, Math.max(READ_BYTES, read.needs));
        if (wanted < read.needs || read.needs > MOST_FRAME_BYTES + FRAME_HEAD_BYTES)
          return { frames, next, broken: 'the last frame is not whole' };
        base = next;
        bytes = await readAt(file, next, wanted);
        if (bytes.length < read.needs) return { frames, next, broken: 'the last frame is not whole' };
        continue;
      }
      const frame = frameOrNone(read.frame);
      if (frame === undefined) return { frames, next, broken: 'a frame was written by another version' };
      frames.push(frame);
      records += frame.length;
      next = base + read.next;
    }
    return { frames, next, broken: undefined };
  } finally {
    await file.close();
  }
}

/** What stands between is room that no frame was written into. */
async function isBlank(file: FileHandle, start: number, end: number): Promise<boolean> {
  for (let from = start; from < end; from += READ_BYTES) {
    const bytes = await readAt(file, from, Math.min(READ_BYTES, end - from));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

function frameOrNone(bytes: Buffer): RecordFrame | undefined {
  try {
    return new RecordFrame(bytes);
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
