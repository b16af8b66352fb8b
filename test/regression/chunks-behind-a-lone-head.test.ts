/*
 * Symptom: of two requests whose bodies came in pieces one got the bytes of the other, whoever had sent them, and the other
 * timed out. It took a request with `transfer-encoding: chunked` whose head came in a packet of its own, and any other request that
 * was in the middle of its body.
 * Root cause: which connection a request is on is known by the addon's call for data right behind the head. Behind a chunked head
 * that comes alone there is no such call, so that the next data of any connection was taken for that of this request.
 * Why the fix is right: data of a connection whose body has not ended belongs to that body. Where another head comes before the
 * first chunk, the request listens for its data itself.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatRequest, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    sendJson(response, 200, completion(`answer to ${JSON.parse(request.body.toString()).user}`));
  });
  gateway = await startGateway({ server: { demo: true }, manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

const head = (...lines: string[]): string =>
  ['POST /v1/chat/completions HTTP/1.1', 'host: a', `authorization: Bearer ${KEY}`, ...lines, '', ''].join('\r\n');
const bodyOf = (user: string): string => JSON.stringify({ model: 'p/m', messages, user });
const chunk = (bytes: string): string => `${bytes.length.toString(16)}\r\n${bytes}\r\n`;
const CHUNKED = head('transfer-encoding: chunked');

/** A piece was read, not only sent, once the gateway has seen as many requests. */
async function inFlight(count: number): Promise<void> {
  await eventually(`${count} requests in flight`, async () => (await gateway.metric('sluice_in_flight')) === count);
}

async function open(count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.open(gateway)));
}

async function answered(client: RawClient, user: string): Promise<void> {
  const answer = await client.answer();
  assert.equal(answer.status, 200, answer.body);
  assert.match(answer.body, new RegExp(`answer to ${user}"`));
}

test('chunks behind a lone head are not those of a request that is in the middle of its body', async () => {
  const [ann, bob] = (await open(2)) as [RawClient, RawClient];
  const body = bodyOf('ann');
  ann.send(head(`content-length: ${body.length}`) + body.slice(0, 10));
  await inFlight(1);
  bob.send(CHUNKED);
  await inFlight(2);
  ann.send(body.slice(10));
  await answered(ann, 'ann');
  bob.send(`${chunk(bodyOf('bob'))}0\r\n\r\n`);
  await answered(bob, 'bob');
  for (const client of [ann, bob]) client.leave();
});

test('lone heads of several requests each get the chunks of their own connection, in any order', async () => {
  const clients = await open(4);
  for (const [index, client] of clients.entries()) {
    client.send(CHUNKED);
    await inFlight(index + 1);
  }
  const bodies = clients.map((_client, index) => bodyOf(`user ${index}`));
  for (const index of [2, 0, 3, 1]) clients[index]!.send(chunk(bodies[index]!.slice(0, 20)));
  for (const index of [1, 3, 0, 2]) clients[index]!.send(`${chunk(bodies[index]!.slice(20))}0\r\n\r\n`);
  for (const [index, client] of clients.entries()) await answered(client, `user ${index}`);
  // Whose chunks came behind another head is told that its connection ends, and the last one goes on.
  for (const client of clients.slice(0, 3)) {
    assert.match(client.text(), /^connection: close\r$/im);
    await client.closed;
  }
  const [last] = clients.slice(3) as [RawClient];
  assert.match(last.text(), /^connection: keep-alive\r$/im);
  for (const user of ['again', 'a third time']) {
    const body = bodyOf(user);
    last.send(`${CHUNKED}${chunk(body)}0\r\n\r\n`);
    await last.until((text) => text.includes(`answer to ${user}"`));
    assert.match(last.text(), new RegExp(`answer to ${user}"`));
  }
  last.leave();
});

test('an answer that streams to a client whose chunks came behind another head is whole, and its last', async () => {
  const [ann, bob] = (await open(2)) as [RawClient, RawClient];
  ann.send(CHUNKED);
  await inFlight(1);
  bob.send(chatRequest({ model: 'p/m', messages, user: 'bob' }));
  await answered(bob, 'bob');
  const body = JSON.stringify({ model: 'demo/chat', messages, stream: true });
  ann.send(`${chunk(body)}0\r\n\r\n`);
  const text = await ann.until((received) => received.includes('[DONE]') && received.endsWith('0\r\n\r\n'));
  assert.match(text, /^connection: close\r$/im);
  assert.match(text, /data: \[DONE\]/);
  for (const client of [ann, bob]) client.leave();
});

test('a client that leaves behind a lone head leaves nothing behind, and others go on', async () => {
  const [ann, bob, cid] = (await open(3)) as [RawClient, RawClient, RawClient];
  ann.send(CHUNKED);
  await inFlight(1);
  bob.send(CHUNKED);
  await inFlight(2);
  ann.leave();
  await inFlight(1);
  cid.send(chatRequest({ model: 'p/m', messages, user: 'cid' }));
  await answered(cid, 'cid');
  bob.leave();
  await inFlight(0);
  cid.send(chatRequest({ model: 'p/m', messages, user: 'dan' }));
  await cid.until((text) => text.includes('answer to dan"'));
  assert.match(cid.text(), /answer to dan"/);
  cid.leave();
});
