/*
 * Symptom: without any key, a few connections held all body memory, and as many as max_in_flight all places: everybody else got 503.
 * Root cause: routes that need no key (`GET /`, `/openapi.json`) read a declared body as any other; the whole declared size was
 * held with its first byte, for as long as body_ms.
 * Why the fix is right: what needs no key reads no body at all, so there is nothing that a stranger could make the
 * gateway hold.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { RawClient } from '../support/raw-client.ts';

let gateway: RunningGateway;
before(async () => {
  gateway = await startGateway();
});
after(async () => gateway?.[Symbol.asyncDispose]());

for (const path of ['/', '/v1', '/openapi.json']) {
  for (const framing of ['content-length: 33000000\r\n\r\nx', 'transfer-encoding: chunked\r\n\r\n1\r\nx\r\n']) {
    test(`no body byte of a request without a key is kept: GET ${path}, ${framing.slice(0, 17)}`, async () => {
      const client = await RawClient.open(gateway);
      client.send(`GET ${path} HTTP/1.1\r\nhost: a\r\n${framing}`);
      await eventually('an answer', () => client.text().startsWith('HTTP/1.1 '));
      assert.equal(await gateway.metric('sluice_body_memory_bytes'), 0);
      assert.equal(await gateway.metric('sluice_in_flight'), 0);
      client.socket.destroy();
      await wait(20);
    });
  }
}
