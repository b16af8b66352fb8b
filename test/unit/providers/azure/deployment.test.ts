import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anthropicMessages } from '../../../../src/dialects/anthropic-messages/index.ts';
import { plug as foundry } from '../../../../src/providers/azure/azure-foundry.ts';
import { plug as openAi } from '../../../../src/providers/azure/azure-openai.ts';
import type { Target } from '../../../../src/providers/provider.ts';
import { mountFor } from '../../../../src/relay/choose-mount.ts';
import { translateRequest } from '../../../../src/relay/request-translation.ts';

const auth_data = { type: 'api-key', api_key: 'key' };
const azure_endpoint = 'https://res.openai.azure.com';

function targetOf(kind: 'azure-openai' | 'azure-foundry', model: object): Target {
  const integration = { type: `integration/model/${kind}`, name: 'm', model_types: ['chat'], ...model };
  const manifest = { type: `provider-account/${kind}`, name: 'a' };
  const own = { auth_data, azure_endpoint };
  const account =
    kind === 'azure-openai'
      ? openAi.open({ ...manifest, ...own, integrations: [integration] }, new Map())
      : foundry.open({ ...manifest, integrations: [{ ...integration, ...own }] }, new Map());
  return account.listed[0]!;
}

/** The request that is sent for a message with a tool. */
function sent(target: Target): Record<string, unknown> {
  const { wire } = mountFor(target, anthropicMessages)!;
  const request = {
    model: 'a/m',
    max_tokens: 99_999,
    temperature: 0.5,
    messages: [{ role: 'user', content: 'Hello' }],
    tools: [{ name: 'look', input_schema: { type: 'object', properties: {} } }],
  };
  const asked = { body: Buffer.from(JSON.stringify(request)), cacheMarker: undefined };
  const made = translateRequest(anthropicMessages.translation!, wire.translation!, target, asked);
  assert.ok('body' in made && Buffer.isBuffer(made.body), String(made));
  const adapted = wire.translation!.adapted!(made.body, target);
  assert.ok(Buffer.isBuffer(adapted), String(adapted));
  return JSON.parse(adapted.toString());
}

for (const kind of ['azure-openai', 'azure-foundry'] as const) {
  test(`a deployment of ${kind} is asked as the model that it is, whatever it is called`, () => {
    for (const model of [
      { model_id: 'gpt-5.4' },
      { model_id: 'prod', foundation_model: 'gpt-5.4' },
      { model_id: 'prod', name: 'gpt-5.4' },
    ]) {
      const body = sent(targetOf(kind, model));
      assert.equal(body['model'], model.model_id);
      // It takes functions in a chat only where it does not reason, and no sampling.
      assert.deepEqual([body['reasoning_effort'], body['temperature']], ['none', undefined]);
    }
    const older = sent(targetOf(kind, { model_id: 'prod', name: 'gpt-5.4', foundation_model: 'gpt-4o' }));
    assert.deepEqual([older['reasoning_effort'], older['temperature']], [undefined, 0.5]);
    assert.equal(older['max_completion_tokens'] ?? older['max_tokens'], 16_384);
  });
}
