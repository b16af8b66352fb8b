import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configurationOf, loadText } from './manifest-folder.ts';

const account =
  'type: provider-account/example\nname: main\nintegrations: [{type: integration/model/example, name: small, model_id: m, model_types: [chat]}]\n---\n';

function load(t: TestContext, ...rules: string[]) {
  return loadText(
    t,
    `${account}type: gateway-rate-limiting-config\nrules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`,
  );
}

function rulesOf(t: TestContext, ...rules: string[]) {
  return configurationOf(load(t, ...rules)).rateLimits.flat();
}

test('a rate limit rule is read with its conditions, its groups and its window', (t) => {
  const [rule] = rulesOf(
    t,
    '{id: r, when: {subjects: ["user:Ada@Example.com", "team:Search", "virtual-account:ci"], models: [main/small], metadata: {env: prod, tier: 1}}, limit_to: 20000, unit: tokens_per_minute, rate_limit_applies_per: [user, model, metadata.k, user]}',
  );
  assert.deepEqual(rule, {
    id: 'r',
    match: {
      subjects: { in: ['user:ada@example.com', 'team:Search', 'virtualaccount:ci'] },
      models: { in: ['main/small'] },
      metadata: { env: { in: ['prod'] }, tier: { in: ['1'] } },
    },
    counts: 'tokens',
    unit: 'tokens_per_minute',
    windowMs: 60_000,
    limit: 20000,
    appliesPer: ['user', 'model', 'metadata.k'],
  });
});

const day = 86_400_000;
const units: [unit: string, counts: string, windowMs: number, written: number, limit: number][] = [
  ['requests_per_minute', 'requests', 60_000, 5, 5],
  ['requests_per_hour', 'requests', 3_600_000, 5, 5],
  ['requests_per_day', 'requests', day, 5, 5],
  ['requests_per_week', 'requests', 7 * day, 5, 5],
  ['requests_per_month', 'requests', 30 * day, 5, 5],
  ['tokens_per_minute', 'tokens', 60_000, 5, 5],
  ['tokens_per_hour', 'tokens', 3_600_000, 5, 5],
  ['tokens_per_day', 'tokens', day, 5, 5],
  ['tokens_per_week', 'tokens', 7 * day, 5, 5],
  ['tokens_per_month', 'tokens', 30 * day, 5, 5],
  ['cost_per_minute', 'cost', 60_000, 0.1, 100_000_000],
  ['cost_per_hour', 'cost', 3_600_000, 0.000000001, 1],
  ['concurrent_requests', 'concurrent', 0, 5, 5],
];

for (const [unit, counts, windowMs, written, limit] of units) {
  test(`the unit ${unit} counts ${counts} over its window`, (t) => {
    const [rule] = rulesOf(t, `{id: r, when: {}, limit_to: ${written}, unit: ${unit}}`);
    assert.deepEqual([rule?.counts, rule?.windowMs, rule?.limit], [counts, windowMs, limit]);
  });
}

test('a condition that is absent, null or empty asks for nothing', (t) => {
  for (const when of ['', 'when: null,', 'when: {},', 'when: {subjects: [], models: null, metadata: {}},']) {
    assert.deepEqual(rulesOf(t, `{id: r, ${when} limit_to: 1, unit: requests_per_day}`)[0]?.match, {}, when);
  }
});

test('a model may be written as a fully qualified name', (t) => {
  const rule = '{id: r, when: {models: ["acme:example:main:model:small"]}, limit_to: 1, unit: requests_per_day}';
  assert.deepEqual(rulesOf(t, rule)[0]?.match.models, { in: ['main/small'] });
});

test('each rate limit manifest is a list of its own', (t) => {
  const one = (id: string) =>
    `type: gateway-rate-limiting-config\nrules: [{id: ${id}, limit_to: 1, unit: requests_per_day}]\n`;
  const { rateLimits } = configurationOf(
    loadText(t, `${one('a')}---\n${one('a')}---\ntype: gateway-rate-limiting-config\n`),
  );
  assert.deepEqual(
    rateLimits.map((list) => list.map(({ id }) => id)),
    [['a'], ['a'], []],
  );
});

