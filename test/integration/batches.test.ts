import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const OTHER_KEY = 'sk-other';
const keys = [
  { name: 'test', key: KEY, subject: 'virtualaccount:test' },
  { name: 'other', key: OTHER_KEY, subject: 'virtualaccount:other' },
];
const sdk = (at: RunningGateway, apiKey: string) => new OpenAI({ baseURL: `${at.url}/v1`, apiKey, maxRetries: 0 });

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;
let other: OpenAI;

before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, {}));
  const own = openAccount('own', `${provider.origin}/v1`, {
    integrations: [
      { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt', model_types: ['chat', 'responses'] },
    ],
  });
  gateway = await startGateway({ keys, manifests: [own], server: { threads: 2, demo: true } });
  client = sdk(gateway, KEY);
  other = sdk(gateway, OTHER_KEY);
});
disposeAfter(() => [gateway, provider]);

const CHAT = '/v1/chat/completions';
const chat = (custom_id: string, more: object = {}) => ({
  custom_id,
  method: 'POST',
  url: CHAT,
  body: { model: 'demo/chat', messages: [{ role: 'user', content: custom_id }], ...more },
});

interface ResultLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    status_code: number;
    request_id: string;
    body: { object?: string; error?: { code: string; param: string } };
  } | null;
  readonly error: { code: string; message: string } | null;
}

async function upload(lines: readonly object[], at = client): Promise<string> {
  const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
  return (await at.files.create({ file: await toFile(Buffer.from(text), 'in.jsonl'), purpose: 'batch' })).id;
}

async function ended(id: string, at = client): Promise<OpenAI.Batch> {
  let batch = await at.batches.retrieve(id);
  await eventually(
    `batch ${id} has ended`,
    async () => {
      batch = await at.batches.retrieve(id);
      return ['completed', 'failed', 'expired', 'cancelled'].includes(batch.status);
    },
    30_000,
  );
  return batch;
}

async function linesOf(fileId: string | null | undefined, at = client): Promise<ResultLine[]> {
  assert.ok(fileId, 'there is no such file');
  const text = await (await at.files.content(fileId)).text();
  assert.ok(text.endsWith('\n'));
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ResultLine);
}

async function run(lines: readonly object[], endpoint = CHAT): Promise<OpenAI.Batch> {
  const input_file_id = await upload(lines);
  const { id } = await client.batches.create({
    input_file_id,
    endpoint: endpoint as OpenAI.BatchCreateParams['endpoint'],
    completion_window: '24h',
  });
  return ended(id);
}

async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof APIError, String(error));
  return { status: error.status, code: error.code, param: error.param, message: error.message };
}

test('the official SDK drives a batch of a hundred lines from its file to its output, in the order of the input', async () => {
  const ids = Array.from({ length: 100 }, (_, index) => `line-${index}`);
  const input_file_id = await upload(ids.map((id) => chat(id)));
  const made = await client.batches.create({
    input_file_id,
    endpoint: CHAT,
    completion_window: '24h',
    metadata: { night: 'run' },
  });
  assert.equal(made.object, 'batch');
  assert.equal(made.status, 'validating');
  assert.equal(made.expires_at, made.created_at + 86_400);
  const batch = await ended(made.id);
  assert.equal(batch.status, 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 100, completed: 100, failed: 0 });
  assert.deepEqual({ ...batch.metadata }, { night: 'run' });
  assert.ok(batch.in_progress_at && batch.finalizing_at && batch.completed_at);
  assert.equal(batch.error_file_id, null);
  const lines = await linesOf(batch.output_file_id);
  assert.deepEqual(
    lines.map(({ custom_id }) => custom_id),
    ids,
  );
  assert.equal(new Set(lines.map(({ id }) => id)).size, 100);
  for (const { response, error } of lines) {
    assert.equal(error, null);
    assert.equal(response?.status_code, 200);
    assert.equal(response?.body.object, 'chat.completion');
  }
  const direct = await fetch(`${gateway.url}/v1/batches/${batch.id}/output`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  assert.equal((await direct.text()).trimEnd().split('\n').length, 100);
  const listed = await client.files.retrieve(batch.output_file_id ?? '');
  assert.equal(listed.purpose, 'batch_output');
  await eventually('each line has one record, which names batch and line', async () => {
    return gateway.records({ 'http.request.id': `${batch.id}:7`, 'http.response.status_code': 200 }).length === 1;
  });
});
test('lines that fail are in the error file, with status and body as a client would have got them', async () => {
  const batch = await run([
    chat('good'),
    chat('no such model', { model: 'demo/nothing' }),
    chat('streams', { stream: true }),
  ]);
  assert.equal(batch.status, 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 1, failed: 2 });
  assert.deepEqual(
    (await linesOf(batch.output_file_id)).map(({ custom_id }) => custom_id),
    ['good'],
  );
  const [unknown, streams] = await linesOf(batch.error_file_id);
  assert.equal(unknown?.custom_id, 'no such model');
  assert.equal(unknown?.response?.status_code, 404);
  assert.equal(unknown?.response?.body.error?.code, 'model_not_found');
  assert.equal(streams?.response?.status_code, 400);
  assert.equal(streams?.response?.body.error?.param, 'stream');
});

