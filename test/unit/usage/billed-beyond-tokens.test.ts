import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servedAfter, servedAs } from '../../../src/inference/served-as.ts';
import type { Usage } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, type CounterName, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { allPlugs } from '../../../src/plugs.ts';
import type { PriceSource } from '../../../src/providers/provider.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { compilePrice, type Price } from '../../../src/usage/price-table.ts';
import { tokenCostNanoUsd } from '../../../src/usage/token-cost.ts';
import type { RateTable } from '../../../src/usage/token-rates.ts';

const PLUGS = allPlugs();

const AT = Date.UTC(2026, 10, 28);

/** As its plug opens it. */
function priceOf(type: string, modelId: string, more: Partial<PriceSource> = {}): Price {
  const plug = PLUGS.find((each) => each.type === `provider-account/${type}`);
  assert.ok(plug, type);
  const credential = { type: 'api-key', api_key: 'k', apiKey: 'k' };
  const manifest = plug.schema.parse({ type: plug.type, name: 'p', auth_data: credential });
  const account = plug.open(manifest, new Map());
  const target = account.target(modelId);
  assert.ok(target, `${type}/${modelId}`);
  return compilePrice({ ...target.price, ...more });
}

const tier = (value: string): Usage['servedAs'] => servedAfter(undefined, servedAs({ serviceTier: value })!);
const MILLION: Usage = { inputTokens: 1_000_000, outputTokens: 0 };

/** US dollars for a million tokens of input, cached input and output, in the shortest band. */
function perMillion(price: Price, served: Usage['servedAs']): (number | undefined)[] {
  const dollars = (usage: Usage) => {
    const nano = price.costNanoUsd({ inputTokens: 0, outputTokens: 0, servedAs: served, ...usage }, AT);
    return nano === undefined ? undefined : nano / 1e6;
  };
  return [
    dollars({ inputTokens: 1000 }),
    dollars({ inputTokens: 1000, cacheReadInputTokens: 1000 }),
    dollars({ outputTokens: 1000 }),
  ];
}

test('an answer of the priority tier is billed as OpenAI’s page says, whichever of its two names it has', () => {
  // https://openai.com/api-fast-mode/
  for (const [model, ...prices] of [
    ['gpt-5.6-sol', 8, 0.8, 40],
    ['gpt-5.6-terra', 4, 0.4, 24],
    ['gpt-5.6-luna', 0.4, 0.04, 2.4],
    ['gpt-5.5', 12.5, 1.25, 75],
    ['gpt-5.4-mini', 1.5, 0.15, 9],
    ['gpt-5.4', 5, 0.5, 30],
    ['gpt-5.2', 3.5, 0.35, 28],
    ['gpt-5.1', 2.5, 0.25, 20],
    ['gpt-5', 2.5, 0.25, 20],
    ['gpt-5-mini', 0.45, 0.045, 3.6],
    ['gpt-4.1', 3.5, 0.875, 14],
    ['gpt-4.1-mini', 0.7, 0.175, 2.8],
    ['gpt-4.1-nano', 0.2, 0.05, 0.8],
    ['gpt-4o-2024-08-06', 4.25, 2.125, 17],
    ['gpt-4o-mini', 0.25, 0.125, 1],
  ] as const) {
    for (const name of ['priority', 'fast'])
      assert.deepEqual(perMillion(priceOf('openai', model), tier(name)), prices, `${model} ${name}`);
  }
});

test('an answer of the flex or batch tier costs half, and one of the standard tier what the list says', () => {
  const price = priceOf('openai', 'gpt-5');
  assert.deepEqual(perMillion(price, tier('flex')), [0.625, 0.0625, 5]);
  for (const name of ['default', 'auto', 'standard', 'on_demand', 'Default'])
    assert.deepEqual(perMillion(price, tier(name)), [1.25, 0.125, 10], name);
  assert.deepEqual(perMillion(priceOf('anthropic', 'claude-haiku-4-5'), tier('batch')), [0.5, 0.05, 2.5]);
  assert.deepEqual(perMillion(priceOf('google-gemini', 'gemini-2.5-flash'), tier('flex')), [0.15, 0.015, 1.25]);
});

