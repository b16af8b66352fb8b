import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { eventually, KEY, type RunningGateway, startGateway } from './gateway.ts';
import { type Answer, completion, type FakeProvider, sendJson, startProvider } from './provider.ts';

const CHAT = '/v1/chat/completions';

export interface Setting {
  readonly provider: FakeProvider;
  readonly gateway: RunningGateway;
  readonly client: OpenAI;
}

export const sdk = ({ url }: RunningGateway) => new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });

export async function started(
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

export async function setting(t: TestContext, answer: Answer, server: Record<string, unknown> = {}): Promise<Setting> {
  const provider = await startProvider(answer);
  t.after(() => provider.close());
  const gateway = await started(t, provider, server);
  return { provider, gateway, client: sdk(gateway) };
}

export async function create(client: OpenAI, count: number, modelOf = (_line: number) => 'mock/m'): Promise<string> {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      custom_id: `line-${index}`,
      method: 'POST',
      url: CHAT,
      body: { model: modelOf(index), messages: [{ role: 'user', content: `line-${index}` }] },
    }),
  );
  const file = await toFile(Buffer.from(lines.join('\n')), 'in.jsonl');
  const { id: input_file_id } = await client.files.create({ file, purpose: 'batch' });
  return (await client.batches.create({ input_file_id, endpoint: CHAT, completion_window: '24h' })).id;
}

export async function until(
  client: OpenAI,
  id: string,
  holds: (batch: OpenAI.Batch) => boolean,
  withinMs = 30_000,
): Promise<OpenAI.Batch> {
  let batch = await client.batches.retrieve(id);
  await eventually(
    `batch ${id} is as awaited`,
    async () => {
      batch = await client.batches.retrieve(id);
      return holds(batch);
    },
    withinMs,
  );
  return batch;
}

export async function idsIn(client: OpenAI, fileId: string | null | undefined): Promise<string[]> {
  assert.ok(fileId, 'there is no such file');
  const text = await (await client.files.content(fileId)).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
}

export const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line-${index}`);
export const inAWhile: Answer = (request, response) => {
  const { messages } = JSON.parse(request.body.toString()) as { messages: { content: string }[] };
  setTimeout(() => sendJson(response, 200, completion(messages[0]?.content ?? '')), 20);
};
