import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publishedModel } from '../../../../src/providers/google-vertex/published-model.ts';

for (const [written, form, modelId] of [
  ['gemini-2.5-flash', 'gemini', 'gemini-2.5-flash'],
  ['google/gemini-3-pro-preview', 'gemini', 'gemini-3-pro-preview'],
  ['publishers/google/models/gemini-2.5-pro', 'gemini', 'gemini-2.5-pro'],
  ['projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro', 'gemini', 'gemini-2.5-pro'],
  ['1234567890', 'gemini', 'endpoints/1234567890'],
  ['endpoints/1234567890', 'gemini', 'endpoints/1234567890'],
  ['claude-sonnet-4-5@20250929', 'claude', 'claude-sonnet-4-5@20250929'],
  ['anthropic/claude-opus-4-1', 'claude', 'claude-opus-4-1'],
  ['mistral-small-2503', 'mistral', 'mistral-small-2503'],
  ['mistralai/codestral-2501', 'mistral', 'codestral-2501'],
  ['meta/llama-3.3-70b-instruct-maas', 'openai', 'meta/llama-3.3-70b-instruct-maas'],
  ['llama-3.3-70b-instruct-maas', 'openai', 'meta/llama-3.3-70b-instruct-maas'],
  ['deepseek-v3.1-maas', 'openai', 'deepseek-ai/deepseek-v3.1-maas'],
  ['openai/gpt-oss-120b-maas', 'openai', 'openai/gpt-oss-120b-maas'],
  ['gemma-4-26b-a4b-it-maas', 'openai', 'google/gemma-4-26b-a4b-it-maas'],
] as const) {
  test(`the id ${written} of Vertex is asked in the form of ${form}, as ${modelId}`, () => {
    assert.deepEqual(publishedModel(written), { form, modelId });
  });
}
