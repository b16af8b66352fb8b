import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type Answer, type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';

const CHAT = '/v1/chat/completions';
const CLAUDE = 'claude-haiku-4-5';
const MINI = 'gpt-4o-mini';
const MISTRAL = 'mistral-small-latest';
const GEMINI = 'gemini-2.5-flash';
const AT = '2026-01-01T00:00:00Z';

let provider: FakeProvider;
let gateway: RunningGateway;
/** How far the batch at the fake Anthropic is. */
let state: 'in_progress' | 'canceling' | 'ended' = 'in_progress';

const messageBatch = (id: string) => {
  const isOver = state === 'ended';
  return {
    id,
    type: 'message_batch',
    processing_status: state,
    request_counts: {
      processing: isOver ? 0 : 3,
      succeeded: isOver ? 2 : 0,
      errored: isOver ? 1 : 0,
      canceled: 0,
      expired: 0,
    },
    created_at: AT,
    expires_at: '2026-01-02T00:00:00Z',
    ended_at: isOver ? '2026-01-01T00:10:00Z' : null,
    cancel_initiated_at: state === 'canceling' ? AT : null,
    results_url: isOver ? `https://api.anthropic.com/v1/messages/batches/${id}/results` : null,
  };
};
const message = (text: string) => ({
  type: 'succeeded',
  message: {
    id: `msg_${text}`,
    type: 'message',
    role: 'assistant',
    model: `${CLAUDE}-20251001`,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 1_000, output_tokens: 100, service_tier: 'batch' },
  },
});
const failure = {
  type: 'errored',
  error: { type: 'error', error: { type: 'invalid_request_error', message: 'too long' } },
};
const jsonLines = (lines: readonly object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const results = jsonLines([
  { custom_id: 'b', result: message('zwei') },
  { custom_id: 'a', result: message('eins') },
  { custom_id: 'c', result: failure },
]);
const openAiLine = (index: number) => ({
  id: `batch_req_${index}`,
  custom_id: `l${index}`,
  response: {
    status_code: 200,
    request_id: `r${index}`,
    body: {
      id: `chatcmpl-${index}`,
      object: 'chat.completion',
      model: `${MINI}-2024-07-18`,
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 },
    },
  },
  error: null,
});
/** One more that its provider could not answer. */
const mistralErrors = jsonLines([
  { id: 'e', custom_id: 'l9', response: { status_code: 422, body: { message: 'too hot', type: 'invalid_request' } } },
]);
const mistralOutput = jsonLines(
  [0, 1].map((index) => {
    const made = openAiLine(index);
    const body = { ...made.response.body, model: MISTRAL };
    return { ...made, response: { ...made.response, body } };
  }),
);
const mistralJob = (id: string, status: string) => ({
  id,
  object: 'batch',
  status,
  endpoint: CHAT,
  output_file: status === 'SUCCESS' ? 'out' : null,
  error_file: status === 'SUCCESS' ? 'err' : null,
  created_at: 1_767_225_600,
  completed_at: status === 'SUCCESS' ? 1_767_226_000 : null,
  total_requests: 3,
  succeeded_requests: 2,
  failed_requests: 1,
});
/** The newest first; more than are asked for at once. */
const mistralJobs = Array.from({ length: 205 }, (_, index) => mistralJob(`job-${205 - index}`, 'RUNNING'));

const geminiItem = (key: string, text: string) => ({
  metadata: { key },
  response: {
    candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 1_000, candidatesTokenCount: 100, totalTokenCount: 1_100 },
    modelVersion: GEMINI,
    responseId: `r-${key}`,
  },
});
const geminiItems = [
  geminiItem('a', 'eins'),
  { metadata: { key: 'b' }, error: { code: 400, message: 'no such tool', status: 'INVALID_ARGUMENT' } },
  geminiItem('c', 'drei'),
];
const geminiBatch = (state: string) => {
  const isOver = state === 'SUCCEEDED';
  const output = isOver ? { inlinedResponses: { inlinedResponses: geminiItems } } : {};
  return {
    name: 'batches/g1',
    metadata: {
      model: `models/${GEMINI}`,
      state: `BATCH_STATE_${state}`,
      createTime: AT,
      endTime: isOver ? '2026-01-01T00:10:00.5Z' : undefined,
      batchStats: { requestCount: '3', ...(isOver && { successfulRequestCount: '2', failedRequestCount: '1' }) },
      ...(isOver && { output }),
    },
    ...(isOver && { done: true, response: output }),
  };
};
let geminiState = 'PENDING';

