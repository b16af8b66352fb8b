import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnaskedContinue } from '../../../src/upstream/unasked-continue.ts';
import { wholeAnswer } from '../../support/raw-provider.ts';
import { HeardAttempt } from './attempts.ts';
import { pools, provide } from './providers.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

function masked(text: string, heads: UnaskedContinue = expecting()): string {
  const bytes = Buffer.from(text, 'latin1');
  heads.mask(bytes);
  return bytes.toString('latin1');
}

function expecting(): UnaskedContinue {
  const heads = new UnaskedContinue();
  heads.expectHead();
  return heads;
}

test('a 100 is read as 102, however many there are, with headers and between others, however it is cut', () => {
  const early = 'HTTP/1.1 103 Early Hints\r\nlink: </100>\r\n\r\n';
  const answer = `HTTP/1.1 200 OK\r\nx: ${CONTINUE.trim()}\r\n\r\n${CONTINUE}`;
  const text = `${CONTINUE}${early}HTTP/1.0 100 Continue\r\nx: \r\r\n\r\n${CONTINUE}${answer}`;
  const parts = text.split(answer);
  const expected = parts[0]!.replaceAll(/HTTP\/1\.(.) 100/g, 'HTTP/1.$1 102') + answer;
  assert.equal(masked(text), expected);
  for (let cut = 1; cut < text.length; cut += 1) {
    const heads = expecting();
    assert.equal(masked(text.slice(0, cut), heads) + masked(text.slice(cut), heads), expected);
  }
  const heads = expecting();
  assert.equal([...text].map((letter) => masked(letter, heads)).join(''), expected);
});

test('nothing but that head is changed: neither an answer, nor its body, nor what nobody waits for', () => {
  for (const text of [
    wholeAnswer({ a: CONTINUE }),
    'HTTP/1.1 101 Switching\r\n\r\n',
    'HTTP/1.1 110 \r\n\r\n',
    'junk',
    'HTTP/1.1 ',
  ])
    assert.equal(masked(text), text);
  const heads = expecting();
  masked(wholeAnswer({}), heads);
  assert.equal(masked(CONTINUE, heads), CONTINUE);
  assert.equal(masked(CONTINUE, new UnaskedContinue()), CONTINUE);
});

test('a 100 that nobody asked for is no part of the answer, on a new connection and on a used one', async () => {
  const provider = await provide((socket, _body, request) => {
    socket.write(CONTINUE + CONTINUE);
    setImmediate(() => {
      socket.write(`${CONTINUE}${wholeAnswer({ request, text: CONTINUE })}`);
    });
  });
  const made = pools();
  for (const request of [1, 2, 3]) {
    const heard = await new HeardAttempt(made, provider.origin).over();
    assert.deepEqual(
      heard.heard.map(([what]) => what),
      ['started', 'chunk', 'ended'],
    );
    assert.equal(heard.text(), JSON.stringify({ request, text: CONTINUE }));
  }
  assert.equal(provider.accepted(), 1);
});

test('a 101 that nobody asked for is a fault of the protocol', async () => {
  for (const more of ['', 'connection: upgrade\r\nupgrade: websocket\r\n']) {
    const provider = await provide((socket) => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${more}\r\n`));
    const heard = await new HeardAttempt(pools(), provider.origin).over();
    assert.equal(heard.error?.code, 'upstream_protocol');
    assert.match(heard.error?.message ?? '', /switched to another protocol/);
  }
});
