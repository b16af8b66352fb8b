import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../../src/config/account-schema.ts';
import { costSchema } from '../../../src/config/cost-schema.ts';
import { baseUrl, headerMap, secretText } from '../../../src/config/scalar-schema.ts';

const account = accountBase('provider-account/example').extend({
  auth_data: apiKeyAuth,
  integrations: integrationList(integrationBase('integration/model/example')),
});

test('optional keys of a manifest may be null or absent', () => {
  const written = { type: 'provider-account/example', name: 'a', auth_data: { type: 'api-key', api_key: 'k' } };
  const withNulls = { ...written, integrations: null, collaborators: null, ownedBy: null, discount_percent: null };
  assert.deepEqual(JSON.parse(JSON.stringify(account.parse(withNulls))), { ...written, integrations: [] });
  assert.deepEqual(account.parse(written).integrations, []);
});

test('every form of cost is taken, and no other', () => {
  const costs = [
    { metric: 'public_cost' },
    { metric: 'per_1000_tokens', value: { input: 0.1, output: 0 } },
    {
      metric: 'per_1000_tokens',
      value: {
        input: 1,
        output: 1,
        cache_read: 1,
        cache_write: 1,
        input_tiers: [{ from: 200000, cost_per_token: 0.1 }],
      },
    },
    { metric: 'per_1000_embedding_tokens', value: 0.1 },
    { metric: 'per_million_characters', value: { input: 15 } },
    { metric: 'per_minute_of_audio', value: { input: 0.006 } },
    { metric: 'per_1000_pages', value: { pages: 1, annotated_pages: 3 } },
  ];
  for (const cost of costs) assert.deepEqual(JSON.parse(JSON.stringify(costSchema.parse(cost))), cost);
  for (const cost of [
    { metric: 'free' },
    { metric: 'per_1000_tokens', value: { input: -1, output: 1 } },
    { metric: 'per_1000_tokens', value: { input: 1 } },
    { metric: 'per_1000_tokens', value: { input: Number.POSITIVE_INFINITY, output: 1 } },
  ]) {
    assert.equal(costSchema.safeParse(cost).success, false, JSON.stringify(cost));
  }
});

test('a base address is http(s), without user, query and fragment, and loses its last slash', () => {
  assert.equal(baseUrl().parse('https://h/v1/'), 'https://h/v1');
  for (const bad of ['h/v1', 'ftp://h', 'https://u:p@h', 'https://h?x', 'https://h#x', ' https://h', '']) {
    assert.equal(baseUrl().safeParse(bad).success, false, bad);
  }
});

test('a credential or header that would end its line is refused', () => {
  for (const bad of ['a\r\nx: y', 'a\n', '', ' a']) assert.equal(secretText().safeParse(bad).success, false);
  assert.deepEqual(headerMap().parse({ 'X-Team': 'a b' }), { 'X-Team': 'a b' });
  for (const bad of [{ 'a b': 'x' }, { a: 'x\ny' }, { a: 1 }]) assert.equal(headerMap().safeParse(bad).success, false);
});