/** Beyond 272,000 tokens a request of this model costs twice as much. */
const STEPPED = 'gpt-5.4';
const MANY = 80;
const MOST_OF_A_STEP = 250_000;
const LONG = 300_000;
/** Together more tokens than one request can have, and one line without reason. */
const largeOutput = jsonLines(
  [...Array.from({ length: MANY }, () => MOST_OF_A_STEP), LONG, LONG, 2 ** 40].map((prompt_tokens, index) => {
    const made = openAiLine(index);
    const usage = { prompt_tokens, completion_tokens: 1_000, total_tokens: prompt_tokens + 1_000 };
    return { ...made, response: { ...made.response, body: { ...made.response.body, model: STEPPED, usage } } };
  }),
);

const openAiOutput = jsonLines([openAiLine(0), openAiLine(1)]);

const answer: Answer = (request, response) => {
  const { pathname, searchParams } = new URL(request.path, 'http://x');
  const text = (type: string, body: string) => response.writeHead(200, { 'content-type': type }).end(body);
  if (pathname === '/v1/messages/batches' && request.method === 'POST')
    sendJson(response, 200, messageBatch('msgbatch_1'));
  else if (pathname === '/v1/messages/batches') {
    assert.equal(searchParams.get('limit'), '2');
    sendJson(response, 200, { data: [messageBatch('msgbatch_1')], has_more: true });
  } else if (pathname.endsWith('/results')) text('application/x-jsonl', results);
  else if (pathname === '/v1/messages/batches/msgbatch_1/cancel') {
    state = 'canceling';
    sendJson(response, 200, messageBatch('msgbatch_1'));
  } else if (pathname === '/v1/messages/batches/msgbatch_1') sendJson(response, 200, messageBatch('msgbatch_1'));
  else if (pathname === '/v1/batches/batch_1' || pathname === '/v1/batches/batch_2')
    sendJson(response, 200, {
      id: pathname.slice('/v1/batches/'.length),
      object: 'batch',
      status: 'completed',
      endpoint: CHAT,
      output_file_id: pathname.endsWith('1') ? 'file-out' : 'file-large',
      created_at: 1_767_225_600,
      request_counts: { total: 2, completed: 2, failed: 0 },
      own: 1.5e300,
    });
  else if (pathname === '/v1/batch/jobs' && request.method === 'POST')
    sendJson(response, 200, mistralJob('job-1', 'QUEUED'));
  else if (pathname === '/v1/batch/jobs') {
    const [page, size] = [Number(searchParams.get('page')), Number(searchParams.get('page_size'))];
    const data = mistralJobs.slice(page * size, (page + 1) * size);
    sendJson(response, 200, { object: 'list', data, total: mistralJobs.length });
  } else if (pathname === '/v1/batch/jobs/job-1') sendJson(response, 200, mistralJob('job-1', 'SUCCESS'));
  else if (pathname === '/v1/batch/jobs/job-3') {
    const outputs = mistralOutput
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each));
    sendJson(response, 200, { ...mistralJob('job-3', 'SUCCESS'), output_file: null, error_file: null, outputs });
  } else if (pathname === '/v1/batch/jobs/job-2/cancel')
    sendJson(response, 200, mistralJob('job-2', 'CANCELLATION_REQUESTED'));
  else if (pathname === '/v1/files/out/content') text('application/octet-stream', mistralOutput);
  else if (pathname === '/v1/files/err/content') text('application/octet-stream', mistralErrors);
  else if (pathname === `/v1beta/models/${GEMINI}:batchGenerateContent`)
    sendJson(response, 200, geminiBatch('PENDING'));
  else if (pathname === '/v1beta/batches/g1') sendJson(response, 200, geminiBatch(geminiState));
  else if (pathname === '/v1beta/batches/g1:cancel') {
    geminiState = 'CANCELLED';
    sendJson(response, 200, {});
  } else if (pathname === '/v1beta/batches')
    sendJson(response, 200, { operations: [geminiBatch('SUCCEEDED')], nextPageToken: '' });
  else if (pathname === '/v1/files/file-large/content') text('application/octet-stream', largeOutput);
  else if (pathname === '/v1/files/file-out/content') text('application/octet-stream', openAiOutput);
  else sendJson(response, 404, { error: { type: 'not_found_error', message: 'no such batch' } });
};

