import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { openAiChat } from '../../../../src/dialects/openai-chat/index.ts';
import { plug } from '../../../../src/providers/aws-claude-platform/index.ts';
import { mountFor } from '../../../../src/relay/choose-mount.ts';

const { type } = plug;
const base = { type, name: 'claude', region: 'us-west-2', workspace_id: 'wrkspc_01' };

function asked(more: object) {
  const target = plug.open(plug.schema.parse({ ...base, ...more }), new Map()).target('claude-sonnet-4-5');
  const mount = target && mountFor(target, openAiChat);
  assert.ok(target && mount);
  const { origin } = mount.connection;
  const path = mount.path(target, { stream: false });
  const signed = mount.credential.sign({ method: 'POST', origin, path, headers: [], body: Buffer.from('{}') });
  assert.ok(!(signed instanceof GatewayError));
  const headers = [...mount.headers, ...signed];
  const all = Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]]] : [])));
  return { url: origin + path, headers: all };
}

test('Anthropic’s API behind AWS is asked in the region, for a workspace, with a signature of its own service', () => {
  const keys = { type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 'secret' };
  const { url, headers } = asked({ auth_data: keys });
  assert.equal(url, 'https://aws-external-anthropic.us-west-2.api.aws/v1/messages');
  assert.equal(headers['anthropic-workspace-id'], 'wrkspc_01');
  assert.match(String(headers['authorization']), /Credential=AKID\/\d{8}\/us-west-2\/aws-external-anthropic\//);
});

test('Anthropic’s API behind AWS takes the key of a workspace as a bearer token, and another address', () => {
  const auth_data = { type: 'api-key', api_key: 'key-of-the-workspace' };
  const { url, headers } = asked({ auth_data, base_url: 'https://proxy.example/claude/v1' });
  assert.equal(url, 'https://proxy.example/claude/v1/messages');
  assert.equal(headers['authorization'], 'Bearer key-of-the-workspace');
});
