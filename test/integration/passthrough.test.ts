import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;

const stream = chunkEvent({ role: 'assistant', content: '' }) + chunkEvent({ content: 'Hé' }) + chunkEvent({}, 'stop');

before(async () => {
  provider = await startProvider((request, response) => {
    const asked = JSON.parse(request.body.toString());
    if (!asked.stream) return sendJson(response, 200, completion('hello'));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(stream + (asked.stream_options?.include_usage ? USAGE_EVENT : '') + DONE_EVENT);
  });
  gateway = await startGateway({ manifests: [selfHosted('local', `${provider.origin}/v1`, ['m', 'metered'])] });
});
disposeAfter(() => [gateway, provider]);

const ask = (body: object, base = '/v1'): Promise<Response> =>
  fetch(`${gateway.url}${base}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const messages = [{ role: 'user', content: 'hi' }];

test('a whole answer reaches the client byte for byte, under every base path', async () => {
  for (const base of ['', '/v1', '/api/llm', '/api/llm/v1']) {
    const response = await ask({ model: 'local/m', messages }, base);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), JSON.stringify(completion('hello')));
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'local/m');
    assert.match(response.headers.get('server-timing') ?? '', /^gateway;dur=[\d.]+, upstream;dur=[\d.]+$/);
  }
});

test('usage is known for every stream, and a client that did not ask for it does not see it', async () => {
  const response = await ask({ model: 'local/metered', messages, stream: true });
  assert.equal(await response.text(), stream + DONE_EVENT);
  assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()).stream_options, { include_usage: true });
  const counted = () => gateway.metric('ai_gateway_output_tokens_total', { model_name: 'local/metered' });
  await eventually('the usage is counted', async () => (await counted()) > 0);
  assert.equal(await counted(), 7);
});

test('a client that asks for usage gets the usage event', async () => {
  const response = await ask({ model: 'local/m', messages, stream: true, stream_options: { include_usage: true } });
  assert.equal(await response.text(), stream + USAGE_EVENT + DONE_EVENT);
});