const accounts = (origin: string) => [
  {
    type: 'provider-account/anthropic',
    name: 'claude',
    base_url: origin,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
    integrations: [{ type: 'integration/model/anthropic', name: 'haiku', model_id: CLAUDE, model_types: ['chat'] }],
  },
  {
    type: 'provider-account/openai',
    name: 'main',
    base_url: `${origin}/v1`,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  },
  {
    type: 'provider-account/google-gemini',
    name: 'gem',
    base_url: `${origin}/v1beta`,
    auth_data: { type: 'api-key', apiKey: 'key' },
    integrations: [{ type: 'integration/model/gemini', name: 'flash', model_id: GEMINI, model_types: ['chat'] }],
  },
  {
    type: 'provider-account/mistral-ai',
    name: 'mistral',
    base_url: `${origin}/v1`,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  },
  {
    type: 'provider-account/cohere',
    name: 'co',
    base_url: origin,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  },
];

before(async () => {
  provider = await startProvider(answer);
  gateway = await startGateway({ manifests: accounts(provider.origin) });
});
after(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await provider?.close();
});

const sdk = (account: string | undefined, at = gateway) =>
  new OpenAI({
    baseURL: `${at.url}/v1`,
    apiKey: KEY,
    maxRetries: 0,
    ...(account !== undefined && { defaultHeaders: { 'x-tfy-provider-name': account } }),
  });
const line = (custom_id: string, model: string, more: object = {}) => ({
  custom_id,
  method: 'POST',
  url: CHAT,
  body: { model, messages: [{ role: 'user', content: custom_id }], ...more },
});
async function upload(lines: readonly object[]): Promise<string> {
  const file = await toFile(Buffer.from(jsonLines(lines)), 'in.jsonl');
  return (await sdk(undefined).files.create({ file, purpose: 'batch' })).id;
}
const begin = (input_file_id: string, account = 'claude') =>
  sdk(account).batches.create({ input_file_id, endpoint: CHAT, completion_window: '24h', metadata: { night: 'run' } });
async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof APIError, String(error));
  return { status: error.status, message: error.message };
}
const sent = (path: string) => provider.requests.filter((request: ReceivedRequest) => request.path === path);
/** Cents of a million tokens are not repeated here: what is charged is what such answers cost at half the price. */
const charged = (model: string, at = gateway) =>
  at.records({ 'gen_ai.request.model': model }).filter((record) => record['gen_ai.usage.input_tokens'] === 2_000);

