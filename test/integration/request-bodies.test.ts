import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { before, describe, test } from 'node:test';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

const LIMIT = 3_000_000;

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  gateway = await startGateway({
    server: { limits: { max_body_bytes: LIMIT, max_body_memory_bytes: 2 * LIMIT + 4096 } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

/** A chat request of exactly this many bytes. */
function bodyOf(bytes: number): Buffer {
  const frame = JSON.stringify({ model: 'p/m', messages: [{ role: 'user', content: '' }] });
  return Buffer.from(frame.replace('"content":""', `"content":"${'x'.repeat(bytes - frame.length)}"`));
}

/** The same without a declared length, in chunks of this size. */
function chunked(body: Buffer, chunkBytes: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on('error', reject);
    });
    for (let at = 0; at < body.length; at += chunkBytes) sent.write(body.subarray(at, at + chunkBytes));
    sent.end();
  });
}

const sentOn = () => provider.requests.at(-1)!.body.toString().replace('"model":"m"', '"model":"p/m"');

describe('bodies up to and beyond the limit', () => {
  test('a body of exactly the limit passes with content-length', async () => {
    for (const bytes of [LIMIT - 1, LIMIT]) {
      const body = bodyOf(bytes);
      const response = await ask(gateway, body);
      assert.equal(response.status, 200, `${bytes} bytes`);
      await response.text();
      assert.ok(sentOn() === body.toString(), `${bytes} bytes arrive as they were`);
    }
  });

  test('a body of exactly the limit passes in chunks, small and large', async () => {
    for (const [bytes, chunkBytes] of [
      [LIMIT, 65_536],
      [LIMIT, LIMIT],
      [20_000, 7],
      [120, 1],
    ] as const) {
      const body = bodyOf(bytes);
      const answer = await chunked(body, chunkBytes);
      assert.equal(answer.status, 200, `${bytes} bytes in pieces of ${chunkBytes}`);
      assert.ok(sentOn() === body.toString(), `${bytes} bytes in pieces of ${chunkBytes} arrive as they were`);
    }
  });

  test('a body declared one byte too large is refused with 413 before it is read', async () => {
    const before = provider.requests.length;
    const client = await RawClient.open(gateway);
    client.send(chatHead([`content-length: ${LIMIT + 1}`]));
    const answer = await client.answer();
    client.leave();
    assert.equal(answer.status, 413);
    const { error } = JSON.parse(answer.body);
    assert.equal(error.code, 'body_too_large');
    assert.match(error.message, new RegExp(`limits\\.max_body_bytes: ${LIMIT}`));
    assert.equal(provider.requests.length, before);
  });

  test('a client that sends all of a refused body nevertheless reads the 413', async () => {
    for (const bytes of [LIMIT + 1, 4 * LIMIT]) {
      const response = await ask(gateway, bodyOf(bytes));
      assert.equal(response.status, 413, `${bytes} bytes`);
      assert.equal((await errorOf(response)).code, 'body_too_large');
    }
  });

  test('a chunked body is refused with 413 as soon as it exceeds the limit', async () => {
    const client = await RawClient.open(gateway);
    client.send(chatHead(['transfer-encoding: chunked']));
    client.send(`${(LIMIT + 1).toString(16)}\r\n`);
    client.send(bodyOf(LIMIT + 1));
    // The end of the body never comes.
    const answer = await client.answer();
    client.leave();
    assert.equal(answer.status, 413);
  });

  test('the next request after a 413 is served', async () => {
    const response = await ask(gateway, { model: 'p/m', messages });
    assert.equal(response.status, 200);
    await response.text();
  });
});

test('the bodies of all exchanges together are bounded: 503 with retry-after', async () => {
  // Two that hold all there is, because their last byte does not come.
  const holders = await Promise.all([0, 1].map(() => RawClient.open(gateway)));
  for (const holder of holders) holder.send(`${chatHead([`content-length: ${LIMIT}`])}{`);
  await eventually('the memory is taken', async () => (await gateway.metric('sluice_body_memory_bytes')) >= 2 * LIMIT);
  const refused = await ask(gateway, bodyOf(100_000));
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  const error = await errorOf(refused);
  assert.equal(error.code, 'body_memory_full');
  assert.match(error.message, /limits\.max_body_memory_bytes/);
  for (const holder of holders) holder.leave();
  await eventually('it is given back', async () => (await gateway.metric('sluice_body_memory_bytes')) === 0);
  assert.equal((await ask(gateway, bodyOf(100_000))).status, 200);
});
