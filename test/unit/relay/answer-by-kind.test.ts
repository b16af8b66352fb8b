import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { AnswerByKind } from '../../../src/relay/answer-by-kind.ts';
import type { RelayMode } from '../../../src/relay/relay-mode.ts';
import { pieces } from '../../support/cuttings.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

/** What was chosen, what it then got, and what the client waits for meanwhile. */
function told(chunks: readonly Buffer[], asked: 'stream' | 'whole' = 'stream') {
  const host = new FakeRelayHost();
  const got: Buffer[] = [];
  let kind: string | undefined;
  let ended = 0;
  const mode = new AnswerByKind(host, asked, (chosen): RelayMode => {
    kind = chosen;
    return {
      isStream: chosen === 'events',
      unfinishedLine: false,
      chunk: (bytes) => got.push(bytes),
      ended: () => {
        ended += 1;
      },
    };
  });
  for (const chunk of chunks) mode.chunk(chunk);
  const undecided = kind === undefined;
  mode.ended();
  return { host, mode, kind, undecided, ended, bytes: Buffer.concat(got).toString() };
}

test('the kind of an answer is told by its first bytes, however they come', () => {
  for (const [text, kind] of [
    ['data: {}\n\n', 'events'],
    ['data:x\n\n', 'events'],
    ['event: ping\n\n', 'events'],
    ['id: 1\n\n', 'events'],
    ['retry: 1\n\n', 'events'],
    [': comment\n\n', 'events'],
    ['\ufeffdata: {}\n\n', 'events'],
    ['\n\r\n\n data: {}\n\n', 'events'],
    ['{"choices":[]}', 'json'],
    [' \n\t[1]', 'json'],
    ['<html>', 'html'],
    ['database: x', 'other'],
    ['d', 'other'],
    ['OK', 'other'],
    ['', 'nothing'],
    [' \n\n', 'nothing'],
  ] as const) {
    for (const size of [1, 2, 1000]) {
      const { kind: found, bytes, ended } = told(pieces(Buffer.from(text), size));
      assert.equal(found, kind, `${JSON.stringify(text)} in pieces of ${size}`);
      assert.equal(bytes, text, 'nothing of it is lost');
      assert.equal(ended, 1);
    }
  }
});

test('until the kind is known the answer counts as what was asked for', () => {
  for (const asked of ['stream', 'whole'] as const) {
    const host = new FakeRelayHost();
    const mode = new AnswerByKind(host, asked, () => assert.fail('nothing is known'));
    mode.chunk(Buffer.from('\n\n dat'));
    assert.equal(mode.isStream, asked === 'stream');
    assert.equal(host.contentPieces, 0, 'white space is no content');
  }
});

test('an answer of the other kind counts as what was asked for too: it is converted', () => {
  for (const text of ['data: {}\n\n', '{}']) {
    assert.equal(told([Buffer.from(text)], 'stream').mode.isStream, true);
    assert.equal(told([Buffer.from(text)], 'whole').mode.isStream, false);
  }
});

test('white space without end is not kept', () => {
  const { bytes, kind } = told([
    ...Array.from({ length: 100 }, () => Buffer.from(' '.repeat(1_000))),
    Buffer.from('{}'),
  ]);
  assert.equal(kind, 'json');
  assert.ok(bytes.length < 10_000, `${bytes.length} bytes were kept`);
  assert.ok(bytes.endsWith('{}'));
});

test('an answer of a kind that cannot be carried fails once, and nothing more is asked of the host', () => {
  const host = new FakeRelayHost();
  const mode = new AnswerByKind(host, 'whole', () => new GatewayError('upstream_protocol'));
  mode.chunk(Buffer.from('data: {}\n\n'));
  mode.chunk(Buffer.from('data: {}\n\n'));
  mode.ended();
  assert.equal(host.error?.code, 'upstream_protocol');
  assert.deepEqual(host.behindTheEnd, []);
});
