import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { request } from 'undici';
import { bodyPieces } from '../../../src/upstream/body-pieces.ts';

const MIB = 1_048_576;

/** A provider that reads only when it is told to. */
async function provider() {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const connected = once(server, 'connection').then(([socket]: Socket[]) => socket!);
  return { url: `http://127.0.0.1:${address.port}/`, connected, close: () => server.close() };
}

test('a small body is handed on as it is', () => {
  const body = Buffer.alloc(262_144);
  assert.equal(bodyPieces(body), body);
});

test('a large body counts as sent only when none of its memory is read any more', async () => {
  const { url, connected, close } = await provider();
  const body = randomBytes(12 * MIB + 17);
  const wanted = Buffer.from(body);
  let sent = false;
  const pieces = bodyPieces([body.subarray(0, 10), Buffer.from('!'), body.subarray(10)], () => {
    sent = true;
    // What the next request would do to it.
    body.fill(0);
  });
  const answered = request(url, {
    method: 'POST',
    headers: { 'content-length': String(body.length + 1) },
    body: pieces as unknown as Readable,
  });
  const socket = await connected;
  const received: Buffer[] = [];
  let bytes = 0;
  assert.equal(sent, false, 'nothing was read yet, and no socket holds 12 MiB');
  socket.on('data', (chunk: Buffer) => {
    received.push(chunk);
    bytes += chunk.length;
    const head = Buffer.concat(received.slice(0, 2)).indexOf('\r\n\r\n') + 4;
    if (bytes === head + body.length + 1) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
  socket.resume();
  assert.equal(await (await answered).body.text(), 'ok');
  assert.equal(sent, true);
  const all = Buffer.concat(received);
  const got = all.subarray(all.indexOf('\r\n\r\n') + 4);
  assert.ok(got.subarray(0, 10).equals(wanted.subarray(0, 10)));
  assert.equal(got[10], 0x21);
  assert.ok(got.subarray(11).equals(wanted.subarray(10)), 'every byte as it was when it was handed on');
  close();
});

test('a large body that was answered before all of it was read never counts as sent', async () => {
  const { url, connected, close } = await provider();
  const body = randomBytes(12 * MIB);
  let sent = false;
  const pieces = bodyPieces(body, () => {
    sent = true;
  });
  const answered = request(url, {
    method: 'POST',
    headers: { 'content-length': String(body.length) },
    body: pieces as unknown as Readable,
  });
  const socket = await connected;
  socket.on('error', () => {});
  socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno');
  const answer = await answered;
  assert.equal(answer.statusCode, 413);
  await answer.body.text().catch(() => {});
  const closed = once(socket, 'close');
  socket.resume();
  await closed;
  assert.equal(sent, false);
  close();
});