test('a wrong unit, limit, group or subject of a rate limit is a fault where it stands', (t) => {
  const { faults } = load(
    t,
    '{id: a, limit_to: 1, unit: request_per_minute}',
    '{id: b, limit_to: 1.5, unit: requests_per_minute}',
    '{id: c, limit_to: -1, unit: cost_per_minute}',
    '{id: d, limit_to: 10000000, unit: cost_per_hour}',
    '{id: e, limit_to: 1, unit: requests_per_day, rate_limit_applies_per: [team]}',
    '{id: f, limit_to: 1, unit: requests_per_day, when: {subjects: [ada]}}',
    '{limit_to: 1, unit: requests_per_day}',
  );
  const expected = [
    /^a.yaml:7:\d+ rules\[0\].unit: .*found the text "request_per_minute"; allowed: `requests_per_minute`, /,
    /^a.yaml:8:\d+ rules\[1\].limit_to: .*found 1.5; allowed: a whole number from 0 to 9007199254740991 \(requests\)/,
    /^a.yaml:9:\d+ rules\[2\].limit_to: .*found -1; allowed: a number, 0 or more/,
    /^a.yaml:10:\d+ rules\[3\].limit_to: .*found 10000000; allowed: US dollars, a number from 0 to 9007199/,
    /^a.yaml:11:\d+ rules\[4\].rate_limit_applies_per\[0\]: .*allowed: `user`, `virtualaccount`, `model` or `metadata.<key>`/,
    /^a.yaml:12:\d+ rules\[5\].when.subjects\[0\]: .*found the text "ada"; allowed: `user:…`, `team:…`, /,
    /^a.yaml:13:\d+ rules\[6\].id: this key is missing/,
  ];
  assert.equal(faults.length, expected.length);
  for (const [index, pattern] of expected.entries()) assert.match(faults[index] ?? '', pattern);
});

test('a wrong unit of a rate limit is told with a near one', (t) => {
  assert.match(
    load(t, '{id: a, limit_to: 1, unit: request_per_minute}').faults.join(),
    /Did you mean `requests_per_minute`/,
  );
});

test('two rules of one id in a list are a fault that names the first', (t) => {
  const { faults } = load(
    t,
    '{id: a, limit_to: 1, unit: requests_per_day, when: {models: [main/small]}}',
    '{id: a, limit_to: 1, unit: requests_per_day}',
  );
  assert.deepEqual(faults, ['a.yaml:8:10 rules[1].id: this rule id stands already in a.yaml:7:10']);
});

test('a rule that can never match is a warning', (t) => {
  const { warnings } = load(
    t,
    '{id: a, limit_to: 1, unit: requests_per_day, when: {models: [main/smal]}}',
    '{id: b, limit_to: 1, unit: requests_per_day, when: {models: [mian/x, main/small]}}',
    '{id: c, limit_to: 1, unit: requests_per_day, when: {subjects: ["role:admin"]}}',
    '{id: d, limit_to: 1, unit: requests_per_day, when: {subjects: ["team:search"]}}',
    '{id: e, limit_to: 1, unit: requests_per_day, when: {subjects: ["team:search"], models: ["main/*"]}}',
    '{id: f, limit_to: 1, unit: requests_per_day, when: {models: ["*"], metadata: {k: v}}}',
  );
  assert.deepEqual(warnings, [
    'a.yaml:7:66 rules[0].when.models[0]: there is no model `main/smal`, so this rule never matches. Did you mean `main/small`?',
    'a.yaml:8:66 rules[1].when.models[0]: there is no model `mian/x`. Did you mean `main/*`?',
    'a.yaml:9:67 rules[2].when.subjects: `role:admin`: of this kind there is nobody here, so this rule never matches — allowed: `user:…`, `team:…`, `virtualaccount:…`',
    'a.yaml:11:5 rules[4]: rule `e` never counts: the first rule that matches decides, and `d` (a.yaml:10:5) matches all that it does. Put it before that one',
  ]);
});
