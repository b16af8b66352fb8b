import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartialBuffer } from '../../../src/codec/partial-buffer.ts';
import { assertLinear } from '../growth.ts';

const textOf = ({ memory, length }: PartialBuffer) => memory.toString('latin1', 0, length);

test('appended bytes are copied in order, and taken bytes have memory of their own', () => {
  const buffer = new PartialBuffer();
  const came = Buffer.from('-one-two');
  buffer.append(came, 1);
  came.fill(0);
  buffer.append(Buffer.from(' three four'), 0, 6);
  const taken = buffer.take(4);
  assert.equal(textOf(buffer), 'two three');
  buffer.append(Buffer.from('!'));
  buffer.keepLast(6);
  assert.equal(textOf(buffer), 'three!');
  buffer.keepLast(100);
  assert.equal(buffer.length, 6);
  buffer.clear();
  buffer.append(Buffer.from('x'.repeat(2_000)));
  assert.equal(textOf(buffer), 'x'.repeat(2_000));
  assert.equal(taken.toString(), 'one-');
});

test('memory that grew for a large event is neither kept for later ones nor written again once it was taken', () => {
  const buffer = new PartialBuffer();
  buffer.append(Buffer.from('x'.repeat(300_000)));
  buffer.append(Buffer.from('rest'));
  const taken = buffer.take(300_000);
  assert.equal(textOf(buffer), 'rest');
  assert.ok(buffer.memory.length < 10_000);
  buffer.append(Buffer.from('y'.repeat(400_000)));
  assert.equal(taken.toString(), 'x'.repeat(300_000));
  buffer.clear();
  assert.equal(buffer.memory.length, 0);
});

test('single bytes are not copied again for each of them', () => {
  const byte = Buffer.from('x');
  const run = (bytes: number) => () => {
    const buffer = new PartialBuffer();
    for (let i = 0; i < bytes; i += 1) buffer.append(byte);
  };
  assertLinear(run(400_000), run(100_000));
});
