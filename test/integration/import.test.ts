import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ask, messages } from '../support/chat-client.ts';
import { startGateway } from '../support/gateway.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { sluice } from '../support/sluice-command.ts';

test('clients of LiteLLM go on with the names and the key that they have, on what `sluice import` prints', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-import-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const provider = await startProvider((request, response) => {
    const { model } = JSON.parse(request.body.toString());
    if (model === 'broken') sendJson(response, 503, { error: { message: 'no', type: 'server_error' } });
    else sendJson(response, 200, completion(`of ${model} with ${request.headers.authorization}`));
  });
  t.after(() => provider[Symbol.asyncDispose]());
  const api_base = `${provider.origin}/v1`;
  const theirs = {
    model_list: [
      { model_name: 'gpt-4o', litellm_params: { model: 'openai/large', api_base, api_key: 'os.environ/THEIR_KEY' } },
      { model_name: 'frail', litellm_params: { model: 'openai/broken', api_base, api_key: 'sk-in-the-file' } },
      { model_name: 'team/small', litellm_params: { model: 'hosted_vllm/small', api_base } },
      { model_name: 'any/*', litellm_params: { model: 'openai/*', api_base, api_key: 'os.environ/THEIR_KEY' } },
    ],
    litellm_settings: { num_retries: 0, fallbacks: [{ frail: ['gpt-4o'] }] },
    router_settings: { model_group_alias: { 'gpt-4': 'gpt-4o' } },
    general_settings: { master_key: 'os.environ/LITELLM_MASTER_KEY' },
  };
  const file = join(folder, 'config.yaml');
  await writeFile(file, JSON.stringify(theirs));
  const { code, stdout, stderr } = await sluice(['import', file]);
  assert.equal(code, 0, stderr);

  const made = parseAllDocuments(stdout).map((document) => document.toJS());
  const { type: _type, ...server } = made.find(({ type }) => type === 'sluice/server');
  const { keys } = made.find(({ type }) => type === 'sluice/api-keys');
  const manifests = made.filter(({ type }) => !type.startsWith('sluice/'));
  const secret = /set (\w+) to it/.exec(stderr)?.[1] ?? '';
  const environment = {
    THEIR_KEY: 'sk-theirs',
    LITELLM_MASTER_KEY: 'sk-a-long-master-key',
    [secret]: 'sk-in-the-file',
  };
  const gateway = await startGateway({
    server: { ...server, operator: { host: '127.0.0.1', port: 0, ...server.operator } },
    keys,
    manifests,
    environment,
  });
  t.after(() => gateway[Symbol.asyncDispose]());
  for (const [model, answer] of [
    ['gpt-4o', 'of large with Bearer sk-theirs'],
    ['gpt-4', 'of large with Bearer sk-theirs'],
    ['frail', 'of large with Bearer sk-theirs'],
    ['team/small', 'of small with undefined'],
    ['any/other', 'of other with Bearer sk-theirs'],
  ] as const) {
    const response = await ask(gateway, { model, messages }, { key: 'sk-a-long-master-key' });
    const text = await response.text();
    assert.ok(text.includes(`"${answer}"`), `${model}: ${text}`);
  }
});
