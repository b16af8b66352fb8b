/*
 * Symptom: a client that sends its body in pieces (an upload, a stream) and was refused on its head saw a broken pipe instead of the
 * reason: of 40 uploads with a wrong key 27 did. A client that was refused while its body was still coming was told
 * `connection: keep-alive`, and its next request met a closed connection.
 * Root cause: the connection was closed with the answer, so that the kernel answered the rest of the body with a reset, which
 * throws away what the client has not read yet. Where it was closed behind the body nobody told the client.
 * Why the fix is right: the rest of the body is read and dropped, within bounds, and every answer that comes before the end of
 * its request's body says `connection: close` (RFC 9112 §9.6).
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { RawClient } from '../support/raw-client.ts';

const BODY_MS = 1_000;
let gateway: RunningGateway;
before(async () => {
  const server = { demo: true, limits: { max_body_bytes: 1024 }, timeouts: { body_ms: BODY_MS } };
  gateway = await startGateway({ server });
});
disposeAfter(() => [gateway]);

const REFUSALS: readonly [what: string, status: number, method: string, path: string, key: string][] = [
  ['its wrong key', 401, 'POST', '/v1/files', 'wrong'],
  ['a path that is not there', 404, 'POST', '/v1/nothing', KEY],
  ['a path that is not built', 404, 'POST', '/v1/agents/sessions', KEY],
  ['a method that its path does not have', 405, 'PUT', '/v1/chat/completions', KEY],
  ['a body where none is taken', 400, 'DELETE', '/v1/files/file-none', KEY],
];

for (const [what, status, method, path, key] of REFUSALS) {
  test(`a client that sends its body in pieces reads that it was refused for ${what}`, async () => {
    for (let round = 0; round < 20; round += 1) {
      const body = new Blob(['x'.repeat(200_000)]).stream();
      const headers = { authorization: `Bearer ${key}` };
      const response = await fetch(gateway.url + path, { method, headers, body, duplex: 'half' } as RequestInit);
      assert.equal(response.status, status, await response.text());
    }
  });
}

const head = (...lines: string[]): string =>
  ['POST /v1/chat/completions HTTP/1.1', 'host: a', ...lines, '', ''].join('\r\n');
const authorization = `authorization: Bearer ${KEY}`;
const EARLY: readonly [what: string, status: number, request: string][] = [
  ['without a key', 401, `${head('content-length: 100')}x`],
  ['without a key, of which the head alone came', 401, head('transfer-encoding: chunked')],
  ['that is too large', 413, `${head(authorization, 'transfer-encoding: chunked')}800\r\n${'x'.repeat(2048)}\r\n`],
  ['that is declared too large', 413, `${head(authorization, 'content-length: 2000')}x`],
  ['that is too slow', 408, `${head(authorization, 'content-length: 100')}x`],
];

for (const [what, status, request] of EARLY) {
  test(`a request ${what} is answered before its end, and told that its connection closes`, async () => {
    const client = await RawClient.open(gateway);
    client.send(request);
    const answer = await client.answer();
    assert.equal(answer.status, status);
    assert.deepEqual(answer.head.match(/^(?:connection|keep-alive): .*$/gim), ['connection: close']);
    client.leave();
  });
}

test('the connection of a stranger whose body never ends is closed after body_ms', { timeout: 60_000 }, async () => {
  const client = await RawClient.open(gateway);
  client.send(`${head('transfer-encoding: chunked')}1\r\nx\r\n`);
  let isOpen = true;
  const closed = client.closed.then(() => {
    isOpen = false;
  });
  const began = performance.now();
  while (isOpen && performance.now() - began < 5 * BODY_MS) {
    client.send('1\r\nx\r\n');
    await Promise.race([wait(50), closed]);
  }
  assert.equal(isOpen, false);
  assert.ok(performance.now() - began >= BODY_MS * 0.9);
  assert.match(client.text(), /^HTTP\/1\.1 401 /);
});
