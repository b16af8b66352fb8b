import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { test } from 'node:test';
import type { Dispatcher } from 'undici';
import { readCoalescer } from '../../../src/upstream/read-coalescer.ts';
import { EVENTS_HEAD, httpChunk, wholeAnswer } from '../../support/raw-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const chunksOf = (heard: HeardAttempt) => heard.heard.filter(([what]) => what === 'chunk');

test('the HTTP chunks of one read are handed on as one, with their number, before the end that came with them', async () => {
  const pieces = Array.from({ length: 100 }, (_, i) => `data: {"number":${i}}\n\n`);
  const provider = await provide((socket) => {
    socket.write(`${EVENTS_HEAD}${pieces.map(httpChunk).join('')}0\r\n\r\n`);
  });
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.deepEqual(heard.heard.slice(1), [['chunk', pieces.join(''), 100], ['ended']]);
});

test('an answer that the network cut in any place arrives as it was sent', async () => {
  const made = pools();
  let answer = '';
  const provider = await provide(async (socket) => {
    const wire = Buffer.from(`${EVENTS_HEAD}${framed(answer)}0\r\ntrailer: x\r\n\r\n`, 'latin1');
    for (let at = 0; at < wire.length; ) {
      const next = at + randomInt(1, 5_000);
      socket.write(wire.subarray(at, next));
      at = next;
      if (randomInt(2) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
  for (let round = 0; round < 20; round += 1) {
    answer = randomBytes(40_000).toString('latin1');
    const heard = await new HeardAttempt(made, provider.origin).over();
    assert.deepEqual(heard.heard.at(-1), ['ended']);
    assert.ok(heard.text() === answer);
  }
  assert.equal(provider.accepted(), 1);
});

/** In HTTP chunks of one byte to some thousands, some of them with an extension. */
function framed(text: string): string {
  let wire = '';
  for (let at = 0; at < text.length; ) {
    const piece = text.slice(at, at + randomInt(1, randomInt(2) === 0 ? 10 : 3_000));
    at += piece.length;
    wire += `${piece.length.toString(16)}${randomInt(3) === 0 ? ';name=value' : ''}\r\n${piece}\r\n`;
  }
  return wire;
}

test('bytes from before a provider broke off, or broke the protocol, are heard before the failure', async () => {
  for (const [behind, code] of [
    ['', 'upstream_cut'],
    ['zz\r\n', 'upstream_protocol'],
  ] as const) {
    const provider = await provide((socket) => {
      socket.end(`${EVENTS_HEAD}${httpChunk('one ')}${httpChunk('two')}${behind}`);
    });
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.deepEqual(chunksOf(heard), [['chunk', 'one two', 2]]);
    assert.equal(heard.error?.code, code);
  }
});

test('a reader that pauses gets no more than was read, until it resumes', async () => {
  const read = Array.from({ length: 50 }, () => 'x'.repeat(200));
  let write = (): void => {};
  const provider = await provide((socket) => {
    write = () => void socket.write(read.map(httpChunk).join(''));
    socket.write(EVENTS_HEAD);
    write();
  });
  const heard = new HeardAttempt(pools(), provider.origin);
  heard.chunk = (bytes, pieces) => {
    HeardAttempt.prototype.chunk.call(heard, bytes, pieces);
    heard.attempt.pause();
  };
  await heard.until(() => heard.text().length >= 10_000);
  for (let i = 0; i < 5; i += 1) {
    write();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(heard.text().length, 10_000);
  heard.chunk = HeardAttempt.prototype.chunk;
  heard.attempt.resume();
  await heard.until(() => heard.text().length === 60_000);
  heard.attempt.abort();
});

test('a reader that resumes from within the end of a read hears all of it, in order', async () => {
  const writes = ['<1a> <1b>', '<2a> <2b> <2c>', '<3a> <3b>', '<4a>'];
  let write = (): void => {};
  const provider = await provide((socket) => {
    socket.write(EVENTS_HEAD);
    write = () => {
      const pieces = writes.shift();
      if (pieces) socket.write(pieces.split(' ').map(httpChunk).join(''));
      else socket.write('0\r\n\r\n');
    };
    write();
  });
  const heard = new HeardAttempt(pools(), provider.origin);
  heard.chunk = (bytes, pieces) => {
    const first = heard.text() === '';
    HeardAttempt.prototype.chunk.call(heard, bytes, pieces);
    heard.attempt.pause();
    if (first) setTimeout(() => heard.attempt.resume(), 15);
    else heard.attempt.resume();
  };
  await heard.until(() => heard.text() !== '');
  for (let i = 0; i < 4; i += 1) {
    write();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await heard.over();
  assert.equal(heard.text(), '<1a><1b><2a><2b><2c><3a><3b><4a>');
  assert.deepEqual(heard.heard.at(-1), ['ended']);
});

test('a read that was mostly framing is not kept for the few bytes in it', async () => {
  const provider = await provide((socket) => {
    const chunk = `1;name=${'x'.repeat(100)}\r\ny\r\n`;
    socket.write(`${EVENTS_HEAD}${chunk.repeat(500)}0\r\n\r\n`);
  });
  const kept: Buffer[] = [];
  const heard = new HeardAttempt(pools(), provider.origin);
  heard.chunk = (bytes) => void kept.push(bytes);
  await heard.over();
  assert.equal(Buffer.concat(kept).toString(), 'y'.repeat(500));
  for (const { buffer } of kept) assert.ok(buffer.byteLength <= Buffer.poolSize, `${buffer.byteLength} bytes are kept`);
});

test('an answer of declared length is handed on as it comes', async () => {
  const provider = await provide((socket) => void socket.write(wholeAnswer({ a: 'b' })));
  const heard = await new HeardAttempt(pools(), provider.origin).over();
  assert.deepEqual(chunksOf(heard), [['chunk', '{"a":"b"}', 1]]);
});

test('bytes from outside the current read come behind those that were taken of it', async () => {
  const heard = new HeardAttempt(pools(), (await provide(() => {})).origin);
  const controller = {} as Dispatcher.DispatchController;
  const read = Buffer.from('[1]one[2]two');
  readCoalescer.begin(read);
  heard.attempt.onResponseData(controller, read.subarray(3, 6));
  heard.attempt.onResponseData(controller, read.subarray(9));
  heard.attempt.onResponseData(controller, Buffer.from('three'));
  readCoalescer.end();
  assert.deepEqual(heard.heard, [
    ['chunk', 'onetwo', 2],
    ['chunk', 'three', 1],
  ]);
  heard.attempt.abort();
});

test('only bytes of the current read, in order and for one taker, are joined, and memory around them is not touched', () => {
  const delivered: [string, number][] = [];
  const taker = { deliver: (bytes: Buffer, pieces: number) => void delivered.push([bytes.toString(), pieces]) };
  const other = { deliver: () => assert.fail('nothing was taken for it') };
  const around = Buffer.from('before[1]one[2]two[3]three|after');
  const memory = around.subarray(6, around.indexOf('|'));
  const at = (text: string) => memory.subarray(memory.indexOf(text), memory.indexOf(text) + text.length);
  assert.equal(readCoalescer.take(taker, at('one')), false, 'there is no present read');
  readCoalescer.begin(memory);
  assert.ok(readCoalescer.take(taker, at('one')));
  assert.equal(readCoalescer.take(taker, Buffer.from('elsewhere')), false);
  assert.equal(readCoalescer.take(taker, around.subarray(0, 6)), false, 'the same memory, not of this read');
  assert.equal(
    readCoalescer.take(taker, around.subarray(around.length - 5)),
    false,
    'the same memory, not of this read',
  );
  assert.equal(readCoalescer.take(other, at('two')), false, 'one taker a read');
  assert.ok(readCoalescer.take(taker, at('two')));
  assert.equal(readCoalescer.take(taker, at('[1]')), false, 'behind what was taken only');
  readCoalescer.deliver(other);
  readCoalescer.deliver(taker);
  assert.ok(readCoalescer.take(taker, at('three')));
  readCoalescer.end();
  assert.deepEqual(delivered, [
    ['onetwo', 2],
    ['three', 1],
  ]);
  assert.match(around.toString(), /^before\[1\]onetwo.*three\|after$/);
  readCoalescer.end();
  assert.equal(delivered.length, 2);
});