describe('a batch that Anthropic runs', () => {
  test('the official SDK drives it in OpenAI’s form, from its file to lines of OpenAI’s', async () => {
    const lines = [line('a', 'claude/haiku'), line('b', 'haiku', { max_tokens: 7 }), line('c', 'haiku')];
    const made = await begin(await upload(lines));
    assert.deepEqual([made.id, made.status, made.endpoint], ['msgbatch_1', 'in_progress', CHAT]);
    assert.deepEqual({ ...made.metadata }, { night: 'run' });
    const { requests } = JSON.parse(provider.requests.at(-1)!.body.toString());
    assert.equal(provider.requests.at(-1)!.headers['x-api-key'], 'sk-provider');
    assert.deepEqual(
      requests.map(({ custom_id, params }: { custom_id: string; params: { model: string } }) => [
        custom_id,
        params.model,
      ]),
      [
        ['a', CLAUDE],
        ['b', CLAUDE],
        ['c', CLAUDE],
      ],
    );
    assert.equal(requests[1].params.max_tokens, 7);
    const early = await fetch(`${gateway.url}/v1/batches/${made.id}/output`, {
      headers: { authorization: `Bearer ${KEY}`, 'x-tfy-provider-name': 'claude' },
    });
    assert.equal(early.status, 404);
    state = 'ended';
    const client = sdk('claude');
    const batch = await client.batches.retrieve(made.id);
    assert.equal(batch.status, 'completed');
    assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 2, failed: 1 });
    assert.deepEqual({ ...batch.metadata }, { night: 'run' });
    assert.equal(batch.completed_at, Date.parse('2026-01-01T00:10:00Z') / 1000);
    const text = await (await client.files.content(batch.output_file_id ?? '')).text();
    const output = text
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each));
    assert.deepEqual(
      output.map(({ custom_id, response }) => [custom_id, response?.body.choices[0].message.content]),
      [
        ['b', 'zwei'],
        ['a', 'eins'],
        ['c', undefined],
      ],
    );
    assert.equal(output[0].response.body.object, 'chat.completion');
    assert.equal(output[0].response.status_code, 200);
    assert.deepEqual(output[2].error, { code: 'invalid_request_error', message: 'too long' });
    const page = await client.batches.list({ limit: 2 });
    assert.deepEqual([page.data[0]?.id, page.has_more], [made.id, true]);
  });

  test('it is charged once at the price of batches, however often it is shown and its output fetched', async () => {
    const client = sdk('claude');
    for (let index = 0; index < 3; index += 1) {
      await client.batches.retrieve('msgbatch_1');
      await (await client.files.content('batch-output-msgbatch_1')).text();
    }
    await eventually('it is charged', async () => charged('claude/haiku').length > 0);
    const records = charged('claude/haiku');
    assert.equal(records.length, 1);
    assert.equal(records[0]?.['gen_ai.usage.output_tokens'], 200);
    // 1 and 5 dollars a million, at half of it.
    assert.equal(records[0]?.['sluice.cost.usd'], (2_000 * 1 + 200 * 5) / 2e6);
  });

  test('it is cancelled in OpenAI’s words, and one that is not there is none', async () => {
    state = 'in_progress';
    assert.equal((await sdk('claude').batches.cancel('msgbatch_1')).status, 'cancelling');
    const unknown = await refusal(sdk('claude').batches.retrieve('msgbatch_2'));
    assert.equal(unknown.status, 404);
  });

  test('a line that its provider cannot be asked is refused by number, and nothing is sent', async () => {
    const before = sent('/v1/messages/batches').length;
    const unknown = await refusal(begin(await upload([line('a', 'haiku'), line('b', 'opus')])));
    assert.deepEqual([unknown.status, /Line 2: .*opus/.test(unknown.message)], [400, true], unknown.message);
    const streamed = await refusal(begin(await upload([line('a', 'haiku', { stream: true })])));
    assert.match(streamed.message, /Line 1/);
    const foreign = await refusal(begin('file-none'));
    assert.match(foreign.message, /upload it without x-tfy-provider-name/);
    assert.equal(sent('/v1/messages/batches').length, before);
  });
});

describe('a batch that OpenAI runs', () => {
  test('it is shown as it came, its output passes byte for byte, and it is charged once', async () => {
    const headers = { authorization: `Bearer ${KEY}`, 'x-tfy-provider-name': 'main' };
    for (let index = 0; index < 2; index += 1) {
      const shown = await (await fetch(`${gateway.url}/v1/batches/batch_1`, { headers })).text();
      assert.match(shown, /"own":1.5e\+?300/);
      const output = await fetch(`${gateway.url}/v1/batches/batch_1/output`, { headers });
      assert.equal(await output.text(), openAiOutput);
    }
    const model = `main/${MINI}-2024-07-18`;
    await eventually('it is charged', async () => charged(model).length > 0);
    assert.equal(charged(model).length, 1);
    // 0.15 and 0.6 dollars a million, at half of it.
    assert.equal(charged(model)[0]?.['sluice.cost.usd'], (2_000 * 0.15 + 200 * 0.6) / 2e6);
  });
});

