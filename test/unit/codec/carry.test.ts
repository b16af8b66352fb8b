import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Carry } from '../../../src/codec/carry.ts';
import { assertLinear } from '../growth.ts';

const textOf = ({ memory, length }: Carry) => memory.toString('latin1', 0, length);

test('a carry copies what is appended, in order, and gives out memory of its own', () => {
  const carry = new Carry();
  const came = Buffer.from('-one-two');
  carry.append(came, 1);
  came.fill(0);
  carry.append(Buffer.from(' three four'), 0, 6);
  const taken = carry.take(4);
  assert.equal(textOf(carry), 'two three');
  carry.append(Buffer.from('!'));
  carry.keepLast(6);
  assert.equal(textOf(carry), 'three!');
  carry.keepLast(100);
  assert.equal(carry.length, 6);
  carry.clear();
  carry.append(Buffer.from('x'.repeat(2_000)));
  assert.equal(textOf(carry), 'x'.repeat(2_000));
  assert.equal(taken.toString(), 'one-');
});

test('memory that grew for something large is not kept for what comes later, nor changed while others have it', () => {
  const carry = new Carry();
  carry.append(Buffer.from('x'.repeat(300_000)));
  carry.append(Buffer.from('rest'));
  const taken = carry.take(300_000);
  assert.equal(textOf(carry), 'rest');
  assert.ok(carry.memory.length < 10_000);
  carry.append(Buffer.from('y'.repeat(400_000)));
  assert.equal(taken.toString(), 'x'.repeat(300_000));
  carry.clear();
  assert.equal(carry.memory.length, 0);
});

test('single bytes are not copied again for each of them', () => {
  const byte = Buffer.from('x');
  const run = (bytes: number) => () => {
    const carry = new Carry();
    for (let i = 0; i < bytes; i += 1) carry.append(byte);
  };
  assertLinear(run(400_000), run(100_000));
});
