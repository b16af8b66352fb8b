import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, test } from 'node:test';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const MOST = 10;
const open: ServerResponse[] = [];
let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => {
    startEvents(response);
    response.write(chunkEvent({ content: 'begun' }));
    open.push(response);
  });
  gateway = await startGateway({
    server: { threads: 2, limits: { max_in_flight: MOST } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

const stream = () => new ChatStream(gateway, { model: 'p/m', messages, stream: true });

test(`exactly max_in_flight of any number of concurrent requests are admitted, over all threads`, async () => {
  const clients = Array.from({ length: 60 }, stream);
  const heads = await Promise.all(clients.map((client) => client.head()));
  const admitted = clients.filter((_client, index) => heads[index]!.status === 200);
  const refused = heads.filter(({ status }) => status === 503);
  assert.deepEqual([admitted.length, refused.length], [MOST, 60 - MOST]);
  for (const { headers } of refused) assert.ok(Number(headers['retry-after']) >= 1);
  assert.equal(await gateway.metric('sluice_in_flight'), MOST);

  const response = await ask(gateway, { model: 'p/m', messages });
  const error = await errorOf(response);
  assert.deepEqual([response.status, error.code], [503, 'overloaded']);
  assert.match(error.message, new RegExp(`limits\\.max_in_flight: ${MOST}`));
  assert.equal(open.length, MOST, 'no refused one reached the provider');

  // A refused request has no body byte waited for.
  const early = await RawClient.open(gateway);
  early.send(chatHead(['content-length: 1000000']));
  assert.equal((await early.answer()).status, 503);
  await early.closed;

  // The probes of the operator port are no exchanges.
  assert.equal((await fetch(`${gateway.operatorUrl}/readyz`)).status, 200);

  for (const answer of open) answer.end(DONE_EVENT);
  for (const client of admitted) assert.equal(await client.ended(), 'whole');
});

test('the next request is admitted as soon as one ends', async () => {
  await eventually('all places are free', async () => (await gateway.metric('sluice_in_flight')) === 0);
  open.length = 0;
  const full = Array.from({ length: MOST }, stream);
  for (const client of full) await client.until('begun');
  assert.equal((await stream().head()).status, 503);
  full[0]!.leave();
  await eventually('there is a place', async () => (await stream().head()).status === 200);
  for (const answer of open) answer.end(DONE_EVENT);
});
