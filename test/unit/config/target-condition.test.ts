import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConditionValues, compileCondition } from '../../../src/config/rules/target-condition.ts';

const values: ConditionValues = {
  subject: 'user:bob@example.com',
  metadata: { tier: 'gold' },
  operation: 'chat',
  stream: true,
  body_bytes: 500,
  max_output_tokens: 0,
  hour: 14,
};

function holds(text: string): boolean {
  const condition = compileCondition(text);
  assert.ok(typeof condition === 'function', String(condition));
  return condition(values);
}

test('a condition is about subject, metadata, operation, stream, sizes and the hour', () => {
  for (const text of [
    'metadata.tier == "gold"',
    'metadata["tier"] in ["gold", "silver"]',
    'subject.startsWith("user:") && operation == "chat"',
    'stream && body_bytes < 1000 && max_output_tokens == 0',
    'hour >= 9 && hour < 18',
    '"tier" in metadata',
  ]) {
    assert.equal(holds(text), true, text);
  }
  assert.equal(holds('metadata.tier == "silver"'), false);
});

test('a condition that asks for a key which the request has not does not hold', () => {
  assert.equal(holds('metadata.region == "eu"'), false);
});

test('whatever has no bound, no sense or another type is refused with a reason', () => {
  for (const text of [
    'metadata.all(key, key == "x")',
    'metadata . exists (key, key == "x")',
    'subject.matches("(a+)+$")',
    'matches(subject, "a")',
    'body_bytes + 1',
    'unknown == 1',
    'metadata.tier ==',
    `metadata.tier == "${'x'.repeat(1_000)}"`,
    Array.from({ length: 80 }, () => '(').join('') + 'stream',
  ]) {
    const refused = compileCondition(text);
    assert.equal(typeof refused, 'string', text);
    assert.notEqual(refused, '');
  }
});
