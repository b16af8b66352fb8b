/*
 * Symptom: a stream request whose provider answers with JSON, its head at once and its body late, got bare JSON inside an event
 * stream with a clean end: every SDK sees an empty answer.
 * Root cause: whether a keep-alive comment had gone out was looked at when the head came; a comment that was due between head
 * and body committed the event stream all the same.
 * Why the fix is right: whether comments may stand in an answer is asked of the mode that carries it, not of the
 * moment its head came.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { type RawProvider, startRawProvider } from '../support/raw-provider.ts';

const JSON_BODY = '{"choices":[]}';
let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${JSON_BODY.length}\r\n\r\n`);
    setTimeout(() => socket.write(JSON_BODY), 600);
  });
  gateway = await startGateway({
    manifests: [selfHosted('late', `${provider.origin}/v1`, ['m'])],
    server: { keepalive_comment_ms: 100 },
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

test('no keep-alive comment goes out once the provider has said that it answers without a stream', async () => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: '{"model":"late/m","messages":[],"stream":true}',
  });
  assert.equal(answer.headers.get('content-type'), 'application/json');
  assert.equal(await answer.text(), JSON_BODY);
});
