import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toUsage } from '../../../../src/providers/openai-compatible/to-usage.ts';

function counted(value: unknown) {
  const usage = toUsage(value);
  return usage && JSON.parse(JSON.stringify(usage));
}

test('a usage of null, or one that counts nothing, is no usage', () => {
  for (const value of [null, undefined, {}, [], 'x', { prompt_tokens: null, prompt_tokens_details: null }]) {
    assert.equal(toUsage(value), undefined);
  }
});

test('an unknown count of a usage is not zero', () => {
  assert.deepEqual(counted({ prompt_tokens: 5 }), { inputTokens: 5 });
  assert.deepEqual(counted({ prompt_tokens: 0, completion_tokens: 0 }), { inputTokens: 0, outputTokens: 0 });
});

test('all details of a usage are read', () => {
  assert.deepEqual(
    counted({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, audio_tokens: 3, cache_write_tokens: 20 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 4 },
    }),
    {
      inputTokens: 100,
      outputTokens: 50,
      cacheReadInputTokens: 60,
      cacheCreationInputTokens: 20,
      reasoningOutputTokens: 30,
      audioInputTokens: 3,
      audioOutputTokens: 4,
    },
  );
});

test('DeepSeek’s cache hits count where the details are not there', () => {
  assert.deepEqual(counted({ prompt_tokens: 9, prompt_cache_hit_tokens: 8, prompt_cache_miss_tokens: 1 }), {
    inputTokens: 9,
    cacheReadInputTokens: 8,
  });
});

test('a provider’s own bill is read as a number and as Perplexity’s object', () => {
  assert.equal(toUsage({ prompt_tokens: 1, cost: 0.002 })?.providerCostUsd, 0.002);
  assert.equal(
    toUsage({ prompt_tokens: 1, cost: { total_cost: 0.006, input_tokens_cost: 0 } })?.providerCostUsd,
    0.006,
  );
});

test('reasoning that only the total holds is output, and audio that only the total holds is input', () => {
  const reasoning = {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 35,
    completion_tokens_details: { reasoning_tokens: 20 },
  };
  assert.deepEqual(counted(reasoning), { inputTokens: 10, outputTokens: 25, reasoningOutputTokens: 20 });
  const audio = {
    prompt_tokens: 9,
    completion_tokens: 248,
    total_tokens: 632,
    prompt_tokens_details: { audio_tokens: 375 },
  };
  assert.deepEqual(counted(audio), { inputTokens: 384, outputTokens: 248, audioInputTokens: 375 });
});
