import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { chunkEvent, type FakeProvider, startProvider, USAGE_EVENT } from '../support/provider.ts';
import { startEvents } from '../support/scripted-provider.ts';

const typed = (value: { type: string; [field: string]: unknown }) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
const plain = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const usage = { input_tokens: 5, output_tokens: 2 };
const candidate = (text: string, more: object = {}) =>
  plain({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...more }] });

/** `Hello` in each form, one event after the other. */
const EVENTS: Record<string, readonly string[]> = {
  openai: [chunkEvent({ content: 'Hel' }), chunkEvent({ content: 'lo' }), chunkEvent({}, 'stop'), USAGE_EVENT],
  claude: [
    typed({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', content: [], usage } }),
    typed({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    typed({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } }),
    typed({ type: 'content_block_stop', index: 0 }),
    typed({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }),
    typed({ type: 'message_stop' }),
  ],
  gemini: [candidate('Hel'), candidate('lo', { finishReason: 'STOP' })],
};
/** What stands between events and behind the last one. */
const MARKS: readonly (readonly [between: string, behind: string])[] = [
  ['', 'data: [DONE]\n\n'],
  ['', 'data:  [DONE]\n\n'],
  ['', 'data:\t[DONE] \r\n\r\n'],
  ['data:\n\n', 'data: [DONE]\n\ndata: [DONE]\n\n'],
  ['data\n\n', ''],
  ['data:   \n\n', 'data: \n\n'],
];

let provider: FakeProvider;
let gateway: RunningGateway;
let stream = '';

before(async () => {
  provider = await startProvider((_, response) => {
    startEvents(response);
    response.end(stream);
  });
  const account = (kind: string, name: string, base_url: string) => {
    const key = kind === 'google-gemini' ? 'apiKey' : 'api_key';
    return { type: `provider-account/${kind}`, name, base_url, auth_data: { type: 'api-key', [key]: 'sk-provider' } };
  };
  gateway = await startGateway({
    manifests: [
      account('openai', 'openai', `${provider.origin}/v1`),
      account('anthropic', 'claude', provider.origin),
      account('google-gemini', 'gemini', `${provider.origin}/v1beta`),
    ],
  });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});

test('marks of another form, and events without data, change nothing of an answer', async () => {
  const answers = new Map<string, Set<string>>();
  for (const [account, events] of Object.entries(EVENTS)) {
    for (const path of ['chat/completions', 'messages']) {
      for (const [between, behind] of MARKS) {
        stream = between + events.join(between) + behind;
        const response = await fetch(`${gateway.url}/v1/${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
          body: JSON.stringify({
            model: `${account}/m`,
            max_tokens: 9,
            stream: true,
            messages: [{ role: 'user', content: 'Hi' }],
          }),
        });
        const what = `${account} ${path} ${JSON.stringify([between, behind])}`;
        assert.equal(response.status, 200, what);
        // A cut answer throws here.
        const text = await response.text().catch((error) => assert.fail(`${what}: ${String(error)}`));
        const said = [...text.matchAll(/"(?:content|text)": ?"([A-Za-z]+)"/g)].map(([, word]) => word).join('');
        assert.ok(!text.includes('"error"'), `${what}: ${text}`);
        answers.set(account, (answers.get(account) ?? new Set()).add(said));
      }
    }
  }
  assert.deepEqual([...answers.values()], [new Set(['Hello']), new Set(['Hello']), new Set(['Hello'])]);
});
