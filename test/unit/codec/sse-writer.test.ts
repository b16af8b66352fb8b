import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../../../src/codec/sse-parser.ts';
import { comment, dataEvent, namedEvent } from '../../../src/codec/sse-writer.ts';

test('what is written is read again; a comment is not an event', () => {
  const events: unknown[] = [];
  const parser = new SseParser((event, data) => events.push([event, data]), 1000);
  parser.push(Buffer.concat([comment('keep-alive'), dataEvent('{"a":1}'), namedEvent('message_stop', '{}')]));
  assert.deepEqual(events, [
    [undefined, '{"a":1}'],
    ['message_stop', '{}'],
  ]);
});
