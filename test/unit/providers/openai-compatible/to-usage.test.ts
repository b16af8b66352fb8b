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

/*
 * Symptom: an exchange through OpenRouter with the customer's own key at the provider cost nothing in logs and budgets.
 * Root cause: `cost` is the router's fee alone then, which is zero. The fix adds what the provider billed behind it, and
 * knows no cost where that is not told.
 */
test('with the customer’s own key at the provider the cost is the router’s fee and the provider’s bill', () => {
  const usage = (more: object) => toUsage({ prompt_tokens: 9171, completion_tokens: 113, is_byok: true, ...more });
  const upstream = { cost_details: { upstream_inference_cost: 0.0360795 } };
  assert.equal(usage({ cost: 0, ...upstream })?.providerCostUsd, 0.0360795);
  assert.equal(usage({ cost: 0.0018, ...upstream })?.providerCostUsd, 0.0378795);
  assert.equal(usage({ cost: 0.0018 })?.providerCostUsd, undefined);
  assert.equal(usage({ cost: 0.0018, ...upstream, is_byok: false })?.providerCostUsd, 0.0018);
});

test('a bill in another currency than dollars is no cost in dollars', () => {
  assert.equal(toUsage({ prompt_tokens: 1, cost: { total_cost: 5, currency: 'EUR' } })?.providerCostUsd, undefined);
  assert.equal(toUsage({ prompt_tokens: 1, cost: { total_cost: 5, currency: 'USD' } })?.providerCostUsd, 5);
});

test('xAI’s ticks are ten-thousand-millionths of a dollar', () => {
  assert.equal(toUsage({ prompt_tokens: 1, cost_in_usd_ticks: 6_306_000 })?.providerCostUsd, 0.0006306);
});

/*
 * Symptom: streams of Groq were metered by estimate although their last chunk told the usage. Root cause: it stands in
 * `x_groq` there, and Moonshot's in a choice; only the top of an event was looked at.
 */
test('usage that stands in x_groq or in a choice is read, and one at the top wins', () => {
  const usage = { prompt_tokens: 21, completion_tokens: 988 };
  const groq = { choices: [{ index: 0, finish_reason: 'stop' }], x_groq: { id: 'r', usage } };
  assert.equal(toUsage(undefined, groq)?.outputTokens, 988);
  const moonshot = {
    choices: [{ index: 0, finish_reason: 'stop', usage: { ...usage, cached_tokens: 8 } }],
    usage: null,
  };
  assert.deepEqual(JSON.parse(JSON.stringify(toUsage(null, moonshot))), {
    inputTokens: 21,
    outputTokens: 988,
    cacheReadInputTokens: 8,
  });
  assert.equal(toUsage({ prompt_tokens: 1, completion_tokens: 2 }, groq)?.outputTokens, 2);
  assert.equal(toUsage(undefined, { choices: [{ delta: {} }], x_groq: { id: 'r' } }), undefined);
});

test('the tier of an answer stands beside its usage or in it, and one without usage says nothing', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 1 };
  assert.deepEqual(toUsage(usage, { usage, service_tier: 'priority' })?.servedAs, { serviceTier: 'priority' });
  assert.deepEqual(toUsage({ ...usage, service_tier: 'flex' }, {})?.servedAs, { serviceTier: 'flex' });
  assert.equal(toUsage(undefined, { service_tier: 'priority' }), undefined);
});
