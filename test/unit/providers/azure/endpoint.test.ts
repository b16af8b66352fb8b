import assert from 'node:assert/strict';
import { test } from 'node:test';
import { azurePlaces, readEndpoint } from '../../../../src/providers/azure/endpoint.ts';
import type { Target } from '../../../../src/providers/provider.ts';

const FOUNDRY = 'https://res.services.ai.azure.com';

for (const [written, base, form, apiVersion] of [
  ['https://res.openai.azure.com', 'https://res.openai.azure.com', undefined, undefined],
  ['https://res.openai.azure.com/', 'https://res.openai.azure.com', undefined, undefined],
  ['https://res.openai.azure.com/openai', 'https://res.openai.azure.com', undefined, undefined],
  ['https://res.openai.azure.com/openai/v1/', 'https://res.openai.azure.com', 'v1', undefined],
  [
    'https://res.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21',
    'https://res.openai.azure.com',
    'deployments',
    '2024-10-21',
  ],
  [`${FOUNDRY}/models`, FOUNDRY, 'models', undefined],
  [`${FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview`, FOUNDRY, 'models', '2024-05-01-preview'],
  [`${FOUNDRY}/anthropic/v1/messages`, FOUNDRY, 'claude', undefined],
  [`${FOUNDRY}/api/projects/house`, FOUNDRY, undefined, undefined],
  ['https://llama-1.eastus.models.ai.azure.com', 'https://llama-1.eastus.models.ai.azure.com', 'host', undefined],
  ['https://apim.example.com/azure/openai', 'https://apim.example.com/azure', undefined, undefined],
] as const) {
  test(`the address ${written} of Azure is that of a resource, and says the form ${form}`, () => {
    const { host } = new URL(base);
    assert.deepEqual(readEndpoint(written), { base, host, form, apiVersion });
  });
}

test('a gateway in front of Azure keeps its own path in front of each form', () => {
  const endpoint = readEndpoint('https://apim.example.com/azure');
  const target = { modelId: 'my gpt' } as Target;
  const paths = (['v1', 'deployments', 'models', 'claude', 'host'] as const).flatMap((form) =>
    azurePlaces(endpoint, form, undefined).map(({ path }) => path?.(target, { stream: true })),
  );
  const ofVersion1 = ['chat/completions', 'embeddings', 'completions', 'images/generations', 'images/edits'];
  ofVersion1.push('audio/speech', 'audio/transcriptions', 'audio/translations');
  assert.deepEqual(paths, [
    ...ofVersion1.map((each) => `/azure/openai/v1/${each}`),
    '/azure/openai/v1/responses',
    '/azure/openai/v1/realtime?model=my%20gpt',
    '/azure/providers/cohere/v2/rerank',
    '/azure/providers/mistral/azure/ocr',
    ...ofVersion1.map((each) => `/azure/openai/deployments/my%20gpt/${each}?api-version=2024-10-21`),
    '/azure/openai/v1/realtime?model=my%20gpt',
    '/azure/models/chat/completions?api-version=2024-05-01-preview',
    '/azure/models/embeddings?api-version=2024-05-01-preview',
    '/azure/anthropic/v1/messages',
    ...['chat/completions', 'embeddings', 'completions', 'rerank', 'ocr'].map((each) => `/azure/v1/${each}`),
  ]);
});
