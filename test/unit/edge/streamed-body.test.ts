import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { StreamedBody } from '../../../src/edge/streamed-body.ts';

/*
 * Symptom: on a connection that a client kept, every upload but the first stood still for four seconds.
 * Cause: its last bytes came while the client was paused, and a receiver that has all of it never resumes, so the next
 * request was not read until the sweep of idle connections paused and resumed them.
 * Mend: the end of a body is the end of its pause, whatever its receiver does.
 */
test('the connection of an upload whose last bytes came while it was paused is read on', () => {
  const calls: string[] = [];
  const owner = {
    pauseClient: () => calls.push('pause'),
    resumeClient: () => calls.push('resume'),
    fileTooLarge: () => new GatewayError('body_too_large'),
  };
  const body = new StreamedBody(owner, 1_000, { bodyMs: 0, uploadMs: 0 }, 0, undefined);
  let received = '';
  body.receiver = {
    take: (bytes) => {
      received += Buffer.from(bytes).toString();
      body.pause();
    },
    end: () => calls.push('end'),
    fail: (error) => assert.fail(error.code),
  };
  body.arrive(new TextEncoder().encode('one ').buffer, false);
  body.arrive(new TextEncoder().encode('two').buffer, true);
  assert.equal(received, 'one two');
  assert.deepEqual(calls, ['pause', 'resume', 'end']);
  assert.equal(body.paused, false);
});
