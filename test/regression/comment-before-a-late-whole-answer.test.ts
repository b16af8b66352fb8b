/*
 * Symptom: a stream request whose provider answers with JSON, its head at once and its body late, got bare JSON inside an
 * event stream with a clean end: every SDK sees an empty answer.
 * Root cause: whether a keep-alive comment had gone out was looked at when the head came; a comment that was due between
 * head and body committed the event stream all the same.
 * Why the fix is right: where a stream was asked for, JSON becomes its events, so that comments in front of them are
 * right whenever they go out.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { completion } from '../support/provider.ts';
import { type RawProvider, startRawProvider } from '../support/raw-provider.ts';
import { decodeChat } from '../support/sdk-streams.ts';

const JSON_BODY = JSON.stringify(completion('hello'));
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
disposeAfter(() => [gateway, provider]);

test('comments may go out before JSON comes where a stream was asked for, and the client reads the answer', async () => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: '{"model":"late/m","messages":[],"stream":true}',
  });
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  const text = await answer.text();
  assert.match(text, /^: keep-alive\n/);
  const { events, raised } = await decodeChat(text);
  assert.equal(raised, undefined);
  assert.match(JSON.stringify(events), /"content":"hello"/);
});
