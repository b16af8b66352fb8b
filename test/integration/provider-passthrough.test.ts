import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import OpenAI from 'openai';
import { awsEvent } from '../support/aws-events.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';
import { signatureFault } from '../support/signed-request.ts';

const SECRET = 'sk-of-the-provider';
const AWS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const FEW = 'sk-few-1234567890';
const LIMITED = 'sk-limited-1234567890';
const TOKEN = 'sk-plain-token-123456';

let provider: FakeProvider;
let gateway: RunningGateway;

const last = () => provider.requests.at(-1)!;

before(async () => {
  provider = await startProvider(async (request, response) => {
    const { pathname } = new URL(request.path, 'http://x');
    if (pathname.startsWith('/model/')) {
      const fault = await signatureFault(request, AWS, { region: 'eu-west-1', service: 'bedrock' });
      if (fault) sendJson(response, 403, { message: fault });
      else if (pathname.endsWith('-stream')) {
        response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
        const usage = { inputTokens: 5, outputTokens: 7, totalTokens: 12 };
        response.write(awsEvent('messageStart', { role: 'assistant' }));
        response.write(awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Grüezi' } }));
        response.write(awsEvent('messageStop', { stopReason: 'end_turn' }));
        response.end(awsEvent('metadata', { usage }));
      } else {
        sendJson(response, 200, {
          output: { message: { role: 'assistant', content: [{ text: 'Grüezi' }] } },
          stopReason: 'end_turn',
          usage: { inputTokens: 5, outputTokens: 7, totalTokens: 12 },
        });
      }
    } else if (pathname.includes(':streamGenerateContent')) {
      startEvents(response);
      const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 };
      const parts = { content: { role: 'model', parts: [{ text: 'Hi' }] }, finishReason: 'STOP' };
      response.end(`data: ${JSON.stringify({ candidates: [parts], usageMetadata })}\r\n\r\n`);
    } else if (pathname.includes(':generateContent')) {
      sendJson(response, 200, {
        candidates: [{ content: { role: 'model', parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 },
      });
    } else if (pathname === '/v1/files' && request.method === 'POST') {
      sendJson(response, 200, {
        id: 'file-1',
        object: 'file',
        bytes: request.body.length,
        filename: 'a',
        purpose: 'batch',
      });
    } else if (pathname === '/v1/files/file-1/content') {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment' });
      response.end(Buffer.from('line one\nline two\n'));
    } else if (pathname === '/v1/fine_tuning/jobs') {
      sendJson(response, 200, {
        object: 'list',
        data: [{ id: 'ftjob-1', object: 'fine_tuning.job' }],
        has_more: false,
      });
    } else if (pathname.startsWith('/v1/batches')) {
      sendJson(response, 200, { id: 'batch_1', object: 'batch', status: 'validating' });
    } else if (pathname === '/v1/messages/count_tokens') sendJson(response, 200, { input_tokens: 3 });
    else if (pathname === '/v1/messages/batches') {
      sendJson(response, 200, { data: [], has_more: false, first_id: null, last_id: null });
    } else if (pathname === '/v1/odd/stream') {
      startEvents(response);
      response.write(chunkEvent({ content: 'a' }));
      response.end(DONE_EVENT);
    } else if (request.method === 'DELETE') {
      sendJson(response, 200, { id: 'ft:x', object: 'model', deleted: true });
    } else if (pathname === '/v1/chat/completions' && request.method === 'GET') {
      sendJson(response, 200, { object: 'list', data: [], has_more: false });
    } else if (pathname === '/v1/chat/completions') sendJson(response, 200, completion('hello'));
    else sendJson(response, 200, { path: request.path, method: request.method, body: request.body.toString('latin1') });
  });
  const models = (type: string, ids: Record<string, string>) =>
    Object.entries(ids).map(([name, model_id]) => ({ name, type, model_id, model_types: ['chat'] }));
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'few', key: FEW, subject: 'virtualaccount:few', models: ['oai/small', 'gem/flash', 'aws/nova'] },
      { name: 'limited', key: LIMITED, subject: 'virtualaccount:limited' },
      { name: 'token', key: TOKEN, subject: 'virtualaccount:token' },
    ],
    manifests: [
      openAccount('oai', `${provider.origin}/v1`, {
        integrations: models('integration/model/openai', { small: 'gpt-4o-mini', large: 'gpt-4o' }),
      }),
      openAccount('any', `${provider.origin}/v1`),
      {
        type: 'provider-account/anthropic',
        name: 'claude',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: SECRET },
      },
      {
        type: 'provider-account/google-gemini',
        name: 'gem',
        base_url: `${provider.origin}/v1beta`,
        auth_data: { type: 'api-key', apiKey: SECRET },
        integrations: models('integration/model/gemini', { flash: 'gemini-2.5-flash', pro: 'gemini-2.5-pro' }),
      },
      {
        type: 'provider-account/aws-bedrock',
        name: 'aws',
        region: 'eu-west-1',
        base_url: provider.origin,
        auth_data: {
          type: 'access-key-based',
          access_key_id: AWS.accessKeyId,
          secret_access_key: AWS.secretAccessKey,
        },
        integrations: models('integration/model/bedrock', {
          nova: 'amazon.nova-lite-v1:0',
          claude: 'anthropic.claude-x',
        }),
      },
      {
        type: 'provider-account/deepgram',
        name: 'dg',
        base_url: provider.origin,
        auth_data: { type: 'api-key', api_key: SECRET },
      },
      {
        type: 'gateway-rate-limiting-config',
        rules: [{ id: 'two', when: { subjects: ['virtualaccount:limited'] }, unit: 'requests_per_hour', limit_to: 2 }],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider]);

const call = (path: string, init: RequestInit = {}, key = KEY): Promise<Response> =>
  fetch(`${gateway.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
  });
const json = (body: object, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});

describe('a path of a provider’s own', () => {
  test('x-tfy-provider-name, x-tfy-model-name and the query name the account whose provider is asked', async () => {
    for (const [path, headers] of [
      ['/v1/odd/thing?x=1', { 'x-tfy-provider-name': 'oai' }],
      ['/api/llm/v1/odd/thing?x=1', { 'x-tfy-model-name': 'oai/small' }],
      ['/v1/odd/thing?x=1&tfyProviderName=oai', {}],
      ['/odd/thing?tfyModelName=oai%2Fsmall&x=1', {}],
    ] as const) {
      const response = await call(path, { headers });
      assert.equal(response.status, 200, path);
      assert.deepEqual(await response.json(), { path: '/v1/odd/thing?x=1', method: 'GET', body: '' });
      assert.equal(last().headers.authorization, `Bearer ${SECRET}`);
    }
  });

  test('without such a name a path that is none of the gateway’s is not found, and its own paths stay its own', async () => {
    assert.equal((await call('/v1/odd/thing')).status, 404);
    const response = await call(
      '/v1/chat/completions',
      json({ model: 'small', messages: [] }, { 'x-tfy-provider-name': 'oai' }),
    );
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'oai/small');
    assert.equal((await call('/v1/odd/thing', { headers: { 'x-tfy-provider-name': 'nobody' } })).status, 404);
  });

  test('the SDK of OpenAI reads files, batches, stored completions and fine-tuning jobs of the provider, and deletes models', async () => {
    const client = new OpenAI({
      apiKey: KEY,
      baseURL: `${gateway.url}/v1`,
      defaultHeaders: { 'x-tfy-provider-name': 'oai' },
      maxRetries: 0,
    });
    const bytes = randomBytes(3_000_000);
    const file = await client.files.create({ purpose: 'batch', file: new File([bytes], 'a.jsonl') });
    assert.equal(file.id, 'file-1');
    assert.ok(last().body.includes(bytes));
    assert.match(String(last().headers['content-type']), /^multipart\/form-data; boundary=/);
    assert.equal(await (await client.files.content('file-1')).text(), 'line one\nline two\n');
    const batch = await client.batches.create({
      input_file_id: 'file-1',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    assert.equal(batch.id, 'batch_1');
    assert.equal((await client.models.delete('ft:x')).deleted, true);
    assert.equal(last().path, '/v1/models/ft:x');
    assert.deepEqual((await client.chat.completions.list()).data, []);
    const jobs = await client.fineTuning.jobs.list();
    assert.equal(jobs.data[0]?.id, 'ftjob-1');
  });

  test('the SDK of Anthropic reads what only Anthropic has', async () => {
    const client = new Anthropic({
      apiKey: KEY,
      baseURL: gateway.url,
      defaultHeaders: { 'x-tfy-provider-name': 'claude' },
      maxRetries: 0,
    });
    const batches = await client.messages.batches.list();
    assert.deepEqual(batches.data, []);
    const { headers } = last();
    assert.equal(headers['x-api-key'], SECRET);
    assert.ok(headers['anthropic-version']);
  });

  test('an event stream passes event by event, byte for byte', async () => {
    const response = await call('/v1/odd/stream', { ...json({}), headers: { 'x-tfy-provider-name': 'oai' } });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.equal(await response.text(), chunkEvent({ content: 'a' }) + DONE_EVENT);
  });
});

describe('which model it is about', () => {
  test('the provider’s own id takes the place of the gateway’s, in the body and in the path', async () => {
    const headers = { 'x-tfy-provider-name': 'oai' };
    for (const model of ['oai/small', 'small', 'gpt-4o-mini']) {
      const response = await call('/v1/odd/thing', json({ a: 1, model, b: [1] }, headers));
      assert.equal(((await response.json()) as { body: string }).body, '{"a":1,"model":"gpt-4o-mini","b":[1]}');
      assert.equal(response.headers.get('x-tfy-resolved-model'), 'oai/small');
    }
    await (await call('/gemini/gem/proxy/v1beta/models/flash:generateContent', json({ contents: [] }))).text();
    assert.equal(last().path, '/v1beta/models/gemini-2.5-flash:generateContent');
  });

  test('a model that the account does not list is not asked', async () => {
    const response = await call('/v1/odd/thing', json({ model: 'gpt-5' }, { 'x-tfy-provider-name': 'oai' }));
    assert.equal(response.status, 404);
    const inPath = await call('/gemini/gem/proxy/v1beta/models/gemini-9:generateContent', json({}));
    assert.equal(inPath.status, 404);
  });

  test('a caller of some models of an account sends nothing that names another one, or none', async () => {
    const before = provider.requests.length;
    const headers = { 'x-tfy-provider-name': 'oai' };
    const asked: [string, RequestInit][] = [
      ['/v1/odd/thing', json({ model: 'large' }, headers)],
      ['/v1/odd/thing', json({ model: 'gpt-4o' }, { ...headers, 'x-tfy-model-name': 'oai/small' })],
      ['/v1/odd/thing', json({ input: 'no model' }, headers)],
      ['/v1/odd/thing', { headers }],
      ['/v1/odd/thing', { ...json({ model: 'small' }), headers: { ...headers, 'content-type': 'text/plain' } }],
      ['/v1/files', { headers }],
      ['/gemini/gem/proxy/v1beta/models/pro:generateContent', json({})],
      ['/gemini/gem/proxy/v1beta/models/pro:generateContent', json({ model: 'flash' })],
      ['/v1/odd/thing', { headers: { 'x-tfy-provider-name': 'claude' } }],
    ];
    for (const [path, init] of asked) {
      const response = await call(path, init, FEW);
      assert.equal(response.status, 403, `${path} ${init.body}`);
    }
    const typed = (type: string) =>
      call('/v1/odd/thing', { ...json({ model: 'small' }), headers: { ...headers, 'content-type': type } }, FEW);
    for (const charset of ['utf-16', '"shift_jis"', 'utf-7; x=y', 'utf-8-x', 'utf-16; charset=utf-8', '']) {
      assert.equal((await typed(`application/json; charset=${charset}`)).status, 403, charset);
    }
    const doubled = await call(
      '/v1/odd/thing',
      {
        method: 'POST',
        body: '{"model":"small","model":"large"}',
        headers: { ...headers, 'content-type': 'application/json' },
      },
      FEW,
    );
    assert.equal(doubled.status, 400);
    assert.equal(provider.requests.length, before);
    assert.equal((await call('/v1/odd/thing', json({ model: 'small' }, headers), FEW)).status, 200);
    for (const charset of ['utf-8', '"UTF-8"', 'utf8 ; x=y', 'us-ascii']) {
      assert.equal((await typed(`application/json; charset=${charset}`)).status, 200, charset);
    }
  });
});

describe('the product’s native mounts', () => {
  test('a client of Bedrock signs nothing: the gateway does, and the usage is known', async () => {
    const client = new BedrockRuntimeClient({
      region: 'eu-west-1',
      endpoint: `${gateway.url}/bedrock/proxy`,
      token: { token: TOKEN },
      authSchemePreference: ['httpBearerAuth'],
      maxAttempts: 1,
      // By default this one speaks HTTP/2 alone.
      requestHandler: new NodeHttpHandler(),
    });
    const messages = [{ role: 'user' as const, content: [{ text: 'hello' }] }];
    const whole = await client.send(new ConverseCommand({ modelId: 'amazon.nova-lite-v1:0', messages }));
    assert.equal(whole.output?.message?.content?.[0]?.text, 'Grüezi');
    const streamed = await client.send(new ConverseStreamCommand({ modelId: 'aws/nova', messages }));
    let text = '';
    for await (const event of streamed.stream ?? []) text += event.contentBlockDelta?.delta?.text ?? '';
    assert.equal(text, 'Grüezi');
    assert.equal(last().path, '/model/amazon.nova-lite-v1%3A0/converse-stream');
    const records = () => gateway.records({ 'gen_ai.request.model': 'aws/nova' });
    await eventually('two records', () => records().length === 2);
    for (const record of records()) {
      assert.equal(record['gen_ai.usage.input_tokens'], 5);
      assert.equal(record['gen_ai.usage.output_tokens'], 7);
    }
  });

  test('a client of Gemini brings its key in x-goog-api-key, and the usage is known', async () => {
    for (const [verb, id] of [
      ['generateContent', 'gemini-1'],
      ['streamGenerateContent?alt=sse', 'gemini-2'],
    ]) {
      const response = await fetch(`${gateway.url}/gemini/gem/proxy/v1beta/models/gemini-2.5-flash:${verb}`, {
        method: 'POST',
        body: '{"contents":[]}',
        headers: { 'content-type': 'application/json', 'x-goog-api-key': TOKEN, 'x-request-id': id! },
      });
      assert.equal(response.status, 200);
      await response.text();
      assert.equal(last().headers['x-goog-api-key'], SECRET);
      const record = await recordOf(gateway, id!);
      assert.equal(record['gen_ai.usage.input_tokens'], 5);
      assert.equal(record['gen_ai.usage.output_tokens'], 7);
      assert.equal(record['gen_ai.request.model'], 'gem/flash');
      assert.ok(Number(record['sluice.cost.usd']) > 0);
    }
  });

  test('audio in a vendor’s own form passes, and a client of Deepgram brings its key as `Token`', async () => {
    const audio = randomBytes(100_000);
    const response = await fetch(`${gateway.url}/stt/dg/v1/listen?model=nova-3`, {
      method: 'POST',
      body: audio,
      headers: { authorization: `Token ${TOKEN}`, 'content-type': 'audio/wav' },
    });
    const answer = (await response.json()) as { path: string };
    assert.equal(answer.path, '/v1/listen?model=nova-3');
    assert.ok(last().body.equals(audio));
    assert.equal(last().headers.authorization, `Token ${SECRET}`);
  });

  test('fine-tuning without the name of an account says how to name it', async () => {
    const response = await call('/v1/fine_tuning/jobs');
    assert.equal(response.status, 400);
    assert.match(await response.text(), /x-tfy-provider-name/);
  });
});

describe('what passes is counted', () => {
  test('requests count for limits, and a refusal names the rule', async () => {
    const headers = { 'x-tfy-provider-name': 'any' };
    for (let i = 0; i < 2; i += 1) assert.equal((await call('/v1/odd/thing', { headers }, LIMITED)).status, 200);
    const before = provider.requests.length;
    const refused = await call('/v1/odd/thing', { headers }, LIMITED);
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get('x-tfy-applied-rules')!, /"refused":"two"/);
    assert.equal(provider.requests.length, before);
  });

  test('a request that names no model is recorded as of `account/*`, and its cost is not known', async () => {
    const id = 'unnamed-1';
    await (await call('/v1/odd/thing', { headers: { 'x-tfy-provider-name': 'oai', 'x-request-id': id } })).text();
    const record = await recordOf(gateway, id);
    assert.equal(record['gen_ai.request.model'], 'oai/*');
    assert.equal(record['http.route'], '/{+path}');
    assert.equal(record['gen_ai.usage.input_tokens'], undefined);
  });
});
