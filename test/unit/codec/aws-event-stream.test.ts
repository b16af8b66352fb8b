import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsEventStreamParser } from '../../../src/codec/aws-event-stream.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import { awsEvent, awsException, awsMessage } from '../../support/aws-events.ts';
import { cuttings } from '../../support/cuttings.ts';

function read(chunks: readonly Buffer[], maxBytes = 1 << 20) {
  const events: [string | undefined, string][] = [];
  const parser = new AwsEventStreamParser((event, payload) => events.push([event, payload]), maxBytes);
  let fault: GatewayError | undefined;
  for (const chunk of chunks) fault = parser.push(chunk);
  return { events, fault };
}

test('however the stream is cut, the same messages come out of it', () => {
  const bytes = Buffer.concat([
    awsEvent('a', { x: 'ü' }),
    awsMessage({ ':message-type': 'event', ':event-type': 'empty' }, Buffer.alloc(0)),
    awsException('throttlingException', { message: 'slow down' }),
    awsMessage({ ':message-type': 'error', ':error-code': 'Internal', ':error-message': 'oh' }, Buffer.alloc(0)),
  ]);
  const expected = [
    ['a', '{"x":"ü"}'],
    ['empty', ''],
    ['exception:throttlingException', '{"message":"slow down"}'],
    ['exception:Internal', '{"message":"oh"}'],
  ];
  for (const chunks of cuttings(bytes)) assert.deepEqual(read(chunks), { events: expected, fault: undefined });
});

test('a wrong byte anywhere in a message is an error, and nothing of the message comes out', () => {
  const message = awsEvent('a', { x: 1 });
  for (let at = 0; at < message.length; at += 1) {
    const broken = Buffer.from(message);
    broken[at]! ^= 0x01;
    const { events, fault } = read([broken, message]);
    assert.deepEqual(events, [], `byte ${at}`);
    // A length that became larger waits for bytes that never come, unless its own checksum says no.
    assert.equal(fault?.code, 'upstream_protocol', `byte ${at}`);
  }
});

test('a message beyond the bound is an error that names it, before it is held', () => {
  const { fault } = read([awsEvent('a', { x: 'y'.repeat(2000) }).subarray(0, 20)], 1000);
  assert.equal(fault?.code, 'upstream_too_large');
  assert.match(fault?.message ?? '', /1000 bytes/);
});
