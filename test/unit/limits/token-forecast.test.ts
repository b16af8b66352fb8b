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
  for (let turn = 0; turn < 200; turn += 1) forecast.learn(1_000, { inputTokens: 10, outputTokens: 40 });
  assert.ok(forecast.promptTokens(100_000) < 1_200);
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
