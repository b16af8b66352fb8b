import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkedBody } from '../../../src/upstream/chunked-body.ts';
import { randomFrom } from '../../support/random.ts';

const BODIES = [
  '5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n0\r\n\r\n',
  '1\r\na\r\n00001\r\nb\r\n0000000001\r\nc\r\n0A\r\n0123456789\r\n0\r\nt: x\r\n\r\nHTTP',
  '2;a=b\r\nab\r\n2\r\ncd\r\n0;x\r\n\r\n',
  '2\r\nab\r\n2\ncd\r\n0\r\n\r\n',
  '2\r\nab\n2\r\ncd\r\n0\r\n\r\n',
  '2\r\nab\r\n\r\ncd\r\n0\r\n\r\n',
  '2\r\nabc\r\n2\r\ncd\r\n0\r\n\r\n',
  '2\r\nab\r\n-2\r\ncd\r\n0\r\n\r\n',
  '2\r\nab\r\n 2\r\ncd\r\n0\r\n\r\n',
  '2\r\nab\r\nfffffffff\r\ncd',
  `2\r\nab\r\n${'0'.repeat(40)}2\r\ncd\r\n0\r\n\r\n`,
  `${'3\r\nabc\r\n'.repeat(50)}0\r\n\r\n`,
];

/** All that reads of these lengths bring; `read`: how far they went. */
function takenApart(body: string, lengths: () => number) {
  const chunks = new ChunkedBody();
  chunks.begin();
  let data = '';
  let read = 0;
  while (read < body.length && !chunks.isInvalid && !chunks.isWhole) {
    const bytes = Buffer.from(body.slice(read, read + lengths()), 'latin1');
    const end = chunks.close(bytes, 0, bytes.length);
    data += bytes.toString('latin1', 0, end);
    read += chunks.read;
  }
  return { data, read, isWhole: chunks.isWhole, isInvalid: chunks.isInvalid };
}

test('a chunked body says the same, read at once, byte by byte, or cut anywhere, damaged or not', () => {
  const random = randomFrom(3);
  for (let round = 0; round < 4_000; round += 1) {
    const whole = BODIES[round % BODIES.length]!;
    const at = Math.floor(random() * whole.length);
    const byte = '\r\n0a;9 f'[Math.floor(random() * 8)]!;
    const body = round < BODIES.length ? whole : whole.slice(0, at) + byte + whole.slice(at + Math.floor(random() * 2));
    const byteByByte = takenApart(body, () => 1);
    assert.deepEqual(
      takenApart(body, () => body.length),
      byteByByte,
      JSON.stringify(body),
    );
    assert.deepEqual(
      takenApart(body, () => 1 + Math.floor(random() * 12)),
      byteByByte,
      JSON.stringify(body),
    );
  }
});

test('the pieces of a chunked body are counted chunk by chunk', () => {
  const chunks = new ChunkedBody();
  chunks.begin();
  const bytes = Buffer.from('2\r\nab\r\n3\r\ncde\r\n1\r\nf\r\n0\r\n\r\n');
  assert.equal(bytes.toString('latin1', 0, chunks.close(bytes, 0, bytes.length)), 'abcdef');
  assert.equal(chunks.pieces, 3);
  assert.ok(chunks.isWhole);
});
