import assert from 'node:assert/strict';
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

/** What is heard of it, however it was cut. `te` is a header that undici sends for us. */
async function heardOf(answer: string, at: number, reader: 'ours' | 'undici'): Promise<unknown> {
  wire = Buffer.from(answer, 'latin1');
  cut = at;
  const headers = reader === 'ours' ? [] : ['te', 'trailers'];
  const heard = await new HeardAttempt(pools, provider.origin, { headers }).over();
  return { status: heard.status, headers: heard.headers, text: heard.text(), end: heard.error?.code ?? 'ended' };
}

test('zz', async () => {
  const random = randomFrom(Number(process.env['SEED'] ?? 1));
  const seen = new Set<string>();
  for (let round = 0; round < Number(process.env['ROUNDS'] ?? 300); round += 1) {
    let answer = ANSWERS[round % ANSWERS.length]!;
    if (round >= ANSWERS.length) {
      const at = Math.floor(random() * answer.length);
      const way = Math.floor(random() * 4);
      const byte = random() < 0.5 ? String.fromCharCode(Math.floor(random() * 256)) : '\r\n :;0aF,\t'[Math.floor(random() * 10)]!;
      if (way === 0) answer = answer.slice(0, at);
      else if (way === 1) answer = answer.slice(0, at) + byte + answer.slice(at);
      else if (way === 2) answer = answer.slice(0, at) + byte + answer.slice(at + 1);
      else answer = answer.slice(0, at) + answer.slice(at + 1);
    }
    const at = Math.floor(random() * answer.length);
    const ours = await heardOf(answer, at, 'ours');
    const theirs = await heardOf(answer, at, 'undici');
    try {
      assert.deepEqual(ours, theirs);
    } catch {
      const key = JSON.stringify([ours, theirs]);
      if (seen.size < 60 && !seen.has(key)) console.log(JSON.stringify(answer), '\n   ours', JSON.stringify(ours), '\n   them', JSON.stringify(theirs));
      seen.add(key);
    }
  }
});
