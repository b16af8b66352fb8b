import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcPrice, findProvider } from '@pydantic/genai-prices';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { catalogueHas, catalogueModels, catalogueVersion } from '../../../src/usage/price-catalogue.ts';
import { compilePrice } from '../../../src/usage/price-table.ts';

const openai = (modelId: string) => compilePrice({ catalogueId: 'openai', modelId });

test('a list price is that of the library, for every model of every provider with a plug', () => {
  const at = Date.UTC(2026, 10, 1, 12, 0, 30);
  let compared = 0;
  for (const catalogueId of ['openai', 'anthropic', 'azure', 'google', 'groq', 'mistral', 'deepseek', 'openrouter']) {
    for (const modelId of catalogueModels(catalogueId)) {
      const price = compilePrice({ catalogueId, modelId });
      for (const inputTokens of [1000, 128_000, 128_001, 200_000, 200_001, 272_000, 900_000]) {
        const ours = price.costNanoUsd(
          { inputTokens, outputTokens: 321, cacheReadInputTokens: 100, cacheCreationInputTokens: 50 },
          at,
        );
        const theirs = calcPrice(
          { input_tokens: inputTokens, output_tokens: 321, cache_read_tokens: 100, cache_write_tokens: 50 },
          modelId,
          { providerId: catalogueId, timestamp: new Date(at) },
        );
        if (ours === undefined) continue;
        compared += 1;
        assert.ok(theirs !== null, modelId);
        assert.ok(Math.abs(ours - theirs.total_price * 1e9) <= 1, `${catalogueId}/${modelId} at ${inputTokens}`);
      }
    }
  }
  assert.ok(compared > 5000, `${compared} compared`);
});

test('a price that changes by the hour is that of the moment', () => {
  const price = compilePrice({ catalogueId: 'deepseek', modelId: 'deepseek-chat' });
  const usage = { inputTokens: 1000, outputTokens: 1000 };
  for (const time of ['00:29:59', '00:30:00', '16:29:59', '16:30:00', '23:00:00']) {
    const timestamp = new Date(`2025-03-01T${time}Z`);
    const theirs = calcPrice({ input_tokens: 1000, output_tokens: 1000 }, 'deepseek-chat', {
      providerId: 'deepseek',
      timestamp,
    });
    assert.equal(price.costNanoUsd(usage, timestamp.getTime()), Math.round((theirs?.total_price ?? Number.NaN) * 1e9));
  }
});

test('every boundary in time of the price library stands at a full minute', () => {
  for (const catalogueId of ['openai', 'anthropic', 'google', 'deepseek', 'mistral', 'openrouter', 'x-ai']) {
    for (const model of findProvider({ providerId: catalogueId })?.models ?? []) {
      if (!Array.isArray(model.prices)) continue;
      for (const { constraint } of model.prices) {
        if (constraint?.type === 'time_of_date') {
          assert.match(constraint.start_time, /^\d\d:\d\d:00Z$/);
          assert.match(constraint.end_time, /^\d\d:\d\d:00Z$/);
        }
      }
    }
  }
});

test('unknown usage costs an unknown amount, and never nothing', () => {
  const price = openai('gpt-4o');
  assert.equal(price.costNanoUsd({}), undefined);
  assert.equal(price.costNanoUsd({ inputTokens: 10 }), undefined);
  assert.equal(price.costNanoUsd({ outputTokens: 10 }), undefined);
  assert.equal(price.costNanoUsd({ inputTokens: 0, outputTokens: 0 }), 0);
  assert.equal(price.costNanoUsd({ inputTokens: Number.NaN, outputTokens: 1 }), undefined);
});

test('the cost of several requests is the sum of the cost of each, and is computed again from its record', () => {
  const at = Date.UTC(2026, 10, 1);
  for (const price of [
    openai('gpt-5.4'),
    openai('gpt-4o'),
    compilePrice({ catalogueId: 'perplexity', modelId: 'sonar' }),
  ]) {
    for (const inputTokens of [1_000, 271_999, 300_000]) {
      const each = { inputTokens, outputTokens: 10, servedAs: { serviceTier: 'default' } };
      const sum = { inputTokens: 30 * inputTokens, outputTokens: 300, servedAs: each.servedAs };
      const whole = price.ofSum({ requests: 30, inputTokens: price.bandFrom(inputTokens, at) });
      const nanoUsd = whole.costNanoUsd(sum, at);
      const one = price.costNanoUsd(each, at);
      assert.equal(nanoUsd, one === undefined ? undefined : 30 * one);
      if (nanoUsd !== undefined) assert.equal(recomputedNanoUsd(whole.basis(sum, at)!, sum), nanoUsd);
    }
  }
});

test('an embedding costs its input alone', () => {
  assert.equal(openai('text-embedding-3-small').costNanoUsd({ inputTokens: 1000 }), 20_000);
});

