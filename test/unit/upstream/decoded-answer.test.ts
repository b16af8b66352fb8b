import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const TEXT = JSON.stringify({
  text: 'Grüße 🌍 '.repeat(20_000),
  noise: Buffer.alloc(200_000, 'q7').toString('base64'),
});
const encoders = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  'GZip ': gzipSync,
  deflate: deflateSync,
  ' deflate': deflateRawSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

function head(encoding: string, framing: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: ${encoding}\r\n${framing}\r\n`;
}

function sendChunk(socket: Socket, bytes: Buffer): void {
  socket.write(`${bytes.length.toString(16)}\r\n`);
  socket.write(bytes);
  socket.write('\r\n');
}

const utf8 = (heard: HeardAttempt): string => Buffer.from(heard.text(), 'latin1').toString();

describe('an answer that the provider compressed is heard as it was before', () => {
  for (const [encoding, encode] of Object.entries(encoders)) {
    test(`an answer compressed in ${encoding} is heard with a length, in chunks, and to the end of the connection`, async () => {
      const bytes = encode(TEXT);
      const framings: Record<string, (socket: Socket) => void> = {
        length: (socket) => {
          socket.write(head(encoding, `content-length: ${bytes.length}\r\n`));
          socket.write(bytes);
        },
        chunks: (socket) => {
          socket.write(head(encoding, 'transfer-encoding: chunked\r\n'));
          for (let at = 0; at < bytes.length; at += 1000) sendChunk(socket, bytes.subarray(at, at + 1000));
          socket.write('0\r\n\r\n');
        },
        end: (socket) => {
          socket.write(head(encoding, ''));
          socket.end(bytes);
        },
      };
      for (const [framing, send] of Object.entries(framings)) {
        const provider = await provide(send);
        const heard = await new HeardAttempt(pools(), provider.origin).over();
        assert.equal(heard.heard.at(-1)?.[0], 'ended', framing);
        assert.ok(utf8(heard) === TEXT);
        assert.equal(heard.headers['content-encoding'], undefined);
        assert.equal(heard.headers['content-length'], undefined);
        // Whether the answer ends by itself is still told.
        assert.equal(heard.headers['transfer-encoding'] !== undefined, framing !== 'end');
      }
    });
  }
});

test('each event of a compressed stream is heard before the next one is sent', async () => {
  for (const encode of [createGzip, () => createGzip({ level: 0 })]) {
    let next: (() => void) | undefined;
    const provider = await provide((socket) => {
      socket.write(head('gzip', 'transfer-encoding: chunked\r\n'));
      const encoder = encode();
      encoder.on('data', (bytes: Buffer) => sendChunk(socket, bytes));
      encoder.on('end', () => socket.write('0\r\n\r\n'));
      let sent = 0;
      next = () => {
        sent += 1;
        if (sent > 3) encoder.end();
        else {
          encoder.write(`data: ${sent}\n\n`);
          encoder.flush(constants.Z_SYNC_FLUSH);
        }
      };
      next();
    });
    const heard = new HeardAttempt(pools(), provider.origin);
    for (const event of [1, 2, 3]) {
      await heard.until(() => heard.text().endsWith(`data: ${event}\n\n`));
      next?.();
    }
    assert.equal((await heard.over()).error, undefined);
  }
});

test('a paused compressed answer is not heard and not read, however much it grows, and then heard whole', async () => {
  const bytes = gzipSync(Buffer.alloc(60_000_000, 'x'));
  // More than the kernel holds for a connection.
  const noise = gzipSync(randomBytes(30_000_000), { level: 1 });
  for (const [body, length] of [
    [bytes, 60_000_000],
    [noise, 30_000_000],
  ] as const) {
    const sockets: Socket[] = [];
    const provider = await provide((socket) => {
      sockets.push(socket);
      socket.write(head('gzip', `content-length: ${body.length}\r\n`));
      socket.write(body);
    });
    let received = 0;
    const heard = new HeardAttempt(pools(), provider.origin);
    heard.chunk = (piece) => {
      received += piece.length;
      heard.attempt.pause();
      heard.heard.push(['chunk', '']);
    };
    await heard.until(() => heard.heard.length > 0);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    const before = received;
    assert.ok(before <= 2 * 65_536, `${before} bytes were heard although it was paused`);
    if (body === noise) assert.ok(sockets[0]!.writableLength > 0, 'the provider could send all of it');
    const more = setInterval(() => heard.attempt.resume(), 0);
    heard.chunk = (piece) => {
      received += piece.length;
      heard.heard.push(['chunk', '']);
    };
    await heard.over();
    clearInterval(more);
    assert.equal(heard.heard.at(-1)?.[0], 'ended');
    assert.equal(received, length);
  }
});

describe('an answer that cannot be decoded', () => {
  const whole = gzipSync(TEXT);
  test('an answer that cannot be decoded is a fault of the protocol, and its connection is closed', async () => {
    for (const body of [
      Buffer.from('plain text, no gzip'),
      whole.subarray(0, -5),
      Buffer.concat([whole, Buffer.from('more')]),
    ]) {
      const provider = await provide((socket) => {
        socket.write(head('gzip', `content-length: ${body.length}\r\n`));
        socket.write(body);
      });
      const heard = await new HeardAttempt(pools(), provider.origin).over();
      assert.equal(heard.error?.code, 'upstream_protocol');
      assert.equal(heard.heard.filter(([what]) => what === 'failed').length, 1);
    }
  });

  test('a compressed answer whose connection broke is told as that, behind all that could be decoded', async () => {
    const provider = await provide((socket) => {
      socket.write(head('gzip', `content-length: ${whole.length}\r\n`));
      socket.end(whole.subarray(0, -20));
    });
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.error?.code, 'upstream_cut');
    assert.ok(utf8(heard).length > 0 && TEXT.startsWith(utf8(heard).slice(0, -2)));
  });

  test('a compressed answer where nothing came at all is an empty answer', async () => {
    const provider = await provide((socket) => socket.write(head('gzip', 'content-length: 0\r\n')));
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.deepEqual(
      heard.heard.map(([what]) => what),
      ['started', 'ended'],
    );
  });

  test('an answer in a coding that nobody here knows keeps its label', async () => {
    for (const encoding of ['compress', 'gzip, gzip']) {
      const provider = await provide((socket) => {
        socket.write(`${head(encoding, 'content-length: 3\r\n')}abc`);
      });
      const heard = await new HeardAttempt(pools(), provider.origin).over();
      assert.equal(heard.headers['content-encoding'], encoding);
      assert.equal(heard.text(), 'abc');
    }
  });
});

test('an aborted attempt hears nothing more of what is being decoded', async () => {
  const bytes = gzipSync(Buffer.alloc(5_000_000, 'x'));
  const provider = await provide((socket) => {
    socket.write(head('gzip', `content-length: ${bytes.length}\r\n`));
    socket.write(bytes);
  });
  const heard = new HeardAttempt(pools(), provider.origin);
  await heard.until(() => heard.heard.length > 1);
  heard.attempt.abort();
  const count = heard.heard.length;
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(heard.heard.length, count);
});
