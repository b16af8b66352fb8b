import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { ConvertedAnswer, type ConvertedAnswerOptions } from '../../../src/relay/converted-answer.ts';
import { heldMemory } from '../../support/held-memory.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

function start(more: Partial<ConvertedAnswerOptions> = {}) {
  const host = new FakeRelayHost();
  const convert: ConvertedAnswerOptions['convert'] = (answer, done) =>
    done(Buffer.from(answer.toString().toUpperCase()));
  const options = { host, convert, memory: heldMemory(), contentType: 'text/event-stream', maxBytes: 100 };
  return { host, answer: new ConvertedAnswer({ ...options, ...more }) };
}

test('an answer is converted when it is whole, and nothing is committed before', () => {
  const { host, answer } = start();
  answer.commit();
  answer.content(2);
  answer.write(Buffer.from('one '));
  assert.equal(host.contentType, undefined);
  answer.finish(Buffer.from('two'));
  assert.equal(host.contentType, 'text/event-stream');
  assert.equal(host.output().toString(), 'ONE TWO');
  assert.ok(host.finished);
  assert.equal(host.contentPieces, 2);
});

test('an answer that is too large, finds no memory or cannot be converted is a failure that names the setting', () => {
  const full = heldMemory(1);
  const cases: [Partial<ConvertedAnswerOptions>, code: string, setting: RegExp][] = [
    [{}, 'upstream_too_large', /limits\.max_translate_bytes: 100/],
    [{ maxBytes: 1_000_000, memory: full }, 'upstream_too_large', /limits\.max_body_memory_bytes: 1/],
    [
      { maxBytes: 1_000_000, convert: (_answer, done) => done(new GatewayError('upstream_protocol')) },
      'upstream_protocol',
      /undefined/,
    ],
  ];
  for (const [more, code, setting] of cases) {
    const { host, answer } = start(more);
    for (let i = 0; i < 10; i += 1) answer.write(Buffer.alloc(10_000));
    answer.finish();
    assert.equal(host.error?.code, code);
    assert.match(String(host.error?.context.setting), setting);
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('a failure of the mode is passed on once, and what it writes behind it is not heard', () => {
  const { host, answer } = start();
  answer.write(Buffer.from('half'));
  answer.fail(new GatewayError('upstream_cut'));
  answer.write(Buffer.from('more'));
  answer.finish();
  assert.equal(host.error?.code, 'upstream_cut');
  assert.equal(host.writtenBytes, 0);
  assert.deepEqual(host.behindTheEnd, []);
});
