import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plug as azureFoundry } from '../../../../src/providers/azure/azure-foundry.ts';
import { plug as azureOpenAi } from '../../../../src/providers/azure/azure-openai.ts';
import type { Target } from '../../../../src/providers/provider.ts';

const NO_TOKENS = new Map();
const auth_data = { type: 'api-key', api_key: 'key-of-the-resource' };

/** What a deployment gets of these parameters. */
function sent(target: Target | undefined, parameters: object): object {
  assert.ok(target);
  const body = Buffer.from(JSON.stringify(parameters));
  const edits = target.rules?.parameters?.ofBody(body, body.length, body.length) ?? [];
  assert.ok(Array.isArray(edits));
  let text = body.toString();
  for (const { start, end, bytes } of edits.toReversed()) {
    text = text.slice(0, start) + bytes.toString() + text.slice(end);
  }
  return JSON.parse(text);
}

test('a deployment of Azure OpenAI gets what its model takes, whatever the deployment is called', () => {
  const integration = (name: string, foundation_model: string) => ({
    type: 'integration/model/azure-openai',
    name,
    model_id: name,
    foundation_model,
    model_types: ['chat'],
  });
  const account = azureOpenAi.open(
    azureOpenAi.schema.parse({
      type: azureOpenAi.type,
      name: 'az',
      auth_data,
      azure_endpoint: 'https://res.openai.azure.com',
      integrations: [integration('thinker', 'gpt-5'), integration('talker', 'gpt-4o')],
    }),
    NO_TOKENS,
  );
  assert.deepEqual(sent(account.target('thinker'), { max_tokens: 7 }), { max_completion_tokens: 7 });
  assert.deepEqual(sent(account.target('talker'), { max_tokens: 7 }), { max_tokens: 7 });
  assert.equal(account.target('talker')?.rules?.maxToolCallIdCharacters, 40);
});

test('the older address of Foundry gets the older name of max_completion_tokens, but for models of OpenAI', () => {
  const integration = (model_id: string, azure_endpoint: string) => ({
    type: 'integration/model/azure-foundry',
    name: model_id,
    model_id,
    azure_endpoint,
    auth_data,
    model_types: ['chat'],
  });
  const open = (...integrations: object[]) =>
    azureFoundry.open(azureFoundry.schema.parse({ type: azureFoundry.type, name: 'f', integrations }), NO_TOKENS);
  const older = 'https://res.services.ai.azure.com/models';
  const account = open(integration('Mistral-Large', older), integration('gpt-5', older));
  const asked = { max_completion_tokens: 7 };
  assert.deepEqual(sent(account.target('Mistral-Large'), asked), { max_tokens: 7 });
  assert.deepEqual(sent(account.target('gpt-5'), asked), asked);
  const newer = open(integration('Mistral-Large', 'https://res.services.ai.azure.com'));
  assert.deepEqual(sent(newer.target('Mistral-Large'), asked), asked);
});
