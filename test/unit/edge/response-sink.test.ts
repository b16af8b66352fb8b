import {
  App,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from 'uWebSockets.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import { UwsResponseSink } from '../../../src/edge/response-sink.ts';

/** The addon's buffer for one corked send. */
const CORK_BYTES = 16_384;
const HIGH_WATERMARK = 65_536;

/** Real answers of the addon on a real socket; what is given to it within one cork is counted on the way. */
let app: TemplatedApp;
let listening: us_listen_socket | false;
let port: number;
/** Bytes within each cork so far, except of what the addon gives back when it does not fit. */
let corks: number[];
let answered: number;
let closesAfterAnswer: boolean;
/** The kernel takes nothing of the next answer with a declared length. */
let refuses: boolean;
/** What the sink said of the connection when its answer ended. */
let closing: UwsResponseSink['closing'];
/** Called in a turn after the request's. */
let write: (sink: UwsResponseSink) => void;
/** Called within the addon's callback. */
let within: (sink: UwsResponseSink) => void;
before(async () => {
  app = App();
  app.get('/*', (response) => {
    const sink: UwsResponseSink = new UwsResponseSink(counting(response), HIGH_WATERMARK, {
      closesAfterAnswer,
      ended: () => {
        answered += 1;
        closing = sink.closing;
      },
      answered: () => {
        answered += 1;
      },
    });
    response.onAborted(() => sink.abandon());
    within(sink);
    setImmediate(() => write(sink));
  });
  listening = await new Promise((resolve) => app.listen('127.0.0.1', 0, resolve));
  assert.ok(listening);
  port = us_socket_local_port(listening);
});
after(() => {
  if (listening) us_listen_socket_close(listening);
});
beforeEach(() => {
  corks = [];
  write = () => {};
  within = () => {};
  answered = 0;
  closesAfterAnswer = false;
  refuses = false;
});

function counting(response: HttpResponse): HttpResponse {
  let corked: number | undefined;
  const add = (bytes: number): void => {
    if (corked !== undefined) corked += bytes;
  };
  const size = (value: string | Uint8Array | undefined): number => (value === undefined ? 0 : Buffer.byteLength(value));
  const counted = {
    writeStatus: (status: string) => {
      // With date, mark and framing, which the addon adds to a head.
      add('HTTP/1.1 \r\n'.length + size(status) + 37 + 17 + 38 + 4);
      response.writeStatus(status);
    },
    writeHeader: (name: string, value: string) => {
      add(size(name) + size(value) + 4);
      response.writeHeader(name, value);
    },
    write: (body: Uint8Array) => {
      add(body.length + 4 + body.length.toString(16).length);
      return response.write(body);
    },
    end: (body?: Uint8Array, closes?: boolean) => {
      add(size(body) + 7);
      response.end(body, closes);
    },
    getWriteOffset: () => response.getWriteOffset(),
    tryEnd: (body: Uint8Array, total: number) => {
      if (!refuses) return response.tryEnd(body, total);
      refuses = false;
      return [false, false];
    },
    cork: (run: () => void) => {
      corked = 0;
      response.cork(run);
      corks.push(corked);
      corked = undefined;
    },
    onWritable: (handler: (offset: number) => boolean) => response.onWritable(handler),
    pause: () => response.pause(),
    resume: () => response.resume(),
    close: () => response.close(),
  };
  return counted as unknown as HttpResponse;
}

async function answer(headers = {}): Promise<IncomingMessage> {
  const sent = request({ port, host: '127.0.0.1', agent: false, headers });
  sent.end();
  const [response] = await once(sent, 'response');
  return response;
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  assert.ok(response.complete, 'the answer was cut');
  return Buffer.concat(pieces);
}

/** No two places of it look alike. */
function numbered(bytes: number): Buffer {
  const all = Buffer.allocUnsafe(Math.ceil(bytes / 8) * 8);
  for (let at = 0; at < all.length; at += 8) all.write(at.toString(36).padStart(8, '.'), at, 'latin1');
  return all.subarray(0, bytes);
}

const HEAD = ['content-type', 'text/plain'];

describe('no cork holds more than the addon’s buffer for it, so that nothing of it is lost when the client is behind', () => {
  for (const bytes of [1, 1000, 16_000, 16_384, 16_400, 20_000, 65_536, 1_000_000]) {
    test(`chunks of ${bytes} bytes leave in corks within the addon’s buffer, so that none is lost to a client that is behind`, async () => {
      const body = numbered(Math.max(bytes * 3, 100_000));
      write = (sink) => {
        sink.start(200, HEAD);
        for (let at = 0; at < body.length; at += bytes) sink.write(body.subarray(at, at + bytes));
        sink.end();
      };
      const received = await read(await answer());
      assert.ok(received.equals(body));
      assert.ok(corks.length > 0 && Math.max(...corks) <= CORK_BYTES, `corks of ${corks.join(', ')} bytes`);
      assert.equal(answered, 1);
    });

    test(`${bytes} bytes at once leave in corks within the addon’s buffer, so that none is lost to a client that is behind`, async () => {
      const body = numbered(bytes);
      write = (sink) => {
        sink.start(200, HEAD);
        sink.end(body);
      };
      const response = await answer();
      assert.equal(response.headers['content-length'], String(bytes));
      assert.ok((await read(response)).equals(body));
      assert.ok(Math.max(...corks) <= CORK_BYTES, `corks of ${corks.join(', ')} bytes`);
      assert.equal(answered, 1);
    });
  }

  for (const bytes of [3000, 7000, 7900, 8000]) {
    test(`a head of ${bytes} characters of two bytes leaves in corks within the addon’s buffer`, async () => {
      const body = numbered(40_000);
      write = (sink) => {
        sink.start(200, [...HEAD, 'x-long', 'é'.repeat(bytes)]);
        sink.write(body);
        sink.end();
      };
      const response = await answer();
      assert.equal(response.headers['x-long']?.length, bytes * 2);
      assert.ok((await read(response)).equals(body));
      assert.ok(Math.max(...corks) <= CORK_BYTES, `corks of ${corks.join(', ')} bytes`);
    });
  }

  test('an answer in the turn of its request leaves in the next turn, out of the addon’s own cork', async () => {
    const body = numbered(40_000);
    const order: string[] = [];
    within = (sink) => {
      setImmediate(() => order.push('next turn'));
      sink.waitForNextTurn();
      sink.start(200, HEAD);
      sink.end(body);
      process.nextTick(() => queueMicrotask(() => order.push(`${corks.length} sent behind the callback`)));
    };
    assert.ok((await read(await answer())).equals(body));
    assert.deepEqual(order, ['0 sent behind the callback', 'next turn']);
    assert.equal(answered, 1);
  });

  test('an empty chunk sends nothing', async () => {
    write = (sink) => {
      sink.start(200, HEAD);
      sink.write(numbered(0));
      sink.end(numbered(0));
    };
    const response = await answer();
    assert.equal(response.headers['content-length'], '0');
    assert.equal((await read(response)).length, 0);
  });

  test('all writes of one turn leave as one send', async () => {
    write = (sink) => {
      sink.start(200, HEAD);
      for (let index = 0; index < 100; index += 1) sink.write(numbered(100));
      sink.end();
    };
    assert.equal((await read(await answer())).length, 10_000);
    assert.equal(corks.length, 1);
  });
});

describe('a client that is behind gets all of it', () => {
  const body = numbered(12_000_000);

  /** All of `body` at once, of which the client has read the head only. */
  async function unreadWhole(): Promise<{ sink: UwsResponseSink; response: IncomingMessage }> {
    let sink!: UwsResponseSink;
    write = (own) => {
      sink = own;
      sink.start(200, HEAD);
      sink.end(body);
    };
    const response = await answer();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(answered, 0);
    assert.ok(sink.blockedSince > 0);
    return { sink, response };
  }

  test('a client that is behind gets all of an answer with a declared length, which ends when its last byte has left', async () => {
    const { sink, response } = await unreadWhole();
    assert.equal(response.headers['content-length'], String(body.length));
    assert.ok((await read(response)).equals(body));
    assert.equal(answered, 1);
    assert.equal(sink.blockedSince, 0);
  });

  test('a client that is behind gets all of an answer in pieces, whatever others were answered meanwhile', async () => {
    const pieces = [numbered(9_000), numbered(9_001), numbered(9_002)];
    const inPieces = (sink: UwsResponseSink, parts: readonly Buffer[]): void => {
      sink.start(200, HEAD);
      for (const part of parts) sink.write(part);
      sink.end();
    };
    let behind: UwsResponseSink | undefined;
    write = (sink) => {
      behind = sink;
      refuses = true;
      inPieces(sink, pieces);
    };
    const late = answer();
    while (behind === undefined || behind.blockedSince === 0) await new Promise((resolve) => setImmediate(resolve));
    write = (sink) => inPieces(sink, [Buffer.alloc(14_000, 'x'), Buffer.alloc(15_000, 'y')]);
    assert.equal((await read(await answer())).length, 29_000);
    behind.keepOpen();
    assert.ok((await read(await late)).equals(Buffer.concat(pieces)));
  });

  test('a client that is behind gets all of a stream, which ends when all but its end has left', async () => {
    let sink!: UwsResponseSink;
    let at = 0;
    write = (own) => {
      sink = own;
      sink.start(200, HEAD);
      const more = (): void => {
        while (at < body.length) {
          const piece = body.subarray(at, at + 18_000);
          at += piece.length;
          if (!sink.write(piece)) {
            sink.onDrained = more;
            return;
          }
        }
        sink.end();
      };
      more();
    };
    const response = await answer();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(at < body.length && sink.blockedSince > 0);
    assert.ok((await read(response)).equals(body));
    assert.equal(answered, 1);
  });

  test('a client that is behind gets all of a cut stream, to the last byte before the cut', async () => {
    write = (sink) => {
      sink.start(200, HEAD);
      sink.write(body);
      sink.cut();
    };
    const response = await answer();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const pieces: Buffer[] = [];
    await assert.rejects(async () => {
      for await (const piece of response) pieces.push(piece);
    }, /aborted/);
    assert.ok(Buffer.concat(pieces).subarray(0, body.length).equals(body));
    assert.ok(!response.complete);
    assert.equal(answered, 1);
  });

  for (const kind of ['with a declared length', 'in chunks'] as const) {
    test(`a client that reads a little of an answer ${kind} is seen to read, although the kernel does not say so`, async () => {
      let sink!: UwsResponseSink;
      write = (own) => {
        sink = own;
        sink.start(200, HEAD);
        if (kind === 'in chunks') sink.write(body.subarray(0, 1000));
        setImmediate(() => sink.end(body.subarray(sink.bytesOut)));
      };
      const response = await answer();
      // Until the kernels on the way are full.
      let since: number;
      do {
        await new Promise((resolve) => setTimeout(resolve, 100));
        since = sink.blockedSince;
        sink.keepOpen();
      } while (since === 0 || sink.blockedSince > since);
      let read = 0;
      while (read < 1_500_000) {
        const piece: Buffer | null = response.read(65_536);
        if (piece) read += piece.length;
        else await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      sink.keepOpen();
      assert.ok(sink.blockedSince > since, 'what was read meanwhile was not seen');
      response.resume();
      await once(response, 'end');
      assert.ok(response.complete);
      assert.equal(answered, 1);
    });
  }

  test('a client that leaves while it is behind is released', async () => {
    const { sink, response } = await unreadWhole();
    response.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(answered, 0);
    // After an abort the addon throws on every touch.
    sink.flush();
    sink.keepOpen();
    sink.close();
  });
});

describe('where an answer shall be the last of its connection', () => {
  const large = Buffer.alloc(3 * CORK_BYTES, 'l');
  for (const [what, send, expected] of [
    ['a short whole one', (sink: UwsResponseSink) => sink.end(Buffer.from('short')), 'left'],
    ['an empty one', (sink: UwsResponseSink) => sink.end(), 'left'],
    ['a long whole one', (sink: UwsResponseSink) => sink.end(large), 'left'],
    [
      'a stream',
      (sink: UwsResponseSink) => {
        sink.write(Buffer.from('one'));
        setImmediate(() => sink.end(Buffer.from('two')));
      },
      'now',
    ],
    [
      'a long stream',
      (sink: UwsResponseSink) => {
        sink.write(large);
        setImmediate(() => sink.end(Buffer.from('two')));
      },
      'left',
    ],
  ] as const) {
    test(`${what} says in its head, once, that it is the last of its connection, and is whole`, async () => {
      closesAfterAnswer = true;
      write = (sink) => {
        sink.start(200, ['content-type', 'text/plain']);
        send(sink);
      };
      // Where the client asks for it the addon says nothing.
      const response = await answer({ connection: 'keep-alive' });
      await read(response);
      const said = response.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'connection');
      assert.equal(said.length, 1);
      assert.equal(response.headers.connection, 'close');
      assert.equal(closing, expected);
      assert.equal(answered, 1);
    });
  }
});
