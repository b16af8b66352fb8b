import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { stepAt } from '../../../src/routing/route-plan.ts';
import { type FakeProvider, sendJson, startProvider } from '../../support/provider.ts';
import { targetAt } from '../../support/targets.ts';
import { closeRelays, Relayed } from './local-provider.ts';

let provider: FakeProvider | undefined;

afterEach(async () => {
  closeRelays();
  await provider?.close();
});

test('a step sets parameters over those of the client, for its own target alone, and leaves numbers as they were written', () => {
  const params = { temperature: 0.1, stream: false, top_k: 5 };
  const relayed = new Relayed({
    body: { temperature: 1, seed: 7, stream: true },
    step: { overrides: { params, headers: undefined } },
  });
  const asked = JSON.parse(relayed.attempt.request.body.toString());
  assert.deepEqual(asked, { model: 'model', messages: [], stream: false, temperature: 0.1, seed: 7, top_k: 5 });
  assert.match(relayed.exchange.body.toString(), /"temperature":1/, 'another step begins with the client’s own');
});

test('numbers that a step does not set stay digit for digit', () => {
  const body = Buffer.from('{"model":"m","messages":[],"seed":12345678901234567890,"top_p":1.0}');
  const relayed = new Relayed({ rawBody: body, step: { overrides: { params: { n: 1 }, headers: undefined } } });
  assert.match(relayed.attempt.request.body.toString(), /"seed":12345678901234567890,"top_p":1\.0/);
});

test('a body that a step has to change and that is no JSON is refused, and nobody is asked', () => {
  const body = Buffer.from('{"model":"m","messages":[tru]}');
  const relayed = new Relayed({ rawBody: body, step: { overrides: { params: { n: 1 }, headers: undefined } } });
  assert.equal(relayed.attempts.length, 0);
  assert.equal(relayed.result?.error?.code, 'invalid_json');
});

test('a step removes and sets headers of its request', async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, {}));
  const target = targetAt(provider.origin, 'main', ['x-configured', 'account', 'x-tier', 'account']);
  const headers = { remove: ['x-configured'], set: { 'x-tier': 'step', 'x-more': 'step' } };
  const relayed = new Relayed({
    body: { stream: false },
    steps: [stepAt(target, { overrides: { params: undefined, headers } })],
  });
  await relayed.over;
  const sent = provider.requests[0]?.headers;
  assert.deepEqual([sent?.['x-configured'], sent?.['x-tier'], sent?.['x-more']], [undefined, 'step', 'step']);
});
