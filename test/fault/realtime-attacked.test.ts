import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { before, test } from 'node:test';
import { WebSocket } from 'ws';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type RealtimeProvider, startRealtimeProvider } from '../support/realtime-provider.ts';

const KEY = 'sk-attack-1';
const CONNECT_MS = 700;

let provider: RealtimeProvider;
/** Answers a handshake as the test says. */
let raw: Server;
let onRaw: (socket: Socket) => void = () => {};
let gateway: RunningGateway;

before(async () => {
  provider = await startRealtimeProvider();
  raw = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => onRaw(socket));
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  const account = (name: string, url: string) => ({
    type: 'provider-account/openai',
    name,
    auth_data: { type: 'api-key', api_key: 'k' },
    base_url: `${url}/v1`,
    integrations: [{ type: 'integration/model/openai', name: 'voice', model_id: 'm', model_types: ['realtime'] }],
  });
  gateway = await startGateway({
    server: { timeouts: { connect_ms: CONNECT_MS }, limits: { max_body_bytes: 100_000 } },
    keys: [{ name: 'test', key: KEY, subject: 'virtualaccount:test' }],
    manifests: [
      account('main', provider.url),
      account('raw', `http://127.0.0.1:${(raw.address() as AddressInfo).port}`),
    ],
  });
});
disposeAfter(() => [gateway, provider, { [Symbol.asyncDispose]: async () => void raw.close() }]);

function client(model: string): WebSocket {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/realtime?model=${model}/voice`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  socket.on('error', () => {});
  return socket;
}

const opened = (socket: WebSocket) => new Promise((resolve) => socket.once('open', resolve));
const closeOf = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', resolve));
const statusOf = (socket: WebSocket) =>
  new Promise<number>((resolve) =>
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => {
      resolve(statusCode);
      socket.terminate();
    }),
  );
const inFlight = () => gateway.metric('sluice_in_flight');

test('a provider that answers a handshake byte by byte is given up after timeouts.connect_ms', async () => {
  for (const begin of ['HTTP/1.1 101 Switching', 'HTTP/1.1 500 No\r\ncontent-length: 9999\r\n\r\n{']) {
    onRaw = (socket) => {
      socket.write(begin);
      const drip = setInterval(() => socket.write('x'), 100);
      socket.on('close', () => clearInterval(drip));
    };
    const beganAt = performance.now();
    assert.equal(await statusOf(client('raw')), 504);
    assert.ok(performance.now() - beganAt >= CONNECT_MS - 50);
  }
});

test('a session ends with 1011 where its provider sends what is no frame', async () => {
  onRaw = (socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n',
    );
  };
  assert.equal(await statusOf(client('raw')), 502);
  const socket = client('main');
  await opened(socket);
  // A reserved opcode, RFC 6455 §5.2.
  (provider.sessions.at(-1)!.socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0x83, 0x01, 0x00]));
  assert.ok([1002, 1011].includes(await closeOf(socket)));
});

test('a message beyond limits.max_body_bytes ends its session, whoever sends it', async () => {
  const large = 'A'.repeat(150_000);
  const fromClient = client('main');
  await opened(fromClient);
  const said: string[] = [];
  fromClient.on('message', (data) => said.push(String(data)));
  fromClient.send(large);
  assert.equal(await closeOf(fromClient), 1009);
  assert.match(said.at(-1)!, /body_too_large/);
  const fromProvider = client('main');
  await opened(fromProvider);
  provider.sessions.at(-1)!.socket.send(large);
  assert.ok([1009, 1011].includes(await closeOf(fromProvider)));
});

test('clients that leave at any moment leave no session at a provider and no place in flight', async () => {
  const count = provider.sessions.length;
  await Promise.all(
    Array.from({ length: 120 }, async (_, index) => {
      const socket = client('main');
      if (index % 3 === 0) setTimeout(() => socket.terminate(), (index * 7) % 60);
      else {
        await Promise.race([opened(socket), closeOf(socket)]);
        if (socket.readyState === socket.OPEN) socket.send('{"type":"response.create"}');
        if (index % 3 === 1) socket.terminate();
        else socket.close(4001, 'x'.repeat(123));
      }
      if (socket.readyState !== socket.CLOSED) await closeOf(socket);
    }),
  );
  const bare = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  bare.on('error', () => {});
  const key = randomBytes(16).toString('base64');
  const head = `GET /v1/realtime?model=main/voice HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`;
  bare.write(head);
  await new Promise((resolve) => bare.once('data', resolve));
  // A client has to mask what it sends, RFC 6455 §5.1.
  bare.write(Buffer.from([0x81, 0x02, 0x41, 0x41]));
  bare.write(randomBytes(2_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  bare.destroy();
  await eventually('every session at the provider is closed', () =>
    provider.sessions.slice(count).every(({ closed }) => closed !== undefined),
  );
  const again = client('main');
  await opened(again);
  await eventually('the open session is in flight', async () => (await inFlight()) === 1);
  again.close();
  await eventually('nothing is in flight', async () => (await inFlight()) === 0);
});