test('fast mode, geography and batch multiply the rates of tokens and each other', () => {
  const opus = priceOf('anthropic', 'claude-opus-5-5');
  assert.deepEqual(perMillion(opus, { speed: 'fast' }), [8, 0.4, 40]);
  assert.deepEqual(perMillion(opus, { inferenceGeo: 'us' }), [4.4, 0.22, 22]);
  assert.deepEqual(perMillion(opus, { speed: 'fast', inferenceGeo: 'us' }), [8.8, 0.44, 44]);
  assert.deepEqual(perMillion(priceOf('anthropic', 'claude-opus-4-6'), { speed: 'fast' }), [30, 3, 150]);
});

test('a long prompt is billed by the rates of long prompts, in every tier', () => {
  const price = priceOf('openai', 'gpt-5.6-sol');
  const long = { inputTokens: 300_000, outputTokens: 1000 };
  assert.equal(price.costNanoUsd(long, AT), 300_000 * 8000 + 1000 * 30_000);
  assert.equal(price.costNanoUsd({ ...long, servedAs: tier('priority') }, AT), 300_000 * 16_000 + 1000 * 60_000);
});

test('a tier, speed or geography without a published price makes the cost unknown, and the receipt’s part names it', () => {
  for (const [type, model, served, part] of [
    ['openai', 'gpt-5', tier('scale'), 'service_tier=scale'],
    ['openai', 'gpt-5-nano', tier('priority'), 'service_tier=priority'],
    ['anthropic', 'claude-opus-5', tier('priority'), 'service_tier=priority'],
    ['anthropic', 'claude-haiku-4-5', { speed: 'fast' }, 'speed=fast'],
    ['anthropic', 'claude-opus-5', { inferenceGeo: 'eu' }, 'inference_geo=eu'],
    ['openai', 'gpt-5', tier('"><script>'), 'service_tier=unreadable'],
  ] as const) {
    const price = priceOf(type, model);
    const usage = { ...MILLION, servedAs: served };
    assert.equal(price.costNanoUsd(usage, AT), undefined, part);
    const unknown = price.unknownCost(usage, AT);
    assert.equal(unknown.part, part);
    assert.ok(unknown.atMostNanoUsd! >= 6 * price.costNanoUsd(MILLION, AT)!, 'budgets are charged the dearest');
  }
});

test('a budget holds the dearest cost that a request may cause: cheap tiers may end as standard ones', () => {
  const price = priceOf('openai', 'gpt-5.5');
  const plain = price.atMostNanoUsd(MILLION, AT)!;
  assert.equal(plain, price.costNanoUsd(MILLION, AT));
  const held = (name: string) => price.atMostNanoUsd({ ...MILLION, servedAs: tier(name) }, AT);
  assert.equal(held('priority'), 2.5 * plain);
  assert.equal(held('flex'), plain);
  assert.equal(held('whatever comes next'), 6 * plain);
});

test('audio is billed at its own rate, and where the list has none the cost is unknown: it is never billed as text', () => {
  const usage = { inputTokens: 100, outputTokens: 50, audioInputTokens: 40, audioOutputTokens: 30 };
  assert.equal(
    priceOf('openai', 'gpt-audio').costNanoUsd(usage, AT),
    60 * 2500 + 40 * 32_000 + 20 * 10_000 + 30 * 64_000,
  );
  const preview = priceOf('openai', 'gpt-4o-audio-preview');
  assert.equal(preview.costNanoUsd(usage, AT), undefined);
  assert.deepEqual(preview.unknownCost(usage, AT), {
    part: 'audio_input_tokens',
    atMostNanoUsd: 100 * 2500 + 50 * 10_000 + 33 * (40 * 2500 + 30 * 10_000),
  });
  assert.equal(preview.unknownCost({ ...usage, audioInputTokens: 0 }, AT).part, 'audio_output_tokens');
  assert.ok(preview.costNanoUsd({ ...usage, audioInputTokens: 0, audioOutputTokens: 0 }, AT));
  // "Input rate is unified across text, image, video and audio."
  assert.ok(priceOf('google-gemini', 'gemini-3.5-flash-lite').costNanoUsd(usage, AT));
});

