import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type Answer, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

const CHAT = '/v1/chat/completions';

interface Setting {
  readonly provider: FakeProvider;
  readonly gateway: RunningGateway;
  readonly client: OpenAI;
}

const sdk = ({ url }: RunningGateway) => new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });

async function started(
  t: TestContext,
  provider: FakeProvider,
  server: Record<string, unknown> = {},
  folder?: string,
): Promise<RunningGateway> {
  const account = {
    type: 'provider-account/openai',
    name: 'mock',
    base_url: `${provider.origin}/v1`,
    auth_data: { type: 'api-key', api_key: 'sk-provider' },
  };
  const gateway = await startGateway({ server, manifests: [account], ...(folder !== undefined && { folder }) });
  t.after(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

async function setting(t: TestContext, answer: Answer, server: Record<string, unknown> = {}): Promise<Setting> {
  const provider = await startProvider(answer);
  t.after(() => provider.close());
  const gateway = await started(t, provider, server);
  return { provider, gateway, client: sdk(gateway) };
}

async function create(client: OpenAI, count: number): Promise<string> {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      custom_id: `line-${index}`,
      method: 'POST',
      url: CHAT,
      body: { model: 'mock/m', messages: [{ role: 'user', content: `line-${index}` }] },
    }),
  );
  const file = await toFile(Buffer.from(lines.join('\n')), 'in.jsonl');
  const { id: input_file_id } = await client.files.create({ file, purpose: 'batch' });
  return (await client.batches.create({ input_file_id, endpoint: CHAT, completion_window: '24h' })).id;
}

async function until(client: OpenAI, id: string, holds: (batch: OpenAI.Batch) => boolean): Promise<OpenAI.Batch> {
  let batch = await client.batches.retrieve(id);
  await eventually(
    `batch ${id} is as awaited`,
    async () => {
      batch = await client.batches.retrieve(id);
      return holds(batch);
    },
    30_000,
  );
  return batch;
}

async function idsIn(client: OpenAI, fileId: string | null | undefined): Promise<string[]> {
  assert.ok(fileId, 'there is no such file');
  const text = await (await client.files.content(fileId)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line-${index}`);
const inAWhile: Answer = (request, response) => {
  const { messages } = JSON.parse(request.body.toString()) as { messages: { content: string }[] };
  setTimeout(() => sendJson(response, 200, completion(messages[0]?.content ?? '')), 20);
};

test('a batch whose gateway is killed goes on: each line once in the output, and no more sent twice than were under way', async (t) => {
  const lines = 600;
  const concurrency = 8;
  const server = { threads: 2, batches: { max_concurrency: concurrency } };
  const { provider, gateway, client } = await setting(t, inAWhile, server);
  const id = await create(client, lines);
  const atKill = await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 100);
  assert.equal(atKill.status, 'in_progress');
  gateway.process.kill('SIGKILL');
  await gateway.exited;
  const next = sdk(await started(t, provider, server, gateway.folder));
  const between = await next.batches.retrieve(id);
  assert.ok((between.request_counts?.completed ?? 0) >= (atKill.request_counts?.completed ?? 0));
  const batch = await until(next, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: lines, completed: lines, failed: 0 });
  assert.deepEqual(await idsIn(next, batch.output_file_id), numbered(lines));
  const twice = provider.requests.length - lines;
  t.diagnostic(`${twice} lines were sent twice`);
  assert.ok(twice <= concurrency, `${twice} lines were sent twice`);
});

test('a gateway that drains gives its lines back, ends in time and goes on after its next start', async (t) => {
  const server = { batches: { max_concurrency: 4 }, timeouts: { drain_ms: 5_000 } };
  const { provider, gateway, client } = await setting(t, inAWhile, server);
  const id = await create(client, 200);
  await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 20);
  assert.equal(await gateway.stop(), 0);
  const next = sdk(await started(t, provider, server, gateway.folder));
  const batch = await until(next, id, ({ status }) => status === 'completed');
  assert.deepEqual(await idsIn(next, batch.output_file_id), numbered(200));
  // Those under way ended before it did.
  assert.equal(provider.requests.length, 200);
});

test('a provider that is too busy gets the lines at the pace that it says, and each is answered in the end', async (t) => {
  const waitMs = 1_000;
  let openAt = 0;
  let early = 0;
  let refused = 0;
  const { client } = await setting(
    t,
    (request, response, incoming) => {
      const now = performance.now();
      if (openAt === 0) openAt = now + waitMs;
      if (now >= openAt) {
        inAWhile(request, response, incoming);
        return;
      }
      refused += 1;
      // What was under way with the first refusal may still come; nothing later.
      if (now > openAt - waitMs / 2) early += 1;
      response.setHeader('retry-after', '1');
      sendJson(response, 429, { error: { message: 'slow down', type: 'rate_limit_error' } });
    },
    { batches: { max_concurrency: 8, max_attempts: 1 } },
  );
  const id = await create(client, 40);
  const batch = await until(client, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 40, completed: 40, failed: 0 });
  assert.ok(refused > 0 && refused <= 8, `${refused} refused`);
  assert.equal(early, 0);
});

test('a line is tried again where it fails for a moment, and not for ever', async (t) => {
  const seen = new Map<string, number>();
  const { client, provider } = await setting(
    t,
    (request, response, incoming) => {
      const { messages } = JSON.parse(request.body.toString()) as { messages: { content: string }[] };
      const name = messages[0]?.content ?? '';
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      if (name === 'line-1' || (name === 'line-0' && count === 1)) {
        sendJson(response, 500, { error: { message: 'oops' } });
      } else inAWhile(request, response, incoming);
    },
    { batches: { max_attempts: 2 } },
  );
  const id = await create(client, 3);
  const batch = await until(client, id, ({ status }) => status === 'completed');
  assert.deepEqual({ ...batch.request_counts }, { total: 3, completed: 2, failed: 1 });
  assert.deepEqual(await idsIn(client, batch.output_file_id), ['line-0', 'line-2']);
  assert.deepEqual(await idsIn(client, batch.error_file_id), ['line-1']);
  assert.equal(provider.requests.length, 5);
});

test('a batch that is cancelled keeps what was answered, and sends nothing more', async (t) => {
  const { client, provider } = await setting(t, inAWhile, { batches: { max_concurrency: 4 } });
  const id = await create(client, 1_000);
  await until(client, id, ({ request_counts: counts }) => (counts?.completed ?? 0) >= 20);
  assert.equal((await client.batches.cancel(id)).status, 'cancelling');
  const batch = await until(client, id, ({ status }) => status === 'cancelled');
  assert.ok(batch.cancelling_at && batch.cancelled_at);
  const completed = batch.request_counts?.completed ?? 0;
  assert.ok(completed < 1_000);
  const ids = await idsIn(client, batch.output_file_id);
  assert.equal(ids.length, completed);
  assert.equal(provider.requests.length, completed);
});

test('the input of a batch that runs cannot be deleted', async (t) => {
  const { client } = await setting(t, inAWhile, { batches: { max_concurrency: 1 } });
  const id = await create(client, 100);
  const { input_file_id } = await client.batches.retrieve(id);
  await assert.rejects(client.files.delete(input_file_id), { status: 409 });
  assert.equal((await client.files.retrieve(input_file_id)).id, input_file_id);
  await client.batches.cancel(id);
  await until(client, id, ({ status }) => status === 'cancelled');
  assert.equal((await client.files.delete(input_file_id)).deleted, true);
});
