import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../../../src/codec/sse-parser.ts';
import { dataEvent } from '../../../src/codec/sse-writer.ts';

test('the SSE parser reads what the SSE writer wrote', () => {
  const events: unknown[] = [];
  const parser = new SseParser((event, data) => events.push([event, data]), 1000);
  parser.push(Buffer.concat([dataEvent('{"a":1}'), dataEvent('[DONE]')]));
  assert.deepEqual(events, [
    [undefined, '{"a":1}'],
    [undefined, '[DONE]'],
  ]);
});
