import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventStream, type StreamEvent } from '../../../src/mcp/protocol/event-stream.ts';

const whole = Buffer.from(
  ': a comment\nid: 1\ndata: \n\nevent: message\r\nid: 2\r\ndata: {"a":\r\ndata: "ü"}\r\n\r\nretry: 30\rdata: last\r\r',
);

function read(chunks: readonly Buffer[]): { events: StreamEvent[]; retryMs: number | undefined } {
  const events: StreamEvent[] = [];
  const stream = new EventStream(1000, (event) => events.push(event));
  for (const chunk of chunks) assert.ok(stream.push(chunk));
  assert.ok(stream.push(Buffer.from('\n')));
  return { events, retryMs: stream.retryMs };
}

test('a stream of events gives the same events however it is cut', () => {
  const expected = read([whole]);
  assert.deepEqual(expected.events, [
    { name: undefined, id: '1', data: '' },
    { name: 'message', id: '2', data: '{"a":\n"ü"}' },
    { name: undefined, id: '2', data: 'last' },
  ]);
  assert.equal(expected.retryMs, 30);
  assert.deepEqual(read([...whole].map((byte) => Buffer.from([byte]))), expected);
  for (let at = 1; at < whole.length; at += 1) {
    assert.deepEqual(read([whole.subarray(0, at), whole.subarray(at)]), expected, String(at));
  }
});

test('an event that is larger than it may be is refused, in one line or in many', () => {
  for (const chunk of ['data: 12345678901', 'data: 123456\ndata: 123456\n']) {
    assert.equal(new EventStream(10, () => undefined).push(Buffer.from(chunk)), false);
  }
});
