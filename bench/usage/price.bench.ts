import assert from 'node:assert/strict';
import { compilePrice } from '../../src/usage/price-table.ts';
import { subjectOf, task } from '../harness/subject.ts';

/** 5 US cents for 1,000 input tokens, 10 for 1,000 output tokens, in the words of a manifest. */
const cost = { metric: 'per_1000_tokens', value: { input: 0.05, output: 0.1, cache_read: 0.005 } };
const atMs = Date.UTC(2026, 0, 1);

export const inputs = {
  usage: { inputTokens: 1_200, outputTokens: 100, cacheReadInputTokens: 1_000, reasoningOutputTokens: 20 },
  listed: { catalogueId: 'openai', modelId: 'gpt-4o' },
  own: { catalogueId: 'openai', modelId: 'gpt-4o', cost },
  unknown: { catalogueId: undefined, modelId: 'nobody-knows' },
};

const { usage } = inputs;
const listed = compilePrice(inputs.listed);
const discounted = compilePrice({ ...inputs.listed, discountPercent: 50 });
const own = compilePrice(inputs.own);
const unknown = compilePrice(inputs.unknown);
/** 200 fresh and 1,000 cached input tokens, 100 output tokens, of gpt-4o: 2.5, 1.25 and 10 USD per million. */
const LIST_NANO_USD = 200 * 2_500 + 1_000 * 1_250 + 100 * 10_000;

export const subject = subjectOf([
  task({
    name: 'list price',
    run: () => listed.costNanoUsd(usage, atMs),
    check: (nanoUsd) => assert.equal(nanoUsd, LIST_NANO_USD),
  }),
  task({
    name: 'list price less 50%',
    run: () => discounted.costNanoUsd(usage, atMs),
    check: (nanoUsd) => assert.equal(nanoUsd, LIST_NANO_USD / 2),
  }),
  task({
    name: "the account's own price",
    run: () => own.costNanoUsd(usage, atMs),
    check: (nanoUsd) => assert.equal(nanoUsd, 200 * 50_000 + 1_000 * 5_000 + 100 * 100_000),
  }),
  task({
    name: 'no price known',
    run: () => unknown.costNanoUsd(usage, atMs),
    check: (nanoUsd) => assert.equal(nanoUsd, undefined),
  }),
  task({
    name: 'a price compiled (once per target)',
    run: () => compilePrice(inputs.listed),
    check: (price) => assert.equal(price.costNanoUsd(usage, atMs), LIST_NANO_USD),
  }),
]);
