import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldMemory } from '../../../src/relay/held-memory.ts';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';

test('memory that an exchange holds beyond what is free is counted for all, and given back to the byte', () => {
  const shared = new SharedCounters(1, 0);
  const memory = new HeldMemory(shared, 1_048_576);
  assert.ok(memory.mayHold(65_536));
  assert.equal(shared.bodyBytes, 0);
  for (let bytes = 65_537; bytes < 300_000; bytes += 777) assert.ok(memory.mayHold(bytes));
  assert.ok(shared.bodyBytes >= 300_000 - 65_536 - 777 && shared.bodyBytes <= 300_000, String(shared.bodyBytes));
  memory.release();
  memory.release();
  assert.equal(shared.bodyBytes, 0);
});

test('nothing more is counted as held where all exchanges together hold as much as they may', () => {
  const shared = new SharedCounters(1, 0);
  const first = new HeldMemory(shared, 1_048_576);
  const second = new HeldMemory(shared, 1_048_576);
  assert.ok(first.mayHold(900_000));
  const held = shared.bodyBytes;
  assert.equal(second.mayHold(900_000), false);
  assert.equal(shared.bodyBytes, held);
  assert.match(second.setting, /limits\.max_body_memory_bytes: 1048576/);
  first.release();
  assert.ok(second.mayHold(900_000));
});
