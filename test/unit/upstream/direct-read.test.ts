import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { directRead, readDirectly } from '../../../src/upstream/direct-read.ts';
import { UnaskedContinue } from '../../../src/upstream/unasked-continue.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

/** Both ends of one connection, ours as undici gets it. */
async function connection(t: TestContext): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ours = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', onread: directRead });
  const [theirs] = (await once(server, 'connection')) as [Socket];
  t.after(() => {
    ours.destroy();
    theirs.destroy();
    server.close();
  });
  readDirectly(ours, new UnaskedContinue());
  return { ours, theirs };
}

/** Reads as undici does: until there is nothing, unless it is paused. */
class Reader {
  paused = false;
  received = '';
  ended = false;
  /** How much of the next read is given back, as undici does where its parser pauses in the middle. */
  givesBack = 0;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('readable', () => this.more());
    socket.on('end', () => {
      this.ended = true;
    });
  }

  more(): void {
    while (!this.paused) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk === null) return;
      const taken = chunk.length - Math.min(this.givesBack, chunk.length);
      this.received += chunk.toString('latin1', 0, taken);
      if (taken === chunk.length) continue;
      this.givesBack = 0;
      this.paused = true;
      this.#socket.unshift(chunk.subarray(taken));
    }
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test('bytes of a provider are handed over in the turn in which they came, past the queue of Node’s streams', async (t) => {
  const { ours, theirs } = await connection(t);
  const queued = t.mock.method(ours, 'push');
  const reader = new Reader(ours);
  for (const piece of ['one ', 'two ', 'three']) {
    theirs.write(piece);
    await until(() => reader.received.endsWith(piece));
  }
  assert.equal(reader.received, 'one two three');
  assert.equal(queued.mock.callCount(), 0);
});

test('bytes that are not taken at once are followed by later ones, and by the end only then', async (t) => {
  const { ours, theirs } = await connection(t);
  const reader = new Reader(ours);
  reader.givesBack = 3;
  theirs.write('first');
  await until(() => reader.received === 'fi');
  theirs.write(' second');
  await until(() => ours.readableLength === 3 + 7);
  theirs.end(' third');
  await until(() => ours.readableLength === 3 + 7 + 6);
  // The end came as well, and is not told before what came before it was taken.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(reader.ended, false);
  reader.paused = false;
  reader.more();
  await until(() => reader.ended);
  assert.equal(reader.received, 'first second third');
});

test('a reader that takes nothing holds a bounded queue, and its provider back', async (t) => {
  const { ours, theirs } = await connection(t);
  const reader = new Reader(ours);
  reader.paused = true;
  const sent = randomBytes(16 << 20).toString('latin1');
  theirs.end(sent, 'latin1');
  await until(() => ours.readableLength > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(ours.readableLength <= 256 << 10, `${ours.readableLength} bytes wait`);
  assert.ok(theirs.writableLength > 0, 'the provider was not held back');
  reader.paused = false;
  reader.more();
  await until(() => reader.ended);
  assert.ok(reader.received === sent);
});

test('a chunk is the reader’s own: later reads do not change it', async (t) => {
  const { ours, theirs } = await connection(t);
  const chunks: Buffer[] = [];
  ours.on('readable', () => {
    for (let chunk: Buffer | null = ours.read(); chunk !== null; chunk = ours.read()) chunks.push(chunk);
  });
  for (const piece of ['aaaa', 'bbbb', 'cccc']) {
    theirs.write(piece);
    await until(() => chunks.at(-1)?.toString() === piece);
  }
  assert.equal(Buffer.concat(chunks).toString(), 'aaaabbbbcccc');
});

test('an error thrown by a reader leaves the socket as it was, and what comes next is handed over', async (t) => {
  const { ours, theirs } = await connection(t);
  ours.once('readable', () => {
    throw new Error('a bug');
  });
  assert.throws(() => directRead.callback.call(ours, 4, directRead.buffer as Uint8Array), /a bug/);
  const reader = new Reader(ours);
  const queued = t.mock.method(ours, 'push');
  theirs.write('two');
  await until(() => reader.received === 'two');
  assert.equal(queued.mock.callCount(), 0);
});

test('an answer paused at every turn of the loop arrives whole', async () => {
  const sent = randomBytes(3 << 20).toString('base64');
  const provider = await provide((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${sent.length}\r\n\r\n`);
    socket.write(sent);
  });
  const heard = new HeardAttempt(pools(), provider.origin);
  const pausing = setInterval(() => {
    if (heard.attempt.paused) heard.attempt.resume();
    else heard.attempt.pause();
  }, 0);
  await heard.over();
  clearInterval(pausing);
  assert.ok(heard.text() === sent);
});
