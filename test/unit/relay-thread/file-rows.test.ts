import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { FileRows } from '../../../src/relay-thread/file-rows.ts';
import type { FileQuestionMessage } from '../../../src/threads/file-messages.ts';

const file = {
  id: 'file-1',
  owner: 'user:a',
  createdBy: 'user:a',
  filename: 'a',
  purpose: 'batch',
  bytes: 1,
  sha256: '',
  createdAt: 0,
  expiresAt: undefined,
};

function rows() {
  const sent: FileQuestionMessage[] = [];
  return { sent, rows: new FileRows({ thread: 0, send: (message) => sent.push(message) }) };
}

test('a row that is written after its deadline is deleted again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sent, rows: asked } = rows();
  const outcome = asked.insert(file);
  t.mock.timers.tick(5_000);
  assert.equal((await outcome)?.code, 'database_away');
  asked.hear({ type: 'files-answer', number: sent[0]!.number, answer: { kind: 'done' } });
  assert.deepEqual(sent[1]?.question, { kind: 'delete', id: 'file-1', owners: ['user:a'] });
});

test('a question beyond 256 that wait is refused at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sent, rows: asked } = rows();
  for (let count = 0; count < 256; count += 1) void asked.find('file-1', ['user:a']);
  const refused = await asked.find('file-1', ['user:a']);
  assert.ok(refused instanceof GatewayError && refused.code === 'database_away');
  assert.equal(sent.length, 256);
  asked.hear({ type: 'files-answer', number: sent[0]!.number, answer: { kind: 'absent' } });
  void asked.find('file-1', ['user:a']);
  assert.equal(sent.length, 257);
});

test('each answer of the database is an answer or an error of its own', async () => {
  for (const [answer, code] of [
    [{ kind: 'absent' }, 'not_found'],
    [{ kind: 'away' }, 'database_away'],
    [{ kind: 'failed' }, 'internal_error'],
    [{ kind: 'files', files: [] }, 'not_found'],
  ] as const) {
    const { sent, rows: asked } = rows();
    const found = asked.find('file-1', ['user:a']);
    asked.hear({ type: 'files-answer', number: sent[0]!.number, answer });
    const error = await found;
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, code);
  }
});
