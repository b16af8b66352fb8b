import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toError } from '../../../../src/providers/openai-compatible/to-error.ts';
import { noRecordings, recordedProviders, recordings } from '../../../support/recordings.ts';
import { exampleTarget } from '../../../support/targets.ts';

function error(status: number | undefined, body: unknown) {
  return toError(status, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), exampleTarget);
}

test('a provider’s verdict on the client’s request passes with status, message, type, code and param', () => {
  for (const status of [400, 404, 409, 413, 415, 422]) {
    const rejected = error(status, { error: { message: 'No.', type: 't', code: 'c', param: 'p' } });
    assert.equal(rejected.code, 'upstream_rejected');
    assert.equal(rejected.status, status);
    assert.equal(rejected.message, 'No.');
    const { upstreamType, upstreamCode, param, target } = rejected.context;
    assert.deepEqual([upstreamType, upstreamCode, param, target], ['t', 'c', 'p', 'main/model']);
  }
});

test('a provider’s rate limit passes with its words', () => {
  const limited = error(429, { error: { code: 'RateLimitReached', message: 'Slow down.' } });
  assert.equal(limited.code, 'upstream_rate_limited');
  assert.equal(limited.status, 429);
  assert.match(limited.message, /Slow down\./);
  assert.equal(limited.context.upstreamCode, 'RateLimitReached');
});

test('a refused credential is the gateway’s fault, and the provider’s words are for the operator alone', () => {
  for (const status of [401, 402, 403]) {
    const refused = error(status, {
      error: { message: 'Incorrect API key provided: sk-ab***yz', code: 'invalid_api_key' },
    });
    assert.equal(refused.code, 'upstream_credential');
    assert.equal(refused.status, 502);
    assert.equal(refused.context.upstreamStatus, status);
    assert.ok(!refused.message.includes('sk-ab'));
    assert.match(refused.message, /`main\/model` was asked\./);
    assert.equal(
      refused.recordedDetail('keep'),
      `The provider answered ${status} (invalid_api_key): Incorrect API key provided: sk-ab***yz`,
    );
    assert.equal(refused.recordedDetail('leave-out'), `The provider answered ${status}.`);
    assert.deepEqual(refused.context.headers, ['x-should-retry', 'false']);
  }
});

test('a credential that is refused with 400 is the gateway’s fault as well', () => {
  const refused = error(400, { code: 'invalid-argument', error: 'Incorrect API key provided: xai-ab***yz.' });
  assert.equal(refused.code, 'upstream_credential');
  assert.ok(!refused.message.includes('xai-ab'));
});

test('an overloaded provider is 503, and any other failure or redirection is 502', () => {
  const statuses = [503, 529, 500, 502, 504, 302, 418].map((status) => error(status, 'x').status);
  assert.deepEqual(statuses, [503, 503, 502, 502, 502, 502, 502]);
});

test('a failure told inside a 200 has the status that its code, or its words, stand for', () => {
  const cases: [error: unknown, code: string, status: number][] = [
    [{ message: 'x', code: 429 }, 'upstream_rate_limited', 429],
    [{ message: 'x', code: '429' }, 'upstream_rate_limited', 429],
    [{ message: 'x', status: 503 }, 'upstream_overloaded', 503],
    [{ message: 'x', code: 529 }, 'upstream_overloaded', 503],
    [{ message: 'x', code: 502 }, 'upstream_failed', 502],
    [{ message: 'x', code: 404 }, 'upstream_rejected', 404],
    [{ message: 'x', code: 401 }, 'upstream_credential', 502],
    [{ message: 'Incorrect API key provided: sk-ab***yz' }, 'upstream_credential', 502],
    [{ message: 'x', code: 'rate_limit_exceeded' }, 'upstream_rate_limited', 429],
    [{ message: 'x', code: null, type: 'invalid_request_error' }, 'upstream_rejected', 400],
    [{ message: 'x', code: 'server_error', type: 't' }, 'upstream_stream_error', 502],
    [{ message: 'x', code: 200 }, 'upstream_stream_error', 502],
    [{ error: 'x', code: 429 }, 'upstream_rate_limited', 429],
    ['just words', 'upstream_stream_error', 502],
    [true, 'upstream_stream_error', 502],
  ];
  for (const [said, code, status] of cases) {
    const told = error(undefined, { error: said });
    assert.deepEqual([told.code, told.status], [code, status], JSON.stringify(said));
  }
  assert.match(error(undefined, { error: 'just words' }).message, /just words/);
  const { context } = error(undefined, { error: { message: 'm'.repeat(5000), code: 'quota', type: 'limits' } });
  assert.ok((context.detail?.length ?? 0) < 2_100);
  assert.deepEqual([context.upstreamCode, context.upstreamType], ['quota', 'limits']);
});

test('a reason is found in every shape it comes in', () => {
  const message = (body: unknown) => error(400, body).message;
  assert.equal(message({ error: { message: 'a' } }), 'a');
  assert.equal(message({ error: 'b', code: 'x' }), 'b');
  assert.equal(message({ message: 'c' }), 'c');
  assert.equal(message({ detail: 'd' }), 'd');
  assert.equal(
    message({ detail: [{ loc: ['body', 'messages', 0], msg: 'Field required' }] }),
    'body.messages.0: Field required',
  );
  assert.equal(message({ error: { message: { detail: 'e' } } }), 'e');
  assert.equal(message([{ error: { message: 'f', code: 400 } }]), 'f');
  assert.equal(message({ errors: ['g', { message: 'h' }] }), 'g; h');
  assert.equal(message({ error: { errors: [{ message: 'i' }] } }), 'i');
  assert.equal(message('plain text\n'), 'plain text');
  assert.equal(message('<html><head><title>502 Bad Gateway</title></head></html>'), '502 Bad Gateway');
  assert.equal(message(''), 'The provider answered 400 without a reason.');
  assert.equal(message('{"error": {"message": "cut off'), '{"error": {"message": "cut off');
});

test('a provider’s reason is bounded', () => {
  assert.ok(error(400, { error: { message: 'x'.repeat(60_000), type: 'y'.repeat(60_000) } }).message.length < 2100);
});

test('every recorded refusal gives a reason that is not JSON', { skip: noRecordings }, () => {
  let refusals = 0;
  for (const provider of recordedProviders) {
    for (const { name, response } of recordings(provider)) {
      if (response.status < 400) continue;
      refusals += 1;
      const { code, context } = error(response.status, response.body ?? '');
      const said = code === 'upstream_credential' ? context.operatorDetail : context.detail;
      assert.ok(said && said.length > 10 && !said.includes('"error":'), name);
    }
  }
  assert.ok(refusals > 25);
});