test('searches of the web are billed beside tokens, at a price that no tier multiplies', () => {
  const price = priceOf('anthropic', 'claude-opus-5');
  const usage: Usage = { inputTokens: 1000, outputTokens: 0, rare: { webSearchRequests: 3 } };
  assert.equal(price.costNanoUsd(usage, AT), 1000 * 5000 + 3 * 10_000_000);
  assert.equal(price.costNanoUsd({ ...usage, servedAs: { speed: 'fast' } }, AT), 1000 * 10_000 + 3 * 10_000_000);
  const without = priceOf('anthropic', 'claude-3-haiku-20240307');
  assert.deepEqual(without.unknownCost(usage, AT), {
    part: 'web_search_requests',
    atMostNanoUsd: 1000 * 250 + 3 * 50_000_000,
  });
});

test('a model whose searches its usage does not tell has an unknown cost', () => {
  for (const model of ['gpt-4o-search-preview', 'gpt-4o-mini-search-preview-2025-03-11']) {
    const price = priceOf('openai', model);
    assert.equal(price.costNanoUsd(MILLION, AT), undefined);
    assert.equal(price.unknownCost(MILLION, AT).part, 'web_search_requests');
    assert.ok(price.unknownCost(MILLION, AT).atMostNanoUsd! > 0);
  }
});

test('tools and passes of other models without a price make the cost unknown, by name', () => {
  const price = priceOf('anthropic', 'claude-opus-5');
  for (const [rare, part] of [
    [{ toolRequests: 1 }, 'tool_requests'],
    [{ otherModelPasses: 1 }, 'other_model_passes'],
    [{ searchSources: 1 }, 'search_sources'],
  ] as const) {
    assert.equal(price.costNanoUsd({ ...MILLION, rare }, AT), undefined);
    assert.equal(price.unknownCost({ ...MILLION, rare }, AT).part, part);
  }
});

test('an amount that the provider says it billed holds all of that, and is believed', () => {
  const usage = { ...MILLION, providerCostUsd: 0.0360795, servedAs: tier('scale'), rare: { webSearchRequests: 9 } };
  assert.equal(priceOf('openai', 'gpt-5').costNanoUsd(usage, AT), 36_079_500);
  // Zero may mean "billed elsewhere": it does not make an unknown cost nothing.
  assert.equal(priceOf('openai', 'gpt-5').costNanoUsd({ ...usage, providerCostUsd: 0 }, AT), undefined);
});

test('an account’s own cost prices audio, searches and tiers where it says so, and is unknown where it does not', () => {
  const value = { input: 0.001, output: 0.002 };
  const own = (more: object, multipliers?: object) =>
    priceOf('openai', 'gpt-5', { cost: { metric: 'per_1000_tokens', multipliers, value: { ...value, ...more } } });
  const usage: Usage = { inputTokens: 100, outputTokens: 10, audioInputTokens: 40, rare: { webSearchRequests: 2 } };
  const whole = own({ audio_input: 0.02, web_search: 5 }, { service_tier: { priority: 3, scale: 0 } });
  assert.equal(whole.costNanoUsd(usage, AT), 60 * 1000 + 40 * 20_000 + 10 * 2000 + 2 * 5_000_000);
  assert.equal(
    whole.costNanoUsd({ ...usage, servedAs: tier('priority') }, AT),
    3 * (60 * 1000 + 40 * 20_000 + 10 * 2000) + 2 * 5_000_000,
  );
  assert.equal(whole.costNanoUsd({ ...usage, servedAs: tier('scale') }, AT), 10_000_000);
  // What the provider publishes of a tier holds for the contract's rates too.
  assert.equal(own({}).costNanoUsd({ ...MILLION, servedAs: tier('flex') }, AT), 500_000_000);
  assert.equal(own({}).unknownCost(usage, AT).part, 'audio_input_tokens');
  assert.equal(own({ audio_input: 0.02 }).unknownCost(usage, AT).part, 'web_search_requests');
  // A model that is free is free with its audio.
  assert.equal(own({ input: 0, output: 0 }).costNanoUsd({ ...usage, rare: undefined }, AT), 0);
});

