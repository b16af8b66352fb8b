/*
 * Symptom: one request with 1,200,000 text parts in an assistant's or a system message (32 MB, within max_body_bytes) to an
 * account that is translated for ends the whole gateway process.
 * Root cause: `parts.push(...toParts(…))` and `system.push(...blocks)` put every part on the stack as an argument: RangeError,
 * thrown inside the addon's callback.
 * Why the fix is right: no list of a client becomes arguments on the stack, and whatever a handler throws costs its
 * exchange only.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type RawProvider, startRawProvider, wholeAnswer } from '../support/raw-provider.ts';

let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider((socket) => socket.write(wholeAnswer({ content: [] })));
  const account = {
    type: 'provider-account/anthropic',
    name: 'translated',
    base_url: provider.origin,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  };
  gateway = await startGateway({ manifests: [account] });
});
disposeAfter(() => [gateway, provider]);

for (const role of ['assistant', 'system']) {
  test(`a ${role} message of a million parts ends no thread and no gateway`, async () => {
    const parts = `${'{"type":"text","text":"a"},'.repeat(1_200_000)}{"type":"text","text":"b"}`;
    const body = `{"model":"translated/claude-sonnet-4-5","messages":[{"role":"${role}","content":[${parts}]},{"role":"user","content":"x"}]}`;
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body });
    assert.ok(answer.status >= 200, 'an answer, whatever it says');
    await answer.arrayBuffer();
    assert.equal(gateway.process.exitCode ?? gateway.process.signalCode, null);
    assert.ok(!gateway.output().includes('a relay thread failed'), gateway.output().slice(-2000));
  });
}
