import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/codec/json-value.ts';
import { HeldCall } from '../../../src/mcp/clients/held-calls.ts';
import type { CallHooks } from '../../../src/mcp/upstream/peer.ts';

const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };

/** A call to an old server that does what `ask` does with the hooks of its client. */
function held(ask: (hooks: CallHooks) => Promise<JsonObject>): HeldCall {
  const call = new HeldCall();
  call.begin(CAPABILITIES, (hooks) => ({ result: ask(hooks), cancel: () => undefined }));
  return call;
}

test('a client of the newer era gets simultaneous questions of an old server together, and may answer in any order', async () => {
  const call = held(async ({ ask }) => {
    const name = ask('elicitation/create', { message: 'Who?' });
    // Each is a message of its own.
    await undefined;
    const all = await Promise.all([name, ask('sampling/createMessage', {}), ask('roots/list', {})]);
    return { content: all };
  });
  const first = await call.turn();
  const questions = 'questions' in first ? first.questions : {};
  assert.deepEqual(Object.keys(questions), ['q1', 'q2', 'q3']);
  call.answer({ q3: { roots: [] }, q1: { action: 'accept' } });
  const second = await call.turn();
  assert.deepEqual(
    'questions' in second && Object.keys(second.questions),
    ['q2'],
    'what was not answered is asked again',
  );
  call.answer({ q2: { model: 'x' } });
  const last = await call.turn();
  assert.deepEqual('result' in last && last.result, {
    content: [{ action: 'accept' }, { model: 'x' }, { roots: [] }],
  });
});

test('a call that ends while its questions are gathered gives its result', async () => {
  const call = held(async ({ ask }) => {
    void ask('elicitation/create', {});
    return { content: [] };
  });
  assert.deepEqual(await call.turn(), { result: { content: [] } });
});
