import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineWriter } from '../../../src/telemetry/line-writer.ts';

function written(write: (into: LineWriter) => void): string {
  const into = new LineWriter();
  write(into);
  return into.take().toString();
}

/** Around every power of ten, and of two where digits are put together in another way. */
const numbers = [
  ...Array.from({ length: 16 }, (_, power) => 10 ** power).flatMap((each) => [each - 1, each, each + 1, each * 1.5]),
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -1, -0, 0.1, Number.NaN, Number.POSITIVE_INFINITY, 1e21],
];

test('numbers of a log line are written as they are as texts', () => {
  for (const number of numbers)
    assert.equal(
      written((into) => into.number(number)),
      String(number),
    );
  for (const number of numbers)
    assert.equal(
      written((into) => into.milliardths(number)),
      String(number / 1e9),
    );
});

test('milliseconds of a log line have three digits behind the point', () => {
  for (const number of [0, 0.0004, 0.0005, 0.25, 1, 12.9996, 999.999, 2_000_000.001, 2_147_483.647, 9e9, -0.5])
    assert.equal(
      written((into) => into.thousandths(number)),
      (Math.round(number * 1000) / 1000).toFixed(3),
    );
});

test('bytes taken from the line writer stay until they are given back, and then their memory is used again', () => {
  const into = new LineWriter();
  const fill = (): Buffer => {
    while (into.hasRoom) into.text('line\n');
    return into.take();
  };
  const first = fill();
  const release = into.renew();
  const second = fill();
  into.renew();
  assert.notEqual(second.buffer, first.buffer);
  assert.equal(first.toString(), 'line\n'.repeat(first.length / 5));
  release();
  into.renew();
  assert.equal(fill().buffer, first.buffer);
});
