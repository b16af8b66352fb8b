import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf } from '../../../src/files/blob-lines.ts';
import { BlobFault, type BlobReader } from '../../../src/files/blob-store.ts';

/** Gives at most `most` bytes at once. */
const blobOf = (bytes: Buffer, most: number): BlobReader => ({
  bytes: bytes.length,
  read: async (into, at) => bytes.copy(into, 0, at, Math.min(bytes.length, at + Math.min(most, into.length))),
  close: async () => {},
});

async function lines(text: string, most: number, from = 0, to = Buffer.byteLength(text), max = 1_000_000) {
  const found: { text: string; start: number; end: number }[] = [];
  for await (const read of linesOf(blobOf(Buffer.from(text), most), from, to, max))
    for (const { bytes, start, end } of read) found.push({ text: bytes.toString(), start, end });
  return found;
}

test('lines are the same however they are read, empty ones are left out, and each says where it stands', async () => {
  const text = 'one\n\n  \r\ntwö\nthree';
  for (const most of [1, 2, 3, 5, 100]) {
    assert.deepEqual(
      await lines(text, most),
      [
        { text: 'one', start: 0, end: 4 },
        { text: 'twö', start: 9, end: 14 },
        { text: 'three', start: 14, end: 19 },
      ],
      String(most),
    );
  }
  assert.deepEqual(await lines(text, 4, 9, 14), [{ text: 'twö', start: 9, end: 14 }]);
  assert.deepEqual(await lines('', 4), []);
});

test('a line beyond the bound, and a file that is shorter than it was, are faults', async () => {
  await assert.rejects(lines('a'.repeat(100), 10, 0, 100, 50), BlobFault);
  await assert.rejects(lines('abc\n', 10, 0, 9), BlobFault);
});