test('a batch is charged for each line by the step of the price that this line reached, however many lines it has', async () => {
  const headers = { authorization: `Bearer ${KEY}`, 'x-tfy-provider-name': 'main' };
  await fetch(`${gateway.url}/v1/batches/batch_2`, { headers });
  const records = () =>
    gateway
      .records({ 'gen_ai.request.model': `main/${STEPPED}` })
      .map((record) => [
        record['gen_ai.usage.input_tokens'],
        record['gen_ai.usage.output_tokens'],
        record['sluice.cost.usd'],
      ]);
  await eventually('it is charged', async () => records().length === 2);
  // Half of 2.5 and 15 dollars a million, and half of 5 and 22.5; of the last line only its output can be true.
  const short = MANY * MOST_OF_A_STEP;
  assert.deepEqual(records(), [
    [short, (MANY + 1) * 1_000, (short * 2.5 + (MANY + 1) * 1_000 * 15) / 2e6],
    [2 * LONG, 2_000, (2 * LONG * 5 + 2_000 * 22.5) / 2e6],
  ]);
  assert.equal(await gateway.metric('sluice_ledger_lost_total'), 0);
});

/** What a client makes of the output of a batch. */
async function outputOf(account: string, file: string | null | undefined) {
  const text = await (await sdk(account).files.content(file ?? '')).text();
  return text
    .trimEnd()
    .split('\n')
    .map((each) => JSON.parse(each));
}

describe('a batch that Mistral runs', () => {
  test('its lines go to a job, whose files of results and of errors come back as lines of OpenAI’s', async () => {
    const lines = [line('l0', `mistral/${MISTRAL}`, { max_completion_tokens: 5 }), line('l1', MISTRAL)];
    const made = await begin(await upload(lines), 'mistral');
    assert.deepEqual([made.id, made.status, made.endpoint], ['job-1', 'in_progress', CHAT]);
    const asked = JSON.parse(sent('/v1/batch/jobs').at(-1)!.body.toString());
    assert.deepEqual([asked.endpoint, asked.model, asked.timeout_hours], [CHAT, MISTRAL, 24]);
    assert.deepEqual(
      asked.requests.map(({ custom_id, body }: { custom_id: string; body: object }) => [custom_id, body]),
      [
        ['l0', { model: MISTRAL, messages: [{ role: 'user', content: 'l0' }], max_tokens: 5 }],
        ['l1', { model: MISTRAL, messages: [{ role: 'user', content: 'l1' }] }],
      ],
    );
    const batch = await sdk('mistral').batches.retrieve('job-1');
    assert.deepEqual([batch.status, batch.completed_at], ['completed', 1_767_226_000]);
    assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 2, failed: 1 });
    const output = await outputOf('mistral', batch.output_file_id);
    assert.deepEqual(
      output.map(({ custom_id, response, error }) => [custom_id, response?.body.usage.total_tokens, error?.message]),
      [
        ['l0', 1_100, undefined],
        ['l1', 1_100, undefined],
        ['l9', undefined, 'too hot'],
      ],
    );
    await eventually('it is charged', async () => charged(`mistral/${MISTRAL}`).length > 0);
    const [record, ...others] = charged(`mistral/${MISTRAL}`);
    assert.equal(others.length, 0);
    assert.equal(record?.['gen_ai.usage.output_tokens'], 200);
    assert.ok(Number(record?.['sluice.cost.usd']) > 0, String(record?.['sluice.cost.usd']));
  });

  test('results that stand in the job are read as those of files are', async () => {
    const batch = await sdk('mistral').batches.retrieve('job-3');
    assert.equal(batch.status, 'completed');
    const output = await outputOf('mistral', batch.output_file_id);
    assert.deepEqual(
      output.map(({ custom_id, response }) => [custom_id, response.body.usage.total_tokens]),
      [
        ['l0', 1_100],
        ['l1', 1_100],
      ],
    );
    await eventually('it is charged', async () => charged(`mistral/${MISTRAL}`).length === 2);
  });

  test('its jobs are listed behind any of them, though it counts pages, and are cancelled', async () => {
    const client = sdk('mistral');
    const ids: string[] = [];
    for await (const { id } of client.batches.list({ limit: 60 })) ids.push(id);
    assert.deepEqual(
      ids,
      mistralJobs.map(({ id }) => id),
    );
    const unknown = await refusal(client.batches.list({ after: 'job-0' }));
    assert.deepEqual([unknown.status, /newest 2000/.test(unknown.message)], [400, true], unknown.message);
    assert.equal((await client.batches.cancel('job-2')).status, 'cancelling');
  });

  test('an endpoint that batches of Mistral do not have is refused', async () => {
    const asked = {
      completion_window: '24h',
      input_file_id: await upload([line('a', MISTRAL)]),
      endpoint: '/v1/rerank',
    };
    const { message } = await refusal(sdk('mistral').post('/batches', { body: asked }));
    assert.match(message, /Without x-tfy-provider-name the gateway runs the batch itself/);
  });
});

