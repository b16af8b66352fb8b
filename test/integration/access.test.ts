import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

/** One key for each of these, named as its subject. */
const people = ['user:ada@example.com', 'user:bob@example.com', 'user:eve@example.com', 'virtualaccount:ci'];
const keys = [
  ...people.map((subject) => ({ name: subject, key: `key of ${subject}`, subject })),
  { name: 'gone', key: 'gone', subject: 'virtualaccount:gone' },
  { name: 'narrow', key: 'narrow', subject: 'user:ada@example.com', models: ['closed/*'] },
];

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('yes')));
  gateway = await startGateway({ keys, manifests: manifests() });
});
disposeAfter(() => [gateway, provider]);

function manifests(closedTo: string = 'user:bob@example.com'): object[] {
  const account = (name: string, more: object) => ({
    type: 'provider-account/openai',
    name,
    base_url: `${provider.origin}/v1`,
    auth_data: { type: 'api-key', api_key: 'sk' },
    ...more,
  });
  const model = (name: string, more: object = {}) => ({
    name,
    type: 'integration/model/openai',
    model_id: name,
    model_types: ['chat'],
    ...more,
  });
  return [
    account('closed', {
      collaborators: [
        { subject: 'user:ada@example.com', role_id: 'provider-account-manager' },
        { subject: closedTo, role_id: 'provider-account-access' },
      ],
      integrations: [model('for-search', { authorized_subjects: ['team:search'] }), model('for-collaborators')],
    }),
    account('unlisted', { collaborators: [{ subject: 'team:search', role_id: 'provider-account-access' }] }),
    account('open', { integrations: [model('m')] }),
    { type: 'team', name: 'search', members: ['eve@example.com'] },
    {
      type: 'virtual-account',
      name: 'ci',
      permissions: [
        {
          resource_fqn: 'acme:openai:closed:model:for-collaborators',
          resource_type: 'provider-account',
          role_id: 'provider-account-access',
        },
      ],
    },
    { type: 'virtual-account', name: 'gone', permissions: [], expiration_date: '2026-01-31' },
    {
      type: 'role-binding',
      name: 'bob',
      subjects: [{ type: 'user', name: 'bob@example.com' }],
      permissions: [
        { resourceType: 'provider-account', resourceFqn: 'acme:openai:unlisted', role: 'provider-account-access' },
      ],
    },
  ];
}

const models = ['closed/for-search', 'closed/for-collaborators', 'unlisted/any', 'unlisted/other:1', 'open/m'];

const permitted: Record<string, string[]> = {
  'user:ada@example.com': ['closed/for-search', 'closed/for-collaborators', 'open/m'],
  'user:bob@example.com': ['closed/for-collaborators', 'unlisted/any', 'unlisted/other:1', 'open/m'],
  'user:eve@example.com': ['closed/for-search', 'unlisted/any', 'unlisted/other:1', 'open/m'],
  'virtualaccount:ci': ['closed/for-collaborators', 'open/m'],
};

for (const subject of people) {
  test(`${subject} may use what the rules say and nothing else`, async () => {
    for (const model of models) {
      const response = await ask(gateway, { model, messages }, { key: `key of ${subject}` });
      assert.equal(response.status, permitted[subject]?.includes(model) ? 200 : 403, model);
      await response.text();
    }
  });

  test(`the models that ${subject} is shown are those that it may use`, async () => {
    const headers = { authorization: `Bearer key of ${subject}` };
    const answer = await (await fetch(`${gateway.url}/v1/models`, { headers })).json();
    const shown = (answer as { data: { id: string }[] }).data.map(({ id }) => id);
    const listed = shown.filter((id) => !id.startsWith('unlisted/'));
    assert.deepEqual(listed.sort(), permitted[subject]?.filter((id) => !id.startsWith('unlisted/')).sort());
    assert.equal(
      shown.some((id) => id.startsWith('unlisted/')),
      permitted[subject]?.includes('unlisted/any'),
    );
    for (const model of models) {
      const { status } = await fetch(`${gateway.url}/v1/models/${model}`, { headers });
      assert.equal(status, permitted[subject]?.includes(model) ? 200 : 404, model);
    }
  });
}

test('a refusal names the model and the subject, and asks no provider', async () => {
  const before = provider.requests.length;
  const response = await ask(gateway, { model: 'closed/for-search', messages }, { key: 'key of user:bob@example.com' });
  assert.equal(response.status, 403);
  const { message, code, param } = await errorOf(response);
  assert.equal(code, 'model_forbidden');
  assert.equal(param, 'model');
  assert.match(message, /`user:bob@example.com` may not use `closed\/for-search`/);
  assert.equal(provider.requests.length, before);
});

test('a name that is hidden is not suggested', async () => {
  const response = await ask(gateway, { model: 'closed/for-serach', messages }, { key: 'key of user:bob@example.com' });
  assert.equal(response.status, 404);
  assert.doesNotMatch((await errorOf(response)).message, /for-search/);
});

test('a key may use what both its patterns and the rules allow', async () => {
  const status = async (model: string) => (await ask(gateway, { model, messages }, { key: 'narrow' })).status;
  assert.equal(await status('closed/for-collaborators'), 200);
  assert.equal(await status('open/m'), 403);
});

test('a key of a virtual account whose last day is over is refused', async () => {
  const response = await ask(gateway, { model: 'open/m', messages }, { key: 'gone' });
  assert.equal(response.status, 401);
  assert.match((await errorOf(response)).message, /expired/);
});

test('a reload changes who may use what', async () => {
  await gateway.configure(manifests('user:eve@example.com'));
  const status = async (subject: string) =>
    (await ask(gateway, { model: 'closed/for-collaborators', messages }, { key: `key of ${subject}` })).status;
  await eventually('the new collaborator is let in', async () => (await status('user:eve@example.com')) === 200);
  assert.equal(await status('user:bob@example.com'), 403);
});
