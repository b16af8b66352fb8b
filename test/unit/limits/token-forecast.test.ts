import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_TOKENS, TokenForecast } from '../../../src/limits/token-forecast.ts';

test('a token is forecast as four bytes before anything was seen, and no prompt as longer than a context', () => {
  const forecast = new TokenForecast().of('p/m');
  assert.equal(forecast.promptTokens(400), 100);
  assert.equal(forecast.promptTokens(20_000_000), 131_072);
  assert.equal(forecast.outputTokens(undefined), 512);
});

test('a forecast takes max_tokens at its word, within what can be a number of tokens', () => {
  const forecast = new TokenForecast().of('p/m');
  assert.equal(forecast.outputTokens(30), 30);
  assert.equal(forecast.outputTokens(0.5), 1);
  assert.equal(forecast.outputTokens(1e300), MOST_TOKENS);
  for (const nonsense of [0, -5, Number.NaN]) assert.equal(forecast.outputTokens(nonsense), 512);
});

test('a forecast learns the means of each model by itself', () => {
  const all = new TokenForecast();
  const forecast = all.of('p/m');
  for (let turn = 0; turn < 200; turn += 1) forecast.learn(1_000, { inputTokens: 100, outputTokens: 40 });
  assert.ok(forecast.promptTokens(100_000) < 12_000);
  assert.ok(forecast.outputTokens(undefined) < 60);
  assert.equal(all.of('p/m').outputTokens(undefined), forecast.outputTokens(undefined));
  assert.equal(all.of('p/n').outputTokens(undefined), 512);
});

test('invalid usage, and usage of several choices, teaches the forecast nothing', () => {
  const forecast = new TokenForecast().of('p/m');
  forecast.learn(0, { outputTokens: 9 }, 4);
  forecast.learn(1_000, {});
  forecast.learn(1_000, { inputTokens: -1, outputTokens: Number.NaN });
  forecast.learn(0, { inputTokens: 1e300, outputTokens: 1e300 });
  assert.deepEqual([forecast.promptTokens(400), forecast.outputTokens(undefined)], [100, 512]);
});

test('the forecast of answers that differ is above their mean, and the first answer stands for two', () => {
  const forecast = new TokenForecast().of('p/m');
  forecast.learn(1_000, { outputTokens: 40 });
  assert.equal(forecast.outputTokens(undefined), 80);
  for (let turn = 0; turn < 400; turn += 1) forecast.learn(1_000, { outputTokens: turn % 2 === 0 ? 1 : 199 });
  const held = forecast.outputTokens(undefined);
  assert.ok(held > 170 && held < 230, `${held} tokens for a mean of 100 and a deviation of 99`);
});

/*
 * Symptom: a provider that tells one token for every prompt made budgets hold next to nothing, so that many requests at
 * once went far beyond them. Root cause: the mean was learned from whatever was told. A text has at most 16 bytes a token.
 */
test('absurd usage teaches no more than what bytes can be', () => {
  const few = new TokenForecast().of('p/few');
  for (let turn = 0; turn < 500; turn += 1) few.learn(500, { inputTokens: 1, outputTokens: 1 });
  assert.equal(few.promptTokens(500), Math.ceil(500 / 16));
  assert.equal(few.promptTokens(1_000_000), 62_500);
  const many = new TokenForecast().of('p/many');
  for (let turn = 0; turn < 500; turn += 1) many.learn(500, { inputTokens: 16_000_000 });
  assert.equal(many.promptTokens(500), 8_000);
});

test('large bodies may be pictures of few tokens, and teach nothing about short ones', () => {
  const pictures = new TokenForecast().of('p/pictures');
  for (let turn = 0; turn < 500; turn += 1) pictures.learn(1_000_000, { inputTokens: 765 });
  assert.ok(pictures.promptTokens(1_000_000) < 1_000);
  assert.equal(pictures.promptTokens(1_600), 100);
});

test('a forecast of pages takes those that are named, and else what documents of the model had', () => {
  const forecast = new TokenForecast().of('p/ocr');
  assert.deepEqual([forecast.pages(40), forecast.guessesPages], [40, true]);
  forecast.learn(0, { rare: { pages: 3 } });
  assert.deepEqual([forecast.pages(undefined), forecast.guessesPages], [6, false]);
  for (let turn = 0; turn < 400; turn += 1) forecast.learn(0, { rare: { annotatedPages: 10 } });
  assert.equal(forecast.pages(undefined), 11);
  assert.equal(forecast.pages(1), 1);
});
