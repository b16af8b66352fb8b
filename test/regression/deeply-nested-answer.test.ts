/*
 * Symptom: a whole Anthropic answer whose tool input is nested very deep left the exchange hanging until idle_ms.
 * Root cause: an exception in what reads the whole answer is caught by undici and told as an error of an attempt that had
 * ended already, so nobody heard of it.
 * Why the fix is right: what throws while an answer is read ends this attempt with a code; undici no longer decides
 * what a bug of ours means.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type RawProvider, startRawProvider } from '../support/raw-provider.ts';

let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  const input = `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  const message = `{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"tool_use","id":"t","name":"f","input":${input}}],"stop_reason":"tool_use"}`;
  provider = await startRawProvider((socket) =>
    socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${message.length}\r\n\r\n${message}`,
    ),
  );
  const account = {
    type: 'provider-account/anthropic',
    name: 'translated',
    base_url: provider.origin,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  };
  gateway = await startGateway({ manifests: [account] });
});
disposeAfter(() => [gateway, provider]);

test('an answer that cannot be read is refused at once, and not at a timeout', async () => {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: '{"model":"translated/claude-sonnet-4-5","messages":[{"role":"user","content":"x"}]}',
    signal: AbortSignal.timeout(3_000),
  });
  assert.equal(answer.status, 502);
});
