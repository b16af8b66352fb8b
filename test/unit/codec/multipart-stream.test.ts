import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MultipartStream } from '../../../src/codec/multipart-stream.ts';

const part = (disposition: string, value: string) =>
  `--B\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: text/plain\r\n\r\n${value}\r\n`;

/** Parts as `name(filename)=value`, of a form that comes in pieces of so many bytes; or what is wrong with it. */
function read(form: string, pieceBytes: number): string[] | string {
  const parts: string[] = [];
  const stream = new MultipartStream('B', {
    part: ({ name, filename }) => parts.push(`${name}${filename === undefined ? '' : `(${filename})`}=`) > 0,
    data: (bytes) => {
      parts[parts.length - 1] += bytes.toString('latin1');
      return true;
    },
    partEnd: () => true,
  });
  const bytes = Buffer.from(form, 'latin1');
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(piece, 0, at, at + pieceBytes);
    stream.take(piece.subarray(0, length));
    // The giver of the bytes uses their memory again.
    piece.fill(0);
  }
  return stream.finish() ?? parts;
}

test('a form gives the same parts however it is cut', () => {
  const form = `${part('name="a"', 'one')}${part('name="f"; filename="x"', 'x\r\n-\r\n--\r\n--A\r\n\r\n')}${part('name="e"', '')}--B--\r\n`;
  const whole = read(form, form.length);
  assert.deepEqual(whole, ['a=one', 'f(x)=x\r\n-\r\n--\r\n--A\r\n\r\n', 'e=']);
  for (let pieceBytes = 1; pieceBytes < form.length; pieceBytes += 1) assert.deepEqual(read(form, pieceBytes), whole);
});

test('a fault of a form is the same however it is cut', () => {
  for (const [form, fault] of [
    ['', /no part begins/],
    ['--C\r\n', /does not begin/],
    ['--B\nx', /a line end is expected/],
    [part('name="a"', 'x'), /breaks off/],
    [`${part('name="a"', 'x')}--B`, /breaks off/],
    [`${part('name="a"', 'x')}--B--x`, /behind the end/],
    [`${part('name="a"', 'x\n--B')}--B--`, /CR LF is expected/],
    [`${part('nom="a"', 'x')}--B--`, /needs a content-disposition/],
    [part('name="a"', 'x').repeat(129), /more than 128 parts/],
  ] as const) {
    for (const pieceBytes of [1, 2, 3, 7, 10_000]) {
      const found = read(form, pieceBytes);
      assert.equal(typeof found, 'string', form.slice(0, 100));
      assert.match(String(found), fault);
    }
  }
});
