import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseReader } from '../../load/driver/response-reader.ts';

const SIZED = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED = 'HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n';
const EMPTY = 'HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n';

type Seen = { statuses: number[]; bytes: number; ends: number };

function read(pieces: Buffer[]): Seen {
  const seen: Seen = { statuses: [], bytes: 0, ends: 0 };
  const reader = new ResponseReader({
    onHead: (status) => seen.statuses.push(status),
    onBody: (bytes) => {
      seen.bytes += bytes;
    },
    onEnd: () => {
      seen.ends++;
    },
  });
  for (const piece of pieces) reader.push(piece);
  return seen;
}

test('answers read the same whole, byte by byte, and cut at each boundary', () => {
  const bytes = Buffer.from(SIZED + CHUNKED + EMPTY + SIZED);
  const expected: Seen = { statuses: [200, 429, 204, 200], bytes: 5 + 13 + 0 + 5, ends: 4 };
  assert.deepEqual(read([bytes]), expected);
  assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.of(byte))), expected);
  for (let cut = 1; cut < bytes.length; cut++) {
    assert.deepEqual(read([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
  }
});

test('a body is told once a read, however many chunks it came in', () => {
  let calls = 0;
  const reader = new ResponseReader({ onHead: () => {}, onBody: () => calls++, onEnd: () => {} });
  reader.push(Buffer.from(CHUNKED));
  assert.equal(calls, 1);
});

test('an endless head and an invalid chunk size are refused', () => {
  assert.throws(() => read([Buffer.from(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}`)]), /head over 16 KB/);
  const chunk = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n';
  assert.throws(() => read([Buffer.from(chunk)]), /chunk size 'zz'/);
});
