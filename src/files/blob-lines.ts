import { isBlank } from './batch-lines.ts';
import { BlobFault, type BlobReader } from './blob-store.ts';

/** A line of a file without its end; `start` and `end` are its bytes in the file, its end included. */
export interface BlobLine {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const READ_BYTES = 262_144;
const LINE_FEED = 0x0a;

/**
 * Lines of blob[from, to) that are not empty, those of each read together: a promise for each line would cost more than
 * looking at it. Throws a BlobFault, also where a line is longer than `maxLineBytes`: whoever took the file saw to that.
 */
export async function* linesOf(
  blob: BlobReader,
  from: number,
  to: number,
  maxLineBytes: number,
): AsyncGenerator<readonly BlobLine[]> {
  let rest = Buffer.alloc(0);
  let at = from;
  for (let start = from; start < to; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, to - at));
    const length = piece.length === 0 ? 0 : await blob.read(piece, at);
    if (length === 0 && at < to) throw new BlobFault('The file is shorter than it was.', undefined);
    at += length;
    const bytes = rest.length === 0 ? piece.subarray(0, length) : Buffer.concat([rest, piece.subarray(0, length)]);
    const lines: BlobLine[] = [];
    let begin = 0;
    for (;;) {
      const found = bytes.indexOf(LINE_FEED, begin);
      if (found < 0 && at < to) break;
      const next = found < 0 ? bytes.length : found + 1;
      const line = bytes.subarray(begin, found < 0 ? bytes.length : found);
      if (!isBlank(line)) lines.push({ bytes: line, start, end: start + next - begin });
      start += next - begin;
      begin = next;
      if (begin >= bytes.length) break;
    }
    if (lines.length > 0) yield lines;
    rest = bytes.subarray(begin);
    if (rest.length > maxLineBytes) throw new BlobFault(`A line is longer than ${maxLineBytes} bytes.`, undefined);
  }
}
