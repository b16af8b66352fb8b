import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBlocks } from '../../../src/edge/body-blocks.ts';

const MIB = 1_048_576;

test('memory of a large body serves the next one, once every holder has released it', () => {
  const blocks = new BodyBlocks();
  const first = blocks.take(3 * MIB)!;
  const sent = first.hold();
  first.release();
  assert.equal(blocks.idleBytes, 0, 'somebody still reads it');
  sent();
  sent();
  assert.equal(blocks.idleBytes, 4 * MIB);
  assert.equal(blocks.take(4 * MIB)?.memory, first.memory);
  assert.equal(blocks.idleBytes, 0);
});

test('memory whose reader never releases it is never used again', () => {
  const blocks = new BodyBlocks();
  const first = blocks.take(2 * MIB)!;
  first.hold();
  first.release();
  assert.notEqual(blocks.take(2 * MIB)?.memory, first.memory);
});

test('small bodies, and those beyond the bound, have memory of their own', () => {
  const blocks = new BodyBlocks();
  assert.equal(blocks.take(MIB - 1), undefined);
  assert.equal(blocks.take(64 * MIB + 1), undefined);
});

test('idle body memory is bounded, and forgotten when nothing comes', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const blocks = new BodyBlocks();
  const taken = Array.from({ length: 5 }, () => blocks.take(32 * MIB)!);
  for (const block of taken) block.release();
  assert.equal(blocks.idleBytes, 64 * MIB);
  context.mock.timers.tick(10_000);
  assert.equal(blocks.idleBytes, 0);
});
