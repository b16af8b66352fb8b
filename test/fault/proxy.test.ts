import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { RawClient } from '../support/raw-client.ts';
import { deadPort } from '../support/raw-provider.ts';
import { noProc, residentMib } from '../support/resident-memory.ts';

/** That two slow ends may cost, one that is sent to and one that reads. */
const ALLOWED_MIB = 24;

const SECRET = 'sk-of-the-endpoint-4711';

/** What one connection of the endpoint received, and what a test does with it. */
interface Received {
  readonly socket: Socket;
  readonly head: string;
  body: number;
  closed: boolean;
}

let server: Server;
let gateway: RunningGateway;
const received: Received[] = [];
/** By the path: what is done when a head came. */
const scripts: Record<string, (request: Received) => void> = {};

before(async () => {
  server = createServer((socket) => {
    let head = '';
    let request: Received | undefined;
    socket.on('error', () => {});
    socket.on('close', () => {
      if (request) request.closed = true;
    });
    socket.on('data', (bytes: Buffer) => {
      if (request !== undefined) {
        request.body += bytes.length;
        return;
      }
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      request = { socket, head: head.slice(0, end), body: head.length - end - 4, closed: false };
      received.push(request);
      const path = /^[A-Z]+ \/([a-z-]*)/.exec(head)?.[1] ?? '';
      const script = scripts[path];
      if (script) script(request);
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint = (name: string, at: number): object => ({
    name,
    type: 'integration/model/custom-endpoint',
    base_url: `http://127.0.0.1:${at}`,
    auth_data: { type: 'header', headers: { 'x-token': SECRET } },
  });
  gateway = await startGateway({
    server: {
      // So long that a busy machine keeps within those that are not meant to pass.
      timeouts: { body_ms: 1_500, idle_ms: 2_000, first_byte_ms: 3_000, connect_ms: 10_000 },
      limits: { high_watermark_bytes: 65_536 },
    },
    manifests: [
      {
        type: 'provider-account/custom-endpoint',
        name: 'own',
        integrations: [endpoint('e', port), endpoint('dead', await deadPort())],
      },
      {
        type: 'provider-account/openai',
        name: 'oai',
        base_url: `http://127.0.0.1:${port}`,
        auth_data: { type: 'api-key', api_key: SECRET },
      },
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  for (const { socket } of received) socket.destroy();
  server?.close();
});

const head = (method: string, path: string, headers: readonly string[] = []): string =>
  [`${method} ${path} HTTP/1.1`, 'host: x', `authorization: Bearer ${KEY}`, ...headers, '', ''].join('\r\n');
/** Places in flight and the memory of bodies are given back. */
const nothingInFlight = () =>
  eventually('nothing is held', async () => {
    const metrics = await gateway.metrics();
    return /^sluice_in_flight 0$/m.test(metrics) && /^sluice_body_memory_bytes 0$/m.test(metrics);
  });

/** The whole answer to one request, whose connection is closed behind it. */
async function answerTo(request: string, more?: (client: RawClient) => void): Promise<string> {
  const client = await RawClient.open(gateway);
  client.send(request);
  more?.(client);
  const text = await client.until((each) => /\}$|ok$|ok\r\n0\r\n\r\n$/.test(each));
  client.leave();
  return text;
}

describe('a request that a proxy could be misled by', () => {
  test('a request leads nowhere but to its endpoint, however its path is written', async () => {
    const before = received.length;
    for (const path of [
      '/proxy-api/own/e/../../v1/models',
      '/proxy-api/own/e/%2e%2e/x',
      '/proxy-api/own/e/..%2fx',
      '/proxy-api/own/e/%252e%252e/x',
      '/proxy-api/own/e/a%0d%0ahost:%20evil',
      '/proxy-api/own/e/a%00',
      '/proxy-api/own/e//evil.example/',
      '/proxy-api/own/e/\\evil',
      '/proxy-api/own/e/a%5c..%5cb',
    ]) {
      const answer = await answerTo(head('GET', path, ['connection: close']));
      assert.match(answer, /^HTTP\/1\.1 40[04] /, path);
    }
    assert.equal(received.length, before);
    assert.match(await answerTo(head('GET', 'http://evil.example/proxy-api/own/e/x')), /^HTTP\/1\.1 [45]/);
    assert.equal(received.length, before);
  });

  test('a request is not sent on where its framing can be read in two ways', async () => {
    const before = received.length;
    for (const headers of [
      ['content-length: 3', 'transfer-encoding: chunked'],
      ['content-length: 3', 'content-length: 4'],
      ['transfer-encoding: chunked', 'transfer-encoding: chunked'],
      ['transfer-encoding: xchunked'],
      ['content-length: -1'],
      ['content-length: 3, 3'],
    ]) {
      const answer = await answerTo(`${head('POST', '/proxy-api/own/e/x', headers)}0\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /, headers.join());
    }
    assert.equal(received.length, before);
  });

  test('no request asks for another protocol: WebSockets are refused by name', async () => {
    const before = received.length;
    const upgrade = [
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: eA==',
    ];
    for (const path of ['/proxy-api/own/e/x', '/v1/realtime?tfyProviderName=oai']) {
      const answer = await answerTo(head('GET', path, upgrade));
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.match(answer, /WebSockets/);
    }
    assert.equal(received.length, before);
  });

  test('a request smuggles no header by a line break, and a head that is too large is refused', async () => {
    const fold = await answerTo(head('GET', '/proxy-api/own/e/x', ['x-a: 1\r\n x-token: theirs', 'connection: close']));
    assert.ok(!/x-token: theirs/.test(received.at(-1)?.head ?? ''), fold);
    const client = await RawClient.open(gateway);
    client.send(head('GET', '/proxy-api/own/e/x', [`x-large: ${'a'.repeat(200_000)}`]));
    await client.closed;
    assert.match(client.text(), /^HTTP\/1\.1 431 |^$/);
    for (const method of ['TRACE', 'CONNECT', 'OPTIONS', 'PROPFIND']) {
      assert.match(await answerTo(head(method, '/proxy-api/own/e/x')), /^HTTP\/1\.1 (405|[45]..) /, method);
    }
    await nothingInFlight();
  });
});

describe('a provider that does not do as it should', () => {
  test('a provider that switches protocols, says nonsense or nothing is an error of its own', async () => {
    scripts['switch'] = ({ socket }) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    scripts['nonsense'] = ({ socket }) => socket.end('garbage\r\n\r\n');
    scripts['both'] = ({ socket }) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n');
    scripts['silent'] = () => {};
    scripts['headless'] = ({ socket }) => socket.destroy();
    for (const [path, status] of [
      ['switch', 502],
      ['nonsense', 502],
      ['both', 502],
      ['headless', 502],
      ['silent', 504],
    ] as const) {
      const answer = await answerTo(head('GET', `/proxy-api/own/e/${path}`));
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), path);
      assert.ok(!answer.includes(SECRET));
    }
    await nothingInFlight();
  });

  test('a provider that goes silent in the middle is cut, and its client does not take that for a whole answer', async () => {
    scripts['half'] = ({ socket }) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
    const client = await RawClient.open(gateway);
    client.send(head('GET', '/proxy-api/own/e/half', ['x-request-id: half-1']));
    await client.closed;
    assert.ok(!client.text().endsWith('0\r\n\r\n'));
    assert.ok(!/content-length/i.test(client.text()));
    assert.equal((await recordOf(gateway, 'half-1'))['error.type'], 'idle_timeout');
  });

  test('a provider cannot set a header of the gateway, nor split its own', async () => {
    scripts['forge'] = ({ socket }) =>
      socket.end(
        'HTTP/1.1 200 OK\r\nx-sluice-exchange-id: forged\r\nset-cookie: a=b\r\nx-a: b\u0001c\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok',
      );
    const answer = await answerTo(head('GET', '/proxy-api/own/e/forge'));
    assert.ok(!/forged|set-cookie|\u0001/.test(answer), answer);
  });

  test('a provider that answers before it has read the body is heard, and the rest of the body is dropped', async () => {
    scripts['early'] = ({ socket }) =>
      socket.write(
        'HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"too":"much"}'.slice(
          0,
          -1,
        ) + '}',
      );
    const client = await RawClient.open(gateway);
    client.send(head('POST', '/proxy-api/own/e/early', ['content-length: 3000000', 'content-type: a/b']));
    client.send(randomBytes(1_000_000));
    await client.until((text) => text.includes('much'));
    assert.match(client.text(), /^HTTP\/1\.1 413 /);
    client.leave();
    await nothingInFlight();
  });

  test('a provider that is not there is told at once, in the middle of an upload too', async () => {
    const client = await RawClient.open(gateway);
    client.send(head('POST', '/proxy-api/own/dead/x', ['content-length: 5000000', 'content-type: a/b']));
    client.send(randomBytes(100_000));
    await client.until((text) => text.includes('connect_failed'));
    assert.match(client.text(), /^HTTP\/1\.1 502 /);
    client.leave();
    await nothingInFlight();
  });
});

describe('a client that does not do as it should', () => {
  test('a client that leaves ends the attempt, before, in and behind its body', async () => {
    scripts['wait'] = () => {};
    scripts['stream'] = ({ socket }) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
    for (const [path, headers, body] of [
      ['wait', [], ''],
      ['stream', [], ''],
      ['wait', ['content-length: 1000', 'content-type: a/b'], 'half of it'],
    ] as const) {
      const before = received.length;
      const client = await RawClient.open(gateway);
      const id = `left-${path}-${body.length}`;
      client.send(head(body ? 'POST' : 'GET', `/proxy-api/own/e/${path}`, [...headers, `x-request-id: ${id}`]) + body);
      await eventually('the endpoint was asked', () => received.length > before);
      if (path === 'stream') await client.until((text) => text.includes('half'));
      client.leave();
      await eventually('its connection is closed', () => received.at(-1)!.closed);
      assert.equal((await recordOf(gateway, id))['error.type'], 'client_closed');
    }
    await nothingInFlight();
  });

  test('a client that sends its body too slowly is told so, and the endpoint does not take it for whole', async () => {
    scripts['slow'] = () => {};
    const client = await RawClient.open(gateway);
    client.send(
      `${head('POST', '/proxy-api/own/e/slow', ['transfer-encoding: chunked', 'content-type: a/b'])}3\r\nabc\r\n`,
    );
    await client.until((text) => text.includes('body_timeout'));
    assert.match(client.text(), /^HTTP\/1\.1 408 /);
    await eventually('its connection is closed', () => received.at(-1)!.closed);
    client.leave();
    await nothingInFlight();
  });

  test('a client that sends faster than the endpoint takes is slowed, and one that reads nothing slows the endpoint', {
    skip: noProc,
  }, async (t) => {
    scripts['deaf'] = ({ socket }) => socket.pause();
    scripts['flood'] = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n');
      const piece = Buffer.alloc(1_000_000, 97);
      let left = 200;
      const more = (): void => {
        while (left > 0 && !socket.destroyed) {
          left -= 1;
          if (!socket.write(piece)) {
            socket.once('drain', more);
            return;
          }
        }
      };
      more();
    };
    // What the process grows by for good with the first large bodies is no one's.
    scripts['warm'] = ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 8000002\r\nconnection: close\r\n\r\n');
      socket.end(`${'a'.repeat(8_000_000)}ok`);
    };
    for (let turn = 0; turn < 3; turn += 1) await answerTo(head('GET', '/proxy-api/own/e/warm'));
    const grown = await leastOf(ALLOWED_MIB, async () => {
      const [before, asked] = [await residentMib(gateway), received.length];
      const uploading = await RawClient.open(gateway);
      uploading.send(head('POST', '/proxy-api/own/e/deaf', ['content-length: 200000000', 'content-type: a/b']));
      uploading.socket.write(Buffer.alloc(50_000_000, 98));
      const reading = await RawClient.open(gateway);
      reading.socket.pause();
      reading.send(head('GET', '/proxy-api/own/e/flood'));
      const underWay = () => received.slice(asked).filter(({ head: each }) => /deaf|flood/.test(each)).length;
      await eventually('both are under way', () => underWay() === 2);
      // As long as the waits allow.
      await uploading.until((text) => text.includes('"error"'));
      const mib = (await residentMib(gateway)) - before;
      t.diagnostic(`${Math.round(mib)} MiB`);
      uploading.leave();
      reading.leave();
      await nothingInFlight();
      return mib;
    });
    assert.ok(grown < ALLOWED_MIB, `${grown} MiB`);
  });
});

test('no secret of an account is in the log after all of this', () => {
  assert.ok(!gateway.output().includes(SECRET));
  assert.ok(!gateway.output().includes(KEY));
  assert.ok(!gateway.output().includes('internal_error'), gateway.output());
});
