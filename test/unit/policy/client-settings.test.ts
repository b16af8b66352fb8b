import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import type { HeadersOfInterest } from '../../../src/core/exchange.ts';
import { localHeaders } from '../../../src/core/local-exchange.ts';
import { type ClientSettings, clientSettings } from '../../../src/policy/client-settings.ts';
import { NO_WAITS } from '../../../src/routing/route-plan.ts';

function headers(tfy: Record<string, string> | undefined): HeadersOfInterest {
  return { ...localHeaders({}), contentType: undefined, tfy };
}

function read(tfy: Record<string, string>): ClientSettings {
  const settings = clientSettings(headers(tfy));
  assert.ok(!(settings instanceof GatewayError), settings instanceof GatewayError ? settings.message : '');
  return settings;
}

function refused(name: string, value: string): GatewayError {
  const error = clientSettings(headers({ [name]: value }));
  assert.ok(error instanceof GatewayError, `${name}: ${value} is accepted`);
  assert.equal(error.code, 'invalid_header');
  assert.equal(error.status, 400);
  assert.equal(error.context.param, name);
  assert.ok(error.message.includes(name));
  return error;
}

test('no client setting is set without its header', () => {
  const expected = {
    waits: NO_WAITS,
    retry: undefined,
    metadata: {},
    providerName: undefined,
    strictForm: false,
    cacheMarker: undefined,
    cache: undefined,
    guardrails: undefined,
    logging: undefined,
  };
  assert.deepEqual(clientSettings(headers(undefined)), expected);
  assert.deepEqual(read({ 'x-tfy-something-else': 'x' }), expected);
});

test('timeouts of a client are whole milliseconds, from 1 up to a day', () => {
  const settings = read({ 'x-tfy-request-timeout': '1', 'x-tfy-ttft-timeout-ms': '86400000' });
  assert.equal(settings.waits.attemptMs, 1);
  assert.equal(settings.waits.firstTokenMs, 86_400_000);
  for (const name of ['x-tfy-request-timeout', 'x-tfy-ttft-timeout-ms']) {
    for (const value of ['', '0', '-1', '1.5', '1e3', ' 5', '5s', '86400001', '9'.repeat(30), 'NaN'])
      refused(name, value);
  }
});

test('request metadata is an object of strings, each up to 128 characters', () => {
  const metadata = { env: 'dev', ü: 'é'.repeat(128), empty: '' };
  assert.deepEqual(read({ 'x-tfy-metadata': JSON.stringify(metadata) }).metadata, metadata);
  for (const value of [
    '',
    'x',
    '{',
    'null',
    '[]',
    '"a"',
    '{"a":1}',
    '{"a":null}',
    '{"a":{"b":"c"}}',
    JSON.stringify({ a: 'x'.repeat(129) }),
  ]) {
    refused('x-tfy-metadata', value);
  }
});

test('the account header for a bare model id is passed on', () => {
  assert.equal(read({ 'x-tfy-provider-name': 'openai-main' }).providerName, 'openai-main');
});

test('a request names guardrails by hook, and what is no list of names is refused', () => {
  const { guardrails } = read({
    'x-tfy-guardrails': '{"llm_input_guardrails":["g/a"],"enable_parallel_execution":false}',
  });
  assert.deepEqual([guardrails?.guards['llm-input'], guardrails?.parallel], [['g/a'], false]);
  for (const value of ['[]', 'x', '{"llm_input_guardrails":"g/a"}', '{"llm_inputs":[]}'])
    refused('x-tfy-guardrails', value);
});

test('a strict answer is asked for by `true`, and anything but `true` and `false` is refused', () => {
  assert.equal(read({ 'x-tfy-strict-openai': 'true' }).strictForm, true);
  assert.equal(read({ 'x-tfy-strict-openai': 'True' }).strictForm, true);
  assert.equal(read({ 'x-tfy-strict-openai': 'false' }).strictForm, false);
  for (const value of ['', '1', 'yes', 'true, true']) refused('x-tfy-strict-openai', value);
});

test('a wish for caching is a word, a lifetime or the marker itself; anything else is refused by the header’s name', () => {
  const name = 'x-tfy-cache-control';
  const marker = (text: string) => read({ [name]: text }).cacheMarker;
  assert.deepEqual(marker('true'), { type: 'ephemeral' });
  assert.deepEqual(marker('Ephemeral'), { type: 'ephemeral' });
  assert.deepEqual(marker('1h'), { type: 'ephemeral', ttl: '1h' });
  assert.deepEqual(marker('{"type": "ephemeral", "ttl": "5m"}'), { type: 'ephemeral', ttl: '5m' });
  assert.equal(marker('false'), undefined);
  for (const wrong of ['yes', '2h', '{"type":"ephemeral","ttl":"2h"}', '{"ttl":"1h"}', '[]']) refused(name, wrong);
});
