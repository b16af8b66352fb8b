import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { randomFrom } from '../../support/random.ts';
import { type RawProvider, startRawProvider } from '../../support/raw-provider.ts';
import { limits, timeouts } from '../relay/local-provider.ts';
import { HeardAttempt } from './attempts.ts';

/** Answers as providers send them, and near misses of them. */
const ANSWERS = [
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nt: x\r\n\r\n',
  'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nSET-COOKIE: c\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx',
  'HTTP/1.1 204 No Content\r\nx: y\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n',
  'HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabc',
  'HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\nabc',
  'HTTP/1.1 500 Interner Fehler \xfc\r\nx-\x7a: \t padded \t\r\nempty:\r\ncontent-length:1\r\n\r\nx',
  'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nabc',
  'HTTP/1.1 200 OK\r\nconstructor: x\r\n__proto__: y\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=100\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\ncontent-length: 2\n\nok',
  'HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx : z\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA\r\nhellohello\r\n000\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0a\r\n0123456789\r\n1\r\nd\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nok',
  'HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.1  200 OK\r\ncontent-length: 2\r\n\r\nok',
  '<html>no HTTP at all</html>',
  '\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
];

let provider: RawProvider;
let wire: Buffer = Buffer.alloc(0);
let cut = 0;
const pools = new OriginPools(limits, timeouts);
before(async () => {
  provider = await startRawProvider((socket) => {
    socket.write(wire.subarray(0, cut));
    setImmediate(() => socket.end(wire.subarray(cut)));
  });
});
after(async () => {
  pools.destroy();
  await provider?.[Symbol.asyncDispose]();
});

/** The events of a request. With `te` among its headers it goes through undici. */
async function heardOf(answer: string, at: number, reader: 'ours' | 'undici'): Promise<Told> {
  wire = Buffer.from(answer, 'latin1');
  cut = at;
  const more = { headers: reader === 'ours' ? [] : ['te', 'trailers'] };
  const heard = await new HeardAttempt(pools, provider.origin, more).over();
  // The blanks behind a value are none of it (RFC 9110 §5.5); undici leaves them.
  const headers = Object.fromEntries(
    Object.entries(heard.headers).map(([name, value]) => [name, String(value).trimEnd()]),
  );
  return { status: heard.status, headers, text: heard.text(), end: heard.error?.code ?? 'ended' };
}

type Told = { status: number | undefined; headers: unknown; text: string; end: string };

/** A byte lost, added or changed, or an end too early. */
function damaged(answer: string, random: () => number): string {
  const at = Math.floor(random() * answer.length);
  const byte =
    random() < 0.5 ? String.fromCharCode(Math.floor(random() * 256)) : '\r\n :;0aF,\t'[Math.floor(random() * 10)]!;
  const rest = [answer.slice(at), answer.slice(at + 1), byte + answer.slice(at), byte + answer.slice(at + 1)];
  return answer.slice(0, at) + (random() < 0.2 ? '' : rest[Math.floor(random() * rest.length)]!);
}

test('an answer on a connection of ours is the one that undici reads, damaged in whatever way and cut anywhere', async () => {
  const random = randomFrom(1);
  let accepted = 0;
  for (let round = 0; round < 10 * ANSWERS.length; round += 1) {
    const answer = round < ANSWERS.length ? ANSWERS[round]! : damaged(ANSWERS[round % ANSWERS.length]!, random);
    const at = Math.floor(random() * answer.length);
    const ours = await heardOf(answer, at, 'ours');
    const theirs = await heardOf(answer, at, 'undici');
    // Only HTTP/1 is spoken, and nothing stands before its head; what an extension of a chunk says is of no interest.
    if (/^(?:HTTP\/[^1]|[\r\n])|;[^\r]*[^\w=\r]/.test(answer)) continue;
    // A blank behind a length is none of it (RFC 9110 §5.5).
    if (/content-length:[ \t]*\d+[ \t]+\r/i.test(answer)) continue;
    if (ours.end === 'ended') accepted += 1;
    // undici says that the provider broke off where two lengths contradict each other.
    else if (theirs.end !== 'ended') theirs.end = ours.end;
    assert.deepEqual(ours, theirs, JSON.stringify(answer));
  }
  assert.ok(accepted > 80, String(accepted));
});

test('a request on a connection of ours is the bytes that undici sends', async (t) => {
  const requests: string[] = [];
  let request = '';
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      request += bytes.toString('latin1');
      const [head = '', body = ''] = request.split('\r\n\r\n');
      if (!request.includes('\r\n\r\n') || body.length < Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)) return;
      requests.push(request);
      request = '';
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const more of [
    {},
    { body: undefined },
    { method: 'GET', body: undefined },
    { method: 'DELETE', body: undefined },
    { path: '/v1/models?after=x%20y', headers: ['x-A', 'Å \t b', 'x-A', '', 'host', 'elsewhere:80'] },
    { body: Buffer.alloc(40_000, 'x') },
    { method: 'PUT', body: Buffer.alloc(0) },
  ] as const) {
    const headers = [...(('headers' in more && more.headers) || ['content-type', 'text/plain'])];
    await new HeardAttempt(pools, origin, { ...more, headers }).over();
    await new HeardAttempt(pools, origin, { ...more, headers: [...headers, 'te', 'trailers'] }).over();
    const [theirs = '', ours = ''] = [requests.pop(), requests.pop()];
    assert.equal(ours, theirs.replace('te: trailers\r\n', ''));
  }
});
