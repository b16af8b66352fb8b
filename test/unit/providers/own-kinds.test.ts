import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { plug as cloudera } from '../../../src/providers/cloudera/index.ts';
import { plug as databricks } from '../../../src/providers/databricks/index.ts';
import type { ProviderPlug, Target } from '../../../src/providers/provider.ts';
import { plug as snowflake } from '../../../src/providers/snowflake-cortex/index.ts';
import { loadText } from '../config/manifest-folder.ts';

/** Where a target's chats go, and with which headers. */
function chatOf(target: Target | undefined) {
  const mount = target?.mounts.get('chat')?.[0];
  assert.ok(target && mount);
  const { origin } = mount.connection;
  const path = mount.path(target, { stream: false });
  const signed = mount.credential.sign({ method: 'POST', origin, path, headers: [], body: undefined });
  return { url: origin + path, headers: signed instanceof GatewayError ? signed : [...mount.headers, ...signed] };
}

function open(plug: ProviderPlug, manifest: object, tokens = new Map<string, AccountToken>()) {
  return plug.open(plug.schema.parse({ type: plug.type, name: 'a', ...manifest }), tokens);
}

function faults(plug: ProviderPlug, manifest: object): string[] {
  const source = JSON.stringify({ type: plug.type, name: 'a', ...manifest });
  return loadText({ after: () => {} } as never, source, {}, { kinds: [plug] }).faults;
}

test('a Databricks account asks the serving endpoints of its workspace, however its address was written', () => {
  for (const base_url of ['https://dbc.example', 'https://dbc.example/', 'https://dbc.example/serving-endpoints']) {
    const account = open(databricks, { base_url, auth_data: { type: 'api-key', api_key: 'dapi' } });
    assert.deepEqual(chatOf(account.target('m')), {
      url: 'https://dbc.example/serving-endpoints/chat/completions',
      headers: ['authorization', 'Bearer dapi'],
    });
  }
});

test('a Snowflake account asks the host of its identifier, and says what kind of token it has', () => {
  const auth_data = { type: 'pat-token', pat_token: 'pat' };
  const account = open(snowflake, { account_identifier: 'my_org-account', auth_data });
  assert.deepEqual(chatOf(account.target('m')), {
    url: 'https://my-org-account.snowflakecomputing.com/api/v2/cortex/v1/chat/completions',
    headers: ['x-snowflake-authorization-token-type', 'PROGRAMMATIC_ACCESS_TOKEN', 'authorization', 'Bearer pat'],
  });
  for (const account_identifier of ['https://x.snowflakecomputing.com', 'x/y', '']) {
    assert.equal(faults(snowflake, { account_identifier, auth_data }).length, 1, account_identifier);
  }
});

test('every Cloudera model has its own address, with the token of the account', () => {
  const model = { type: 'integration/model/cloudera', name: 'm', model_id: 'llama', model_types: ['chat'] };
  const integrations = [{ ...model, base_url: 'https://ml.example/llama/v1' }];
  const account = open(cloudera, { auth_data: { type: 'token', api_token: 't' }, integrations });
  assert.deepEqual(chatOf(account.target('m')), {
    url: 'https://ml.example/llama/v1/chat/completions',
    headers: ['authorization', 'Bearer t'],
  });
  assert.equal(account.target('llama'), undefined);
});
