import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behaviourOf } from '../../load/mock-upstream/behaviour.ts';

function differs(name: string): Record<string, unknown> {
  const plain: Record<string, unknown> = behaviourOf('mock');
  return Object.fromEntries(Object.entries(behaviourOf(name)).filter(([key, value]) => plain[key] !== value));
}

test('each word of a model name changes what it says and nothing else', () => {
  assert.deepEqual(differs('mock-whole'), {});
  assert.deepEqual(differs('mock-burst-3'), { chunks: 3 });
  assert.deepEqual(differs('mock-burst-flushed'), { chunks: 100, flushed: true });
  assert.deepEqual(differs('mock-paced-25ms-40'), { intervalMs: 25, chunks: 40 });
  assert.deepEqual(differs('mock-ttfb-500ms'), { firstByteMs: 500 });
  assert.deepEqual(differs('mock-head-20ms'), { headMs: 20 });
  assert.deepEqual(differs('mock-size-1mb'), { wholeBytes: 1024 * 1024 });
  assert.deepEqual(differs('mock-stream-1mb'), { chunks: 16, chunkBytes: 64 * 1024 });
  assert.deepEqual(differs('mock-status-429'), { status: 429, retryAfterSeconds: 1 });
  assert.deepEqual(differs('mock-silent'), { fault: 'silent' });
  assert.deepEqual(differs('mock-usage-off'), { usage: false });
  assert.deepEqual(differs('mock-tokens-100-50'), { promptTokens: 100, completionTokens: 50 });
});

test('words of a mock’s model name combine in any order', () => {
  const expected = { chunks: 5, firstByteMs: 10, fault: 'die', faultAfter: 2, times: 1 };
  assert.deepEqual(differs('mock-ttfb-10ms-burst-5-die-after-2-times-1'), expected);
  assert.deepEqual(differs('mock-die-after-2-times-1-burst-5-ttfb-10ms'), expected);
});

test('a model name that does not begin with mock behaves plainly', () => {
  assert.deepEqual(differs('gpt-4o-status-500'), {});
});

test('an unknown word or value of a mock’s model name is refused with what is allowed', () => {
  assert.throws(() => behaviourOf('mock-fast'), /unknown word 'fast'; known: whole burst paced/);
  assert.throws(() => behaviourOf('mock-paced-20'), /after 'mock-paced' comes milliseconds like 25ms, found '20'/);
  assert.throws(() => behaviourOf('mock-size'), /comes a size like 512b, 64kb or 1mb, found nothing/);
  assert.throws(() => behaviourOf('mock-usage-on'), /comes 'off', found 'on'/);
});
