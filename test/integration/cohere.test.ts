import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, startEvents } from '../support/scripted-provider.ts';

const event = (value: { type: string } & Record<string, unknown>) =>
  `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
const text = (value: string) =>
  event({ type: 'content-delta', index: 0, delta: { message: { content: { text: value } } } });
const opening =
  event({ type: 'message-start', id: 'co-1', delta: { message: { role: 'assistant' } } }) +
  event({ type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } });
const usage = {
  billed_units: { input_tokens: 8, output_tokens: 2 },
  tokens: { input_tokens: 503, output_tokens: 11 },
  cached_tokens: 448,
};
const closing =
  event({ type: 'content-end', index: 0 }) +
  event({ type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } });

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider(
    byModel({
      text: (request, response) => {
        if (JSON.parse(request.body.toString()).stream) {
          startEvents(response);
          response.end(`${opening}${text('Grü')}${text('ezi')}${closing}data: [DONE]\n\n`);
          return;
        }
        const message = { role: 'assistant', content: [{ type: 'text', text: 'Grüezi' }] };
        sendJson(response, 200, { id: 'co-1', message, finish_reason: 'COMPLETE', usage });
      },
      // Behind its own end nothing is missing, whatever the connection does.
      'ends-itself': (_request, response) => {
        startEvents(response);
        response.write(`${opening}${text('all')}${closing}`, () => response.destroy());
      },
      breaks: (_request, response) => {
        startEvents(response);
        response.end(opening + text('half an ans'));
      },
      fails: (_request, response) => {
        startEvents(response);
        const delta = { finish_reason: 'ERROR', error: 'The model broke.' };
        response.end(opening + text('half an ans') + event({ type: 'message-end', delta }));
      },
      'fails-first': (_request, response) => {
        startEvents(response);
        response.end(event({ type: 'message-end', delta: { finish_reason: 'TIMEOUT' } }));
      },
      'bad-key': (_request, response) =>
        sendJson(response, 401, { id: 'x', message: 'Incorrect API key provided: co-secret-key-123456.' }),
      'too-long': (_request, response) =>
        sendJson(response, 400, { error_type: 'TOO_MANY_TOKENS', id: 'x', message: 'too many tokens' }),
    }),
  );
  const cost = { metric: 'per_1000_tokens', value: { input: 0.0025, output: 0.01 } };
  const names = ['text', 'ends-itself', 'breaks', 'fails', 'fails-first', 'bad-key', 'too-long'];
  gateway = await startGateway({
    manifests: [
      {
        type: 'provider-account/cohere',
        name: 'co',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: 'co-secret-key-123456' },
        integrations: names.map((name) => ({
          type: 'integration/model/cohere',
          name,
          model_id: name,
          model_types: ['chat'],
          cost,
        })),
      },
    ],
  });
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 0 });
});

after(async () => {
  await gateway?.stop();
  await provider?.close();
});

const asked = { messages: [{ role: 'user' as const, content: 'hi' }] };

describe('a model of Cohere behind OpenAI’s SDK', () => {
  test('a whole answer of Cohere has its text and usage, and costs what Cohere bills', async () => {
    const requestId = 'whole-answer-of-cohere';
    const headers = { 'x-request-id': requestId };
    const data = await client.chat.completions.create({ model: 'co/text', ...asked }, { headers });
    assert.equal(data.choices[0]?.message.content, 'Grüezi');
    assert.equal(data.usage?.prompt_tokens, 503);
    assert.equal(data.usage?.prompt_tokens_details?.cached_tokens, 448);
    const record = await recordOf(gateway, requestId);
    assert.equal(record['sluice.cost.usd'], (8 * 0.0025 + 2 * 0.01) / 1000);
  });

  test('a stream of Cohere comes as chunks with its usage, and ends with its own end', async () => {
    for (const [model, said] of [
      ['co/text', 'Grüezi'],
      ['co/ends-itself', 'all'],
    ] as const) {
      const stream = await client.chat.completions.create({
        model,
        ...asked,
        stream: true,
        stream_options: { include_usage: true },
      });
      let content = '';
      let completionTokens: number | undefined;
      for await (const chunk of stream) {
        content += chunk.choices[0]?.delta.content ?? '';
        completionTokens = chunk.usage?.completion_tokens;
      }
      assert.deepEqual([content, completionTokens], [said, 11]);
    }
  });

  test('a stream of Cohere that breaks off or says that it failed never looks whole', async () => {
    for (const model of ['co/breaks', 'co/fails']) {
      const stream = await client.chat.completions.create({ model, ...asked, stream: true });
      await assert.rejects(async () => {
        for await (const _ of stream);
      }, model);
    }
  });

  test('a failure of Cohere before its first content has a status, and its words of our key reach nobody', async () => {
    const failed = await ask(gateway, { model: 'co/fails-first', messages, stream: true });
    assert.equal(failed.status, 502);
    assert.match((await errorOf(failed)).message, /TIMEOUT/);
    const refused = await ask(gateway, { model: 'co/bad-key', messages });
    assert.equal(refused.status, 502);
    assert.doesNotMatch(JSON.stringify(await errorOf(refused)), /co-secret/);
    const long = await ask(gateway, { model: 'co/too-long', messages });
    assert.deepEqual([long.status, (await errorOf(long)).message.includes('too many tokens')], [400, true]);
  });
});
