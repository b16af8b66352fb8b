import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerHead } from '../../../src/upstream/answer-head.ts';
import { HeadLines } from '../../../src/upstream/head-lines.ts';
import { randomFrom } from '../../support/random.ts';

const LINES = [
  'content-type: application/json',
  'Content-Type: application/json',
  'content-type: application/jsoN',
  'content-type:application/json',
  'content-length: 5',
  'content-length: 6',
  'date: Sun, 29 Nov 2026 10:00:00 GMT',
  'date: Sun, 29 Nov 2026 10:00:01 GMT',
  'x-request-id: req_1',
  'x-request-id: req_22',
  'x-request: req_1',
  'x-request-id : req_1',
  'set-cookie: a=1',
  'set-cookie: b=2',
  'empty:',
  'e',
  ': none',
  'bad: a\u0000b',
  ` long: ${'x'.repeat(600)}`,
  `long: ${'x'.repeat(600)}`,
  '__proto__: x',
  'transfer-encoding: chunked',
];

test('a head is read the same, whatever heads its origin sent before', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = randomFrom(seed);
    const lines = new HeadLines();
    const head = new AnswerHead();
    for (let count = 0; count < 200; count += 1) {
      const few = 1 + Math.floor(random() * 4);
      const chosen = Array.from({ length: few }, () => LINES[Math.floor(random() * LINES.length)]);
      const text = `HTTP/1.1 200 OK\r\n${chosen.map((line) => `${line}\r\n`).join('')}\r\n`;
      const before = Math.floor(random() * 20);
      // What lies behind the bytes that came is of an earlier read.
      const bytes = Buffer.from(`${'x'.repeat(before)}${text}content-type: application/json\r\n`);
      const to = before + (random() < 0.2 ? Math.floor(random() * text.length) : text.length);
      const told = [lines, new HeadLines()].map((of) => {
        const end = head.parse(bytes, before, to, of);
        const { status, headers, framing, length, keepsAlive } = head;
        return end < 0 ? { end } : { end, status, headers, framing, length, keepsAlive };
      });
      assert.deepEqual(told[0], told[1], text);
    }
  }
});

test('a line that is the same for a while is remembered again each time it changes, and one that always differs is not', () => {
  const lines = new HeadLines();
  const head = new AnswerHead();
  const read = (date: string, id: number): void => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ndate: ${date}\r\nx-request-id: ${id}\r\ncontent-length: 0\r\n\r\n`);
    assert.equal(head.parse(bytes, 0, bytes.length, lines), bytes.length);
    assert.deepEqual(head.headers, { date, 'x-request-id': String(id), 'content-length': '0' });
  };
  const remembered = new Set<string | undefined>();
  for (let second = 0; second < 8; second += 1) {
    for (let answer = 0; answer < 50; answer += 1) read(`second ${second}`, second * 50 + answer);
    assert.equal(lines.at(0)?.value, `second ${second}`);
    remembered.add(lines.at(1)?.value);
  }
  assert.equal(remembered.size, 1);
});
