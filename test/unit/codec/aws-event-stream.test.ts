import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventStreamCodec } from '@smithy/eventstream-codec';
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

test('a message that the codec of AWS’s SDKs wrote is read, whatever types its headers have', () => {
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString('utf8'),
    (text) => Buffer.from(text),
  );
  const message = codec.encode({
    headers: {
      ':event-type': { type: 'string', value: 'chunk' },
      ':message-type': { type: 'string', value: 'event' },
      yes: { type: 'boolean', value: true },
      no: { type: 'boolean', value: false },
      byte: { type: 'byte', value: 7 },
      short: { type: 'short', value: 700 },
      integer: { type: 'integer', value: 70_000 },
      bytes: { type: 'binary', value: Buffer.from('abc') },
      when: { type: 'timestamp', value: new Date(0) },
      id: { type: 'uuid', value: '00000000-0000-0000-0000-000000000001' },
    },
    body: Buffer.from('{"p":"ü"}'),
  });
  for (const chunks of cuttings(Buffer.concat([message, message]))) {
    const expected = ['chunk', '{"p":"ü"}'];
    assert.deepEqual(read(chunks), { events: [expected, expected], fault: undefined });
  }
});

test('the codec of AWS’s SDKs reads the messages that the tests write', () => {
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString('utf8'),
    (text) => Buffer.from(text),
  );
  const { headers, body } = codec.decode(awsException('throttlingException', { message: 'slow down' }));
  assert.equal(headers[':exception-type']?.value, 'throttlingException');
  assert.deepEqual(JSON.parse(Buffer.from(body).toString()), { message: 'slow down' });
});
