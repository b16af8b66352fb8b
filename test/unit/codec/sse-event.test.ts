import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvent } from '../../../src/codec/sse-event.ts';

const read = (text: string) => readEvent(Buffer.from(text), 0, Buffer.byteLength(text));

test('the fields of one event are read as the standard says', () => {
  for (const [text, name, data] of [
    ['data: {"a":1}\n\n', undefined, '{"a":1}'],
    ['data:{"a":1}\r\n\r\n', undefined, '{"a":1}'],
    ['data: a\r\r', undefined, 'a'],
    ['event: error\ndata: {}\n\n', 'error', '{}'],
    ['data: {}\nevent:x\n\n', 'x', '{}'],
    ['data: one\ndata: two\n\n', undefined, 'one\ntwo'],
    ['\ufeffdata: a\n\n', undefined, 'a'],
    ['\n\ndata: a\n\n', undefined, 'a'],
    ['id: 1\nretry: 2\nunknown: 3\ndata\n\n', undefined, ''],
    [': comment\n\n', undefined, undefined],
    ['\n\n', undefined, undefined],
    ['data: [DONE]\n\n', undefined, '[DONE]'],
    ['data: ü👋\n\n', undefined, 'ü👋'],
  ] as const) {
    assert.deepEqual(read(text), { name, data }, JSON.stringify(text));
  }
});

test('only the bytes of the asked event count of a read with more events', () => {
  const bytes = Buffer.from('data: a\n\ndata: b\n\nevent: x\ndata: c\n\n');
  assert.equal(readEvent(bytes, 0, 9).data, 'a');
  assert.equal(readEvent(bytes, 9, 18).data, 'b');
  assert.deepEqual(readEvent(bytes, 18, bytes.length), { name: 'x', data: 'c' });
});
