import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, selfHosted, startGateway } from '../support/gateway.ts';
import { chunkEvent, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { startEvents } from '../support/scripted-provider.ts';

const SECRET = 'sk-upstream-SECRET-4711';
const STATUSES = [400, 401, 402, 403, 404, 409, 422, 429, 500, 503];

/** The beginning of an answer of the Messages API. */
function textEvents(text: string): string {
  return [
    { type: 'message_start', message: { id: 'm', usage: { input_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
  ]
    .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join('');
}

let provider: FakeProvider;
let gateway: RunningGateway;

/** What our credential was sent as, without its scheme. */
function echoed(headers: Record<string, string | string[] | undefined>): string {
  const sent = headers['authorization'] ?? headers['x-api-key'] ?? headers['x-custom-token'];
  return String(sent).replace('Bearer ', '');
}

before(async () => {
  provider = await startProvider((request, response) => {
    const key = echoed(request.headers);
    const { max_tokens: status, stream } = JSON.parse(request.body.toString());
    const error = { message: `Refused key: ${key}. See https://x`, type: key, param: key, code: key };
    if (!stream) {
      sendJson(response, status, { error }, { 'x-request-id': key, 'x-ratelimit-reset-tokens': key });
      return;
    }
    startEvents(response);
    const failure = { type: 'error', error };
    const before = request.path === '/v1/messages' ? textEvents('hello') : chunkEvent({ content: 'hello' });
    response.end(`${status === 201 ? before : ''}event: error\ndata: ${JSON.stringify(failure)}\n\n`);
  });
  const auth_data = { type: 'api-key', api_key: SECRET };
  gateway = await startGateway({
    server: { log: { level: 'debug' } },
    manifests: [
      { type: 'provider-account/openai', name: 'oai', base_url: `${provider.origin}/v1`, auth_data },
      { type: 'provider-account/anthropic', name: 'claude', base_url: provider.origin, auth_data },
      selfHosted('own', `${provider.origin}/v1`, ['m'], { headers: { 'X-Custom-Token': SECRET } }),
    ],
  });
});
disposeAfter(() => [gateway, provider]);

describe('our credential never comes back', () => {
  for (const model of ['oai/gpt-4o', 'claude/claude-opus-4-5', 'own/m']) {
    test(`no credential comes back from ${model}, whatever the status: not to the client, not into the log`, async () => {
      for (const status of STATUSES) {
        const id = `${model.replace('/', '-')}-${status}`;
        const response = await ask(
          gateway,
          { model, messages, max_tokens: status },
          { headers: { 'x-request-id': id } },
        );
        const text = await response.text();
        assert.ok(!text.includes('SECRET'), `${status}: ${text}`);
        assert.ok(!JSON.stringify([...response.headers]).includes('SECRET'), `a header of ${status}`);
        const isOurs = [401, 402, 403].includes(status);
        assert.equal(response.headers.get('x-should-retry'), isOurs ? 'false' : null, String(status));
        await recordOf(gateway, id);
      }
      assert.ok(!gateway.output().includes('SECRET'));
      assert.ok(!gateway.output().includes(KEY));
    });
  }

  for (const model of ['oai/gpt-4o', 'claude/claude-opus-4-5', 'own/m']) {
    test(`no credential comes back from ${model} inside a 200, be the answer a stream or whole`, async () => {
      for (const [stream, status] of [
        [false, 200],
        [true, 200],
        // Behind content.
        [true, 201],
      ] as const) {
        const id = `${model.replace('/', '-')}-${stream}-${status}`;
        const asked = { model, messages, stream, max_tokens: status };
        const response = await ask(gateway, asked, { headers: { 'x-request-id': id } });
        const text = await response.text().catch((error: Error) => error.message);
        assert.ok(!text.includes('SECRET'), `${stream} ${status}: ${text}`);
        const record = await recordOf(gateway, id);
        assert.ok(!JSON.stringify(record).includes('SECRET'));
        assert.match(JSON.stringify(record), /Refused key: \[redacted\]/);
      }
      assert.ok(!gateway.output().includes('SECRET'));
    });
  }

  test('the operator reads what a provider said of a credential, as a warning and in the record', async () => {
    const warning = () =>
      gateway
        .output()
        .split('\n')
        .find((line) => line.includes('a provider refused the credential') && line.includes('"account":"claude"'));
    await eventually('a warning', () => warning() !== undefined);
    const { level, target, status, reason } = JSON.parse(warning()!);
    assert.deepEqual([level, target, status], ['warn', 'claude/claude-opus-4-5', 401]);
    assert.match(reason, /^The provider answered 401 .*Refused key: \[redacted\]\. See https:\/\/x$/);
    const record = await recordOf(gateway, 'oai-gpt-4o-403');
    assert.match(String(record['error.message']), /answered 403 .*Refused key: \[redacted\]/);
  });
});