test('cache reads, cache writes, one-hour writes, audio and reasoning are billed each at its own rate, once', () => {
  const claude = compilePrice({ catalogueId: 'anthropic', modelId: 'claude-3-5-haiku-20241022' });
  // USD per million: input 0.8, write 1, one-hour write 1.6, read 0.08, output 4.
  const usage = {
    inputTokens: 1000,
    cacheReadInputTokens: 300,
    cacheCreationInputTokens: 200,
    cacheCreation1hInputTokens: 50,
    outputTokens: 100,
    reasoningOutputTokens: 60,
  };
  assert.equal(claude.costNanoUsd(usage), 500 * 800 + 300 * 80 + 150 * 1000 + 50 * 1600 + 100 * 4000);
  const theirs = calcPrice(
    { input_tokens: 100, output_tokens: 50, input_audio_tokens: 40, output_audio_tokens: 30 },
    'gpt-audio',
    { providerId: 'openai' },
  );
  assert.equal(
    openai('gpt-audio').costNanoUsd({
      inputTokens: 100,
      outputTokens: 50,
      audioInputTokens: 40,
      audioOutputTokens: 30,
    }),
    Math.round((theirs?.total_price ?? Number.NaN) * 1e9),
  );
});

test('cached audio, counted in both parts, does not make the rest negative', () => {
  const cost = openai('gpt-4o-realtime-preview').costNanoUsd({
    inputTokens: 100,
    cacheReadInputTokens: 90,
    audioInputTokens: 90,
    outputTokens: 0,
  });
  assert.ok(cost !== undefined && cost > 0);
});

test('the cost of an account wins over the list, and a discount is off the list only', () => {
  const cost = { metric: 'per_1000_tokens', value: { input: 0.001, output: 0.002, cache_read: 0.0001 } };
  const usage = { inputTokens: 1000, outputTokens: 1000, cacheReadInputTokens: 500, providerCostUsd: 9 };
  const own = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o', cost, discountPercent: 50 });
  assert.equal(own.version, 'account');
  assert.equal(own.costNanoUsd(usage), 500_000 + 50_000 + 2_000_000);

  const list = openai('gpt-4o').costNanoUsd({ inputTokens: 1000, outputTokens: 1000 });
  const reduced = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o', discountPercent: 20 });
  assert.equal(reduced.costNanoUsd({ inputTokens: 1000, outputTokens: 1000 }), (list ?? 0) * 0.8);
  assert.equal(reduced.version, catalogueVersion());
  assert.match(catalogueVersion(), /^genai-prices \d+\.\d+\.\d+$/);
});

test('tiers of an account hold for the whole exchange from where they start, in either unit', () => {
  for (const unit of [1, 1 / 1000]) {
    const price = compilePrice({
      catalogueId: undefined,
      modelId: 'm',
      cost: {
        metric: 'per_1000_tokens',
        value: {
          input: 0.001,
          output: 0.002,
          input_tiers: [{ from: 200_000, cost_per_token: 0.002 * unit }],
          output_tiers: [{ from: 200_000, cost_per_token: 0.003 * unit }],
        },
      },
    });
    assert.equal(price.costNanoUsd({ inputTokens: 199_999, outputTokens: 10 }), 199_999 * 1000 + 10 * 2000);
    assert.equal(price.costNanoUsd({ inputTokens: 200_000, outputTokens: 10 }), 200_000 * 2000 + 10 * 3000);
  }
});

test('an account that bills by what usage does not count has an unknown cost, and not the list price', () => {
  for (const cost of [{ metric: 'per_minute_of_audio', value: { input: 1 } }, { metric: 'per_moon' }, 'free']) {
    const price = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o', cost });
    assert.equal(price.costNanoUsd({ inputTokens: 1, outputTokens: 1 }), undefined);
  }
});

test('a provider’s own bill wins over the list, but a reported zero does not hide it', () => {
  const usage = { inputTokens: 1000, outputTokens: 0 };
  const list = openai('gpt-4o');
  assert.equal(list.costNanoUsd({ ...usage, providerCostUsd: 0.0123 }), 12_300_000);
  assert.equal(list.costNanoUsd({ ...usage, providerCostUsd: 0 }), list.costNanoUsd(usage));
  assert.equal(list.costNanoUsd({ ...usage, providerCostUsd: -1 }), list.costNanoUsd(usage));
  const stated = compilePrice({ catalogueId: 'openai', modelId: 'gpt-4o', cost: { metric: 'public_cost' } });
  assert.equal(stated.costNanoUsd({ ...usage, providerCostUsd: 0.0123 }), list.costNanoUsd(usage));
  const unknown = compilePrice({ catalogueId: 'openai', modelId: 'no-such-model' });
  assert.equal(unknown.version, 'none');
  assert.equal(unknown.costNanoUsd({ ...usage, providerCostUsd: 0.5 }), 500_000_000);
  assert.equal(unknown.costNanoUsd(usage), undefined);
});

test('the catalogue lists models that are not deprecated and knows dated ids of its own provider alone', () => {
  const models = catalogueModels('openai');
  assert.ok(models.includes('gpt-4o') && models.includes('gpt-4o-mini'));
  assert.ok(models.every((model) => /^[A-Za-z0-9._:/@+-]+$/.test(model) && catalogueHas('openai', model)));
  assert.ok(!models.includes('ft:gpt-4o'));
  assert.ok(catalogueHas('openai', 'gpt-4o-2024-08-06'));
  assert.ok(catalogueHas('anthropic', 'claude-sonnet-4-20250514'));
  assert.ok(!catalogueHas('anthropic', 'gpt-4o'));
  assert.ok(!catalogueHas('openai', 'claude-sonnet-4-20250514'));
  assert.deepEqual(catalogueModels('no-such-provider'), []);
  assert.ok(!catalogueHas('no-such-provider', 'gpt-4o'));
});
