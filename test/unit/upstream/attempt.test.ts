import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { deadPort, EVENTS_HEAD, httpChunk, wholeAnswer } from '../../support/raw-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const connection = (origin: string) => ({ origin, credential: 'c' });

test('an answer is heard in order: its head, its pieces, its end', async () => {
  const provider = await provide((socket) => {
    socket.write(`${EVENTS_HEAD}${httpChunk('a')}${httpChunk('bc')}0\r\n\r\n`);
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.equal(heard.status, 200);
  assert.equal(heard.headers['content-type'], 'text/event-stream');
  assert.deepEqual(
    heard.heard.map(([what]) => what),
    ['started', 'chunk', 'ended'],
  );
  assert.equal(heard.text(), 'abc');
  assert.ok(heard.attempt.sentAt > 0);
  assert.ok(heard.attempt.answered);
});

test('a request goes out as it is given, its body piece after piece with a declared length', async () => {
  const bodies: string[] = [];
  const provider = await provide((socket, body) => {
    bodies.push(body);
    socket.write(wholeAnswer({}));
  });
  const body = [Buffer.from('{"a":"'), Buffer.from('ü'.repeat(10)), Buffer.from('"}')];
  await new HeardAttempt(pools(), provider.origin, { body }).over();
  assert.deepEqual(bodies, [Buffer.concat(body).toString('latin1')]);
});

test('1xx answers are for the connection, and not for the caller', async () => {
  const provider = await provide((socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n');
    socket.write(wholeAnswer({ a: 1 }));
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.deepEqual(
    heard.heard.map(([what]) => what),
    ['started', 'chunk', 'ended'],
  );
  assert.equal(heard.status, 200);
  assert.equal(heard.text(), '{"a":1}');
});

test('an attempt that is aborted before it is connected sends nothing, and its place is free when undici releases it', async () => {
  let requests = 0;
  const provider = await provide((socket) => {
    requests += 1;
    socket.write(wholeAnswer({}));
  });
  const made = pools();
  const given = new HeardAttempt(made, provider.origin);
  const { attempt } = given;
  attempt.abort();
  const pool = made.get(connection(provider.origin));
  // undici is connecting for it and holds its body: the place is not free before that is over.
  assert.equal(pool.running, 1);
  await new HeardAttempt(made, provider.origin).over();
  assert.equal(pool.running, 0);
  assert.deepEqual(given.heard, []);
  assert.equal(attempt.sentAt, 0);
  assert.equal(requests, 1, 'only the second was sent');
});

test('an attempt that is aborted while it waits for a connection is never sent', async () => {
  const seen: string[] = [];
  let answer: () => void = () => {};
  const provider = await provide((socket, body) => {
    seen.push(body);
    answer = () => socket.write(wholeAnswer({}));
    if (seen.length > 1) answer();
  });
  const made = pools({ maxUpstreamConnections: 1 });
  const first = new HeardAttempt(made, provider.origin, { body: Buffer.from('first') });
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const second = new HeardAttempt(made, provider.origin, { body: Buffer.from('second') });
  const third = new HeardAttempt(made, provider.origin, { body: Buffer.from('third') });
  assert.equal(made.queued, 2);
  assert.equal(second.attempt.sentAt, 0);
  second.attempt.abort();
  answer();
  await first.over();
  await third.over();
  assert.deepEqual(seen, ['first', 'third']);
  assert.deepEqual(second.heard, []);
  assert.equal(made.get(connection(provider.origin)).running, 0);
});

test('an attempt that is aborted in the middle of its answer calls back no more, and its connection is closed', async () => {
  const provider = await provide((socket) => {
    socket.write(`${EVENTS_HEAD}${httpChunk('a')}`);
  });
  const made = pools();
  const heard = new HeardAttempt(made, provider.origin);
  await heard.until(() => heard.text() === 'a');
  const [socket] = provider.sockets;
  assert.ok(socket);
  const closed = once(socket, 'close');
  heard.attempt.abort();
  await closed;
  assert.equal(heard.heard.length, 2);
  assert.equal(made.get(connection(provider.origin)).running, 0);
});

test('an attempt that is aborted from within its own callback calls back no more', async () => {
  const provider = await provide((socket) => {
    socket.write(`${EVENTS_HEAD}${httpChunk('a')}${httpChunk('b')}0\r\n\r\n`);
  });
  const made = pools();
  const heard = new HeardAttempt(made, provider.origin);
  heard.chunk = (bytes) => {
    HeardAttempt.prototype.chunk.call(heard, bytes);
    heard.attempt.abort();
  };
  await heard.until(() => heard.text() !== '');
  await new HeardAttempt(made, provider.origin).over();
  assert.equal(heard.text(), 'ab');
  assert.equal(heard.heard.length, 2, 'no end of it');
  assert.equal(made.get(connection(provider.origin)).running, 0);
});

test('a pause stops reading from the socket until the provider feels it, and a resume brings every byte', async () => {
  const piece = 'x'.repeat(65_536);
  let full = false;
  const provider = await provide((socket) => {
    socket.write(EVENTS_HEAD);
    let sent = 0;
    const send = (): void => {
      while (sent < 800) {
        sent += 1;
        if (!socket.write(httpChunk(piece)) && sent < 800) {
          full = true;
          socket.once('drain', send);
          return;
        }
      }
      socket.write('0\r\n\r\n');
    };
    send();
  });
  const heard = new HeardAttempt(pools(), provider.origin);
  heard.started = (status, headers) => {
    HeardAttempt.prototype.started.call(heard, status, headers);
    heard.attempt.pause();
  };
  await heard.until(() => heard.status === 200);
  assert.equal(heard.attempt.paused, true);
  // The provider's side is full, and so it stays: nothing more is read here.
  while (!full) await new Promise((resolve) => setImmediate(resolve));
  const [socket] = provider.sockets;
  const pendingBefore = socket?.writableLength ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(socket?.writableLength, pendingBefore);
  assert.ok(heard.text().length < 1_000_000);
  heard.attempt.resume();
  await heard.over();
  assert.equal(heard.text().length, 800 * 65_536);
  assert.equal(heard.heard.at(-1)?.[0], 'ended');
});

test('a port on which nobody listens is connect_failed', async () => {
  const heard = await new HeardAttempt(pools(), `http://127.0.0.1:${await deadPort()}`).over();
  assert.equal(heard.error?.code, 'connect_failed');
  assert.match(heard.error?.message ?? '', /Nothing listens at its address and port \(ECONNREFUSED\)\./);
  assert.equal(heard.attempt.diedReused, false);
});

test('a host that does not exist is connect_failed', async () => {
  const heard = await new HeardAttempt(pools(), 'http://no-such-host.invalid').over();
  assert.equal(heard.error?.code, 'connect_failed');
});

test('an answer that is not HTTP is upstream_protocol, and not taken for a dead connection', async () => {
  for (const garbage of [
    'SSH-2.0-OpenSSH_9.6\r\n',
    'HTTP/1.1 abc\r\n\r\n',
    '\0\0\0\0\0\0\0\0',
    '<html></html>\r\n\r\n',
  ]) {
    const provider = await provide((socket) => {
      socket.write(garbage);
    });
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.error?.code, 'upstream_protocol', JSON.stringify(garbage));
    assert.equal(heard.attempt.diedReused, false);
    assert.equal(heard.heard.length, 1);
  }
});

test('an invalid HTTP chunk in the middle of an answer ends it with an error', async () => {
  const provider = await provide((socket) => {
    socket.write(`${EVENTS_HEAD}${httpChunk('a')}zz\r\n`);
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.equal(heard.text(), 'a');
  assert.ok(heard.error?.code === 'upstream_protocol' || heard.error?.code === 'upstream_cut');
});

test('an endless answer head is refused, and bounded', async () => {
  const provider = await provide((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(200_000)}`);
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.equal(heard.error?.code, 'upstream_protocol');
});

test('a provider that closes instead of answering on a fresh connection is upstream_cut, and not a dead reused one', async () => {
  for (const close of ['end', 'resetAndDestroy'] as const) {
    const provider = await provide((socket) => {
      socket[close]();
    });
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.error?.code, 'upstream_cut');
    assert.equal(heard.attempt.diedReused, false, close);
    assert.equal(heard.attempt.answered, false);
  }
});

test('a reused connection that is closed instead of answered is known as such', async () => {
  for (const close of ['end', 'resetAndDestroy'] as const) {
    const provider = await provide((socket, _body, request) => {
      if (request === 1) socket.write(wholeAnswer({}));
      else socket[close]();
    });
    const made = pools();
    await new HeardAttempt(made, provider.origin).over();
    const heard = await new HeardAttempt(made, provider.origin).over();
    assert.equal(provider.accepted(), 1, 'the connection was reused');
    assert.equal(heard.error?.code, 'upstream_cut');
    assert.equal(heard.attempt.diedReused, true, close);
  }
});

test('a reused connection that brought a part of the answer’s head is not a dead one, since the provider was at work', async () => {
  for (const close of ['end', 'resetAndDestroy'] as const) {
    const provider = await provide((socket, _body, request) => {
      if (request === 1) socket.write(wholeAnswer({}));
      else socket.write('HTTP/1.1 200 OK\r\ncontent-', () => setTimeout(() => socket[close](), 20));
    });
    const made = pools();
    await new HeardAttempt(made, provider.origin).over();
    const heard = await new HeardAttempt(made, provider.origin).over();
    assert.ok(heard.error);
    assert.equal(heard.attempt.diedReused, false, close);
  }
});

test('an answer that breaks off is upstream_cut, whole or in chunks', async () => {
  for (const begun of [
    'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc',
    `${EVENTS_HEAD}${httpChunk('abc')}`,
    `${EVENTS_HEAD}${httpChunk('abc')}0\r\n`,
  ]) {
    const provider = await provide((socket) => {
      socket.end(begun);
    });
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.status, 200);
    assert.equal(heard.text(), 'abc');
    assert.equal(heard.error?.code, 'upstream_cut', begun);
    assert.equal(heard.heard.filter(([what]) => what === 'failed' || what === 'ended').length, 1);
  }
});

test('an answer that was paused at its last byte is whole, although its provider closed behind it', async () => {
  for (const [declared, last] of [
    [6, 'ended'],
    [7, 'failed'],
  ] as const) {
    const provider = await provide((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${declared}\r\n\r\nabc`);
      setTimeout(() => socket.end('def'), 5);
    });
    const heard = new HeardAttempt(pools(), provider.origin);
    heard.chunk = (bytes) => {
      HeardAttempt.prototype.chunk.call(heard, bytes);
      heard.attempt.pause();
      setTimeout(() => heard.attempt.resume(), bytes.toString() === 'abc' ? 1 : 30);
    };
    await heard.over();
    assert.equal(heard.text(), 'abcdef');
    assert.equal(heard.heard.at(-1)?.[0], last);
    if (last === 'failed') assert.equal(heard.error?.code, 'upstream_cut');
  }
});

test('an answer without length and chunks ends with its connection', async () => {
  const provider = await provide((socket) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nabc');
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.equal(heard.heard.at(-1)?.[0], 'ended');
  assert.equal(heard.text(), 'abc');
});

test('bytes beyond the declared length are not part of the answer', async () => {
  const provider = await provide((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil');
  });
  const made = pools();
  const heard = await new HeardAttempt(made, provider.origin).over();
  assert.equal(heard.text(), 'abc');
  const next = await new HeardAttempt(made, provider.origin).over();
  assert.notEqual(next.text(), 'evil', 'an answer nobody asked for is not the next one’s');
});

test('an attempt that is let go is heard no more, and its connection serves again once its transfer has ended', async () => {
  let end = () => {};
  let connections = 0;
  const provider = await provide((socket, body) => {
    if (!body.includes('first')) {
      socket.write(wholeAnswer({}));
      return;
    }
    connections += 1;
    socket.write(`${EVENTS_HEAD}${httpChunk('all')}`);
    end = () => socket.write(`${httpChunk('more')}0\r\n\r\n`);
  });
  const made = pools();
  const first = new HeardAttempt(made, provider.origin, { body: Buffer.from('first') });
  await first.until(() => first.text() === 'all');
  first.attempt.linger();
  const pool = made.get(connection(provider.origin));
  assert.equal(pool.running, 1);
  end();
  while (pool.idle === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(first.text(), 'all');
  assert.deepEqual(first.heard.at(-1)?.[0], 'chunk');
  await new HeardAttempt(made, provider.origin).over();
  assert.equal(connections, 1);
  assert.equal(pool.open, 1, 'the second went over the same connection');
});

test('a provider that does not end the transfer of an answer which is whole loses the connection within bounds', async () => {
  for (const goesOn of [false, true]) {
    let closed = () => {};
    const left = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const provider = await provide((socket) => {
      socket.once('close', closed);
      socket.write(`${EVENTS_HEAD}${httpChunk('all')}`);
      if (goesOn) for (let i = 0; i < 20; i += 1) socket.write(httpChunk('x'.repeat(10_000)));
    });
    const made = pools();
    const heard = new HeardAttempt(made, provider.origin);
    await heard.until(() => heard.text().startsWith('all'));
    heard.attempt.linger();
    heard.attempt.linger();
    await left;
    assert.equal(made.get(connection(provider.origin)).running, 0);
    assert.ok(heard.heard.every(([what]) => what === 'started' || what === 'chunk'));
  }
});
