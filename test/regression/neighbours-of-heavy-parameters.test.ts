/*
 * Symptom: one request stopped its relay thread for 7 to 11 seconds; everybody else on it waited.
 * Root cause: `stream_options` of any size parsed with a callback per number; and for every tool result a search over all
 * text blocks before it (quadratic) on the way to Anthropic's messages.
 * Why the fix is right: what is parsed on the loop has a bound of its own, results keep their own list, and large
 * translations leave the loop.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { NeighbourWaits } from '../support/neighbour-waits.ts';
import { type RawProvider, startRawProvider, wholeAnswer } from '../support/raw-provider.ts';

const MOST_MS = 1_000;
let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider((socket) => socket.write(wholeAnswer({ content: [] })));
  const account = {
    type: 'provider-account/anthropic',
    name: 'translated',
    base_url: provider.origin,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  };
  gateway = await startGateway({ manifests: [account, selfHosted('passed', `${provider.origin}/v1`, ['m'])] });
});
disposeAfter(() => [gateway, provider]);

const text = '{"type":"text","text":"a"}';
const result = '{"role":"tool","tool_call_id":"c","content":"k"}';
const bodies = {
  'a large stream_options': `{"model":"passed/m","stream":true,"messages":[],"stream_options":{"x":[${'1.0,'.repeat(6_000_000)}1]}}`,
  'many tool results behind many parts': `{"model":"translated/claude-sonnet-4-5","messages":[{"role":"user","content":[${`${text},`.repeat(60_000)}${text}]}${`,${result}`.repeat(20_000)}]}`,
};
for (const [what, body] of Object.entries(bodies)) {
  test(`${what} starves no neighbour`, async () => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const neighbour = await NeighbourWaits.of(gateway, async () => {
      await (await fetch(`${gateway.url}/v1/models/none`, { headers })).arrayBuffer();
      await wait(20);
    });
    const waits = await neighbour.during(async () => {
      await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })).arrayBuffer();
    });
    const longest = waits.at(-1) ?? 0;
    assert.ok(longest < MOST_MS, `a neighbour waited ${Math.round(longest)} ms`);
  });
}
