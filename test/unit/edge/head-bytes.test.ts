import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinedHeaders } from '../../../src/core/header-lines.ts';
import { encodeHead } from '../../../src/edge/head-bytes.ts';
import { joinHead } from '../../../src/edge/response-head.ts';

const NAMES = ['content-type', 'x-request-id', 'server-timing', 'x-tfy-resolved-model', 'retry-after'];
const VALUES = [
  '1',
  'ex_0123456789',
  'gateway;dur=0.001',
  'naïve',
  '模型🌍',
  'x\r\nset-cookie: a=1',
  '',
  'v'.repeat(300),
];

/** As the client reads it. */
const textOf = (head: Uint8Array | string): string => Buffer.from(head).toString();

test('a head has the same bytes as its headers joined as text, whatever the heads before it were', () => {
  let seed = 7;
  const chance = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 5_000; round += 1) {
    const headers: string[] = [];
    for (let line = chance(12); line >= 0; line -= 1) headers.push(NAMES[chance(3)]!, VALUES[chance(VALUES.length)]!);
    const joined = chance(3) === 0 ? joinedHeaders(['x-cache', VALUES[chance(VALUES.length)]!]) : undefined;
    assert.equal(textOf(encodeHead(headers, joined)), joinHead(headers) + (joined?.lines ?? ''));
  }
});

test('a shorter head leaves nothing of a longer one, nor a longer one of a shorter', () => {
  const long = ['a', 'x'.repeat(40), 'b', 'y'.repeat(40), 'c', 'z'];
  for (const headers of [long, ['a', 'x'.repeat(79)], long, ['a', 'x'], ['a', 'x', 'b', 'y'], long]) {
    assert.equal(textOf(encodeHead(headers, undefined)), joinHead(headers));
  }
});

test('a head that is too long to be written in place is joined as text, and those behind it are right', () => {
  const usual = ['content-type', 'application/json', 'x-request-id', 'ex_1'];
  for (const value of ['v'.repeat(8_000), 'ï'.repeat(4_000)]) {
    const headers = [...usual, 'x-long', value];
    encodeHead(usual, undefined);
    assert.equal(textOf(encodeHead(headers, undefined)), joinHead(headers));
    const joined = joinedHeaders(['x-long', value]);
    assert.equal(textOf(encodeHead(usual, joined)), joinHead(usual) + joined.lines);
    assert.equal(textOf(encodeHead(usual, undefined)), joinHead(usual));
  }
});