test('an account that bills by characters, minutes or pages has a cost where those are counted', () => {
  for (const [cost, rare, nanoUsd, part] of [
    [
      { metric: 'per_million_characters', value: { input: 15 } },
      { inputCharacters: 2000 },
      30_000_000,
      'input_characters',
    ],
    [{ metric: 'per_minute_of_audio', value: { input: 0.006 } }, { audioInputMs: 90_000 }, 9_000_000, 'audio_input_ms'],
    [
      { metric: 'per_1000_pages', value: { pages: 1, annotated_pages: 3 } },
      { pages: 2, annotatedPages: 1 },
      5_000_000,
      'pages',
    ],
  ] as const) {
    const price = priceOf('openai', 'gpt-5', { cost });
    assert.equal(price.costNanoUsd({ rare }, AT), nanoUsd);
    assert.equal(price.costNanoUsd({ ...MILLION, rare }, AT), nanoUsd);
    assert.deepEqual(price.unknownCost(MILLION, AT), { part });
  }
});

test('every cost is computed again from the rates that are kept with it, whatever it was served as', () => {
  const usages: Usage[] = [
    { inputTokens: 12_345, outputTokens: 678, cacheReadInputTokens: 1000, rare: { webSearchRequests: 2 } },
    { inputTokens: 400_000, outputTokens: 678, reasoningOutputTokens: 77 },
  ];
  for (const price of [
    priceOf('openai', 'gpt-5.5', { discountPercent: 7 }),
    priceOf('anthropic', 'claude-opus-5'),
    priceOf('google-gemini', 'gemini-2.5-flash'),
  ]) {
    for (const usage of usages) {
      for (const served of [undefined, tier('priority'), tier('flex'), { speed: 'fast' }, { inferenceGeo: 'us' }]) {
        const told = { ...usage, servedAs: served };
        const cost = price.costNanoUsd(told, AT);
        if (cost === undefined) continue;
        assert.equal(recomputedNanoUsd(price.basis(told, AT)!, usage), cost);
      }
    }
  }
});

test('every counter of the table is billed at its own rate', () => {
  const whole: Partial<Record<CounterName, CounterName>> = { cacheCreation1hInputTokens: 'cacheCreationInputTokens' };
  for (const name of COUNTER_NAMES) {
    const counter = USAGE_COUNTERS[name];
    const inBand = 'partOf' in counter || name === 'inputTokens' || name === 'outputTokens';
    const rates = inBand ? { input: 1, output: 1, cacheWrite: 1, [counter.rate]: 7 } : {};
    const each = inBand ? undefined : { [counter.rate]: 7 };
    const table: RateTable = { perExchange: 0, bands: [{ fromInputTokens: 0, rates }], each };
    const within = whole[name] ?? ('partOf' in counter ? counter.partOf : undefined);
    const counts = { inputTokens: 0, outputTokens: 0, ...(within && { [within]: 10 }), [name]: 10 };
    if (name === 'cacheCreation1hInputTokens') counts.inputTokens = 10;
    const usage: Usage = counter.carried === 'rare' ? { ...counts, rare: { [name]: 10 } } : counts;
    assert.equal(tokenCostNanoUsd(table, usage), 70, name);
  }
});

test('rates are kept as people write them, without the digits that a multiplication leaves', () => {
  const price = priceOf('openai', 'gpt-5', {
    cost: { metric: 'per_1000_tokens', value: { input: 0.00028, output: 0.0003, audio_input: 1.1e-5 } },
  });
  assert.equal(
    price.basis({ inputTokens: 1, outputTokens: 1 }, AT),
    '{"perExchange":0,"bands":[{"fromInputTokens":0,"rates":{"input":280,"output":300,"audioInput":11}}]}',
  );
  const geo = priceOf('anthropic', 'claude-opus-5').basis({ ...MILLION, servedAs: { inferenceGeo: 'us' } }, AT);
  assert.match(geo ?? '', /"input":5500,.*"multiplier":1\.1/);
});
