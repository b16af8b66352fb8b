import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinedHeaders } from '../../../src/core/header-lines.ts';
import { joinHead, serverTiming, statusLine } from '../../../src/edge/response-head.ts';

test('a status line has the status’s own words, an unknown status too', () => {
  assert.equal(statusLine(200), '200 OK');
  assert.equal(statusLine(429), '429 Too Many Requests');
  assert.equal(statusLine(529), '529 Unknown');
});

test('all headers of an answer are written as one string behind the first one’s name', () => {
  assert.equal(joinHead(['a', '1']), '1');
  assert.equal(joinHead(['a', '1', 'b', '2', 'c', '3']), '1\r\nb: 2\r\nc: 3');
});

test('no header value can end its header and begin another, whichever header it stands in', () => {
  for (const evil of [
    'x\r\nset-cookie: a=1',
    'x\nset-cookie: a=1',
    'x\rset-cookie: a=1',
    'x\r\n\r\n<html>',
    '\r\n',
    'x\0y',
  ]) {
    const joined = joinHead(['a', evil, 'b', evil]);
    assert.equal(joined.split('\r\n').length, 2, JSON.stringify(evil));
    assert.equal(/[\0\n]/.test(joined.replace('\r\n', '')), false);
  }
});

test('headers that are joined once are as safe as others', () => {
  const { lines, list } = joinedHeaders(['a', 'x\r\nset-cookie: a=1', 'b', '2']);
  assert.equal(lines, '\r\na: xset-cookie: a=1\r\nb: 2');
  assert.equal(list.length, 4);
});

test('every control character of a header value is dropped except the tab', () => {
  for (let code = 0; code < 0x20; code += 1) {
    assert.equal(joinHead(['a', `x${String.fromCharCode(code)}y`]), code === 9 ? 'x\ty' : 'xy');
  }
  assert.equal(joinHead(['a', 'x\x7fy']), 'xy');
});

test('characters that no header can hold are replaced, and all others stay', () => {
  assert.equal(joinHead(['a', 'naïve']), 'naïve');
  assert.equal(joinHead(['a', '模型🌍']), '????');
  assert.equal(joinHead(['a', '{"a": "b~c"}']), '{"a": "b~c"}');
});

test('server timings have three digits, and none is below zero', () => {
  assert.equal(serverTiming(1.5, 0), 'gateway;dur=1.500');
  assert.equal(serverTiming(0.0004, 12.345678), 'gateway;dur=0.000, upstream;dur=12.346');
  assert.equal(serverTiming(-3, 2), 'gateway;dur=0.000, upstream;dur=2.000');
  assert.equal(serverTiming(1.001, 2.01), 'gateway;dur=1.001, upstream;dur=2.010');
  assert.equal(serverTiming(0.9996, 1), 'gateway;dur=1.000, upstream;dur=1.000');
});
