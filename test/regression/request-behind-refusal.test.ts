/*
 * Symptom: a request with two content-lengths was refused with `connection: close`, and what stood behind it in the same
 * packet was run as a request of its own, on a connection that then stayed open: request smuggling.
 * Root cause: the HTTP addon goes on parsing the packet when the handler returns; the next request resets the state of the
 * answer before it, and with it the wish to close.
 * Why the fix is right: a refusal that closes is written in the next turn. Until then an answer is pending, and the addon
 * ends a connection that brings a request while one is pending.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, chatRequest, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('run')));
  gateway = await startGateway({ manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

const body = JSON.stringify({ model: 'p/m', messages });
const length = `content-length: ${body.length}`;

for (const [what, refused] of [
  ['framing that could be read in two ways', chatHead([length, 'content-length: 5']) + body],
  ['a wrong key', chatHead([length], 'wrong') + body],
  ['a wrong path', chatHead([length]).replace('/chat/completions', '/nothing') + body],
  ['a wrong method', chatHead([length]).replace('POST', 'PUT') + body],
] as const) {
  test(`a request behind one that was refused for ${what} is not run`, { timeout: 60_000 }, async () => {
    for (const packets of [
      [refused + chatRequest({ model: 'p/m', messages })],
      [refused, chatRequest({ model: 'p/m', messages })],
    ]) {
      const client = await RawClient.open(gateway);
      for (const packet of packets) client.send(packet);
      await client.closed;
      assert.ok(client.text().split('HTTP/1.1 ').length <= 2, client.text());
    }
    assert.equal(provider.requests.length, 0);
  });
}
