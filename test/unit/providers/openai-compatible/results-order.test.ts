import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { anthropicMessages } from '../../../../src/dialects/anthropic-messages/index.ts';
import { openAiChatWire } from '../../../../src/providers/openai-compatible/wire.ts';
import { translateRequest } from '../../../../src/relay/request-translation.ts';
import { exampleTarget } from '../../../support/targets.ts';

/** The roles of the messages that a model is asked with, each by its first letter. */
function roles(model: string, ...behind: object[]): string {
  const messages = [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: 'ok' }, ...behind] },
  ];
  const body = Buffer.from(JSON.stringify({ max_tokens: 10, messages }));
  const target = { ...exampleTarget, modelId: model };
  const { translation } = anthropicMessages;
  const made = translateRequest(translation, openAiChatWire.translation!, target, { body, cacheMarker: undefined });
  assert.ok(!(made instanceof GatewayError) && Buffer.isBuffer(made.body));
  const asked: { messages: { role: string; content: string }[] } = JSON.parse(made.body.toString());
  for (const { role, content } of asked.messages) if (role !== 'assistant') assert.notEqual(content, '');
  return asked.messages.map(({ role }) => role[0]).join('');
}

test('models of Mistral’s get an answer between results and what the user says beside them, which they demand', () => {
  const text = { type: 'text', text: 'Go on' };
  for (const model of [
    'mistral-large-latest',
    'mistralai/Devstral-Small-2-24B',
    'magistral-medium',
    'codestral-2508',
  ]) {
    assert.deepEqual([roles(model, text), roles(model)], ['uatau', 'uat'], model);
  }
  for (const model of ['qwen3', 'llama-4', 'gpt-4o']) assert.equal(roles(model, text), 'uatu', model);
});