describe('a batch that Gemini runs', () => {
  test('its lines go within one request, and its results, which stand in the batch, come back as lines of OpenAI’s', async () => {
    const lines = [line('a', 'gem/flash'), line('b', 'flash'), line('c', GEMINI, { max_tokens: 5 })];
    const made = await begin(await upload(lines.slice(0, 2)), 'gem');
    assert.deepEqual([made.id, made.status], ['g1', 'in_progress']);
    const { batch: asked } = JSON.parse(sent(`/v1beta/models/${GEMINI}:batchGenerateContent`).at(-1)!.body.toString());
    assert.deepEqual(
      asked.inputConfig.requests.requests.map(({ metadata, request }: { metadata: object; request: object }) => [
        metadata,
        request,
      ]),
      ['a', 'b'].map((key) => [
        { key },
        { contents: [{ role: 'user', parts: [{ text: key }] }], generationConfig: {} },
      ]),
    );
    geminiState = 'SUCCEEDED';
    const client = sdk('gem');
    const batch = await client.batches.retrieve('g1');
    assert.deepEqual([batch.status, batch.completed_at], ['completed', Date.parse('2026-01-01T00:10:00Z') / 1000]);
    assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 2, failed: 1 });
    for (let index = 0; index < 2; index += 1) {
      const output = await outputOf('gem', batch.output_file_id);
      assert.deepEqual(
        output.map(({ custom_id, response, error }) => [
          custom_id,
          response?.body.choices[0].message.content,
          error?.message,
        ]),
        [
          ['a', 'eins', undefined],
          ['b', undefined, 'no such tool'],
          ['c', 'drei', undefined],
        ],
      );
      assert.equal(output[0].response.body.object, 'chat.completion');
    }
    await eventually('it is charged', async () => charged('gem/flash').length > 0);
    assert.equal(charged('gem/flash').length, 1);
    // 0.3 and 2.5 dollars a million, at half of it.
    assert.equal(charged('gem/flash')[0]?.['sluice.cost.usd'], (2_000 * 0.3 + 200 * 2.5) / 2e6);
  });

  test('it is listed, and cancelled though its provider says nothing to that', async () => {
    const page = await sdk('gem').batches.list({ limit: 2 });
    assert.deepEqual([page.data.map(({ id }) => id), page.has_more], [['g1'], false]);
    geminiState = 'RUNNING';
    assert.equal((await sdk('gem').batches.cancel('g1')).status, 'cancelled');
  });

  test('a batch of several models is refused by Gemini’s account', async (t) => {
    const gem = { ...accounts(provider.origin)[2], name: 'any', integrations: undefined };
    const other = await startGateway({ manifests: [gem] });
    t.after(() => other[Symbol.asyncDispose]());
    const client = sdk('any', other);
    const file = await toFile(Buffer.from(jsonLines([line('a', GEMINI), line('b', 'gemini-2.5-pro')])), 'in.jsonl');
    const { id } = await sdk(undefined, other).files.create({ file, purpose: 'batch' });
    const asked = { input_file_id: id, endpoint: CHAT, completion_window: '24h' } as const;
    assert.match((await refusal(client.batches.create(asked))).message, /one model, and this one asks 2/);
  });
});

test('a provider whose batches are elsewhere says so, and what to do', async () => {
  const { status, message } = await refusal(begin('file-x', 'co'));
  assert.equal(status, 400);
  assert.match(message, /data sets.*Without x-tfy-provider-name the gateway runs the batch itself/);
});