test('a line that asks for an answer in the background is refused, whoever its provider is', async () => {
  const asked = provider.requests.length;
  const line = (model: string) => ({
    custom_id: model,
    method: 'POST',
    url: '/v1/responses',
    body: { model, input: 'Hi', background: true },
  });
  const batch = await run([line('demo/chat'), line('own/gpt')], '/v1/responses');
  assert.deepEqual({ ...batch.request_counts }, { total: 2, completed: 0, failed: 2 });
  for (const { response } of await linesOf(batch.error_file_id)) {
    assert.equal(response?.status_code, 400);
    assert.equal(response?.body.error?.code, 'unsupported_parameter');
    assert.equal(response?.body.error?.param, 'background');
  }
  assert.equal(provider.requests.length, asked);
});

test('every endpoint that is asked and answered in JSON runs in a batch, under each of its paths', async () => {
  const bodies: Record<string, object> = {
    '/v1/chat/completions': chat('a').body,
    '/chat/completions': chat('a').body,
    '/v1/embeddings': { model: 'demo/embedding', input: 'a' },
    '/embeddings': { model: 'demo/embedding', input: 'a' },
    '/v1/completions': { model: 'demo/chat', prompt: 'a' },
    '/v1/moderations': { model: 'demo/moderation', input: 'a' },
    '/v1/messages': { model: 'demo/chat', max_tokens: 100, messages: [{ role: 'user', content: 'a' }] },
    '/v1/responses': { model: 'demo/chat', input: 'a', store: false },
    '/v1/rerank': { model: 'demo/rerank', query: 'a', documents: ['a', 'b'] },
  };
  await Promise.all(
    Object.entries(bodies).map(async ([url, body]) => {
      const batch = await run([{ custom_id: url, method: 'POST', url, body }], url);
      assert.deepEqual({ ...batch.request_counts }, { total: 1, completed: 1, failed: 0 }, url);
      const [line] = await linesOf(batch.output_file_id);
      assert.equal(line?.response?.status_code, 200, url);
    }),
  );
});

describe('what is refused', () => {
  test('an unknown file, one of another purpose or of somebody else, and an endpoint that no batch has', async () => {
    const foreign = await upload([chat('a')], other);
    const notes = await client.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'user_data' });
    const request = { endpoint: CHAT, completion_window: '24h' } as const;
    for (const input_file_id of ['file-none', foreign, notes.id]) {
      const { status, param } = await refusal(client.batches.create({ ...request, input_file_id }));
      assert.deepEqual([status, param], [400, 'input_file_id'], input_file_id);
    }
    const input_file_id = await upload([chat('a')]);
    const endpoint = '/v1/audio/speech' as typeof CHAT;
    const { status, param, message } = await refusal(client.batches.create({ ...request, input_file_id, endpoint }));
    assert.deepEqual([status, param], [400, 'endpoint']);
    assert.match(message, /\/v1\/embeddings/);
    const window = { input_file_id, endpoint: CHAT, completion_window: '1y' as '24h' } as const;
    assert.equal((await refusal(client.batches.create(window))).param, 'completion_window');
    const { endpoint: _left, ...without } = window;
    assert.equal((await refusal(client.batches.create(without as typeof window))).param, 'endpoint');
  });

  test('a batch whose lines have another endpoint fails and names them', async () => {
    const batch = await run([chat('a'), { ...chat('b'), url: '/v1/embeddings' }]);
    assert.equal(batch.status, 'failed');
    assert.ok(batch.failed_at);
    const [fault] = batch.errors?.data ?? [];
    assert.deepEqual([fault?.code, fault?.line], ['mismatched_endpoint', 2]);
  });

  test('for anybody else a batch does not exist', async () => {
    const { id } = await client.batches.create({
      input_file_id: await upload([chat('a')]),
      endpoint: CHAT,
      completion_window: '24h',
    });
    assert.deepEqual((await other.batches.list()).data, []);
    assert.equal((await refusal(other.batches.retrieve(id))).status, 404);
    assert.equal((await refusal(other.batches.cancel(id))).status, 404);
    await ended(id);
    assert.equal((await refusal(client.batches.cancel(id))).status, 409);
  });
});

test('batches are listed page by page, the newest first', async () => {
  const ids: string[] = [];
  for await (const { id } of client.batches.list({ limit: 2 })) ids.push(id);
  assert.ok(ids.length > 5);
  assert.equal(new Set(ids).size, ids.length);
  const [first] = (await client.batches.list({ limit: 1 })).data;
  assert.equal(first?.id, ids[0]);
});
