import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfiguration } from '../../../src/config/load.ts';
import { allPlugs } from '../../../src/plugs.ts';

const PLUGS = allPlugs();

/** The examples of the reference product, kind by kind, and what is ours beside them. */
const folder = fileURLToPath(new URL('../../fixtures/manifests', import.meta.url));

function load(paths: readonly string[]) {
  return loadConfiguration({ paths, environment: {}, kinds: PLUGS, wellKnown: [] });
}

test('the manifests of the reference product load unchanged, all together', () => {
  const result = load([folder]);
  assert.ok('configuration' in result, JSON.stringify('faults' in result && result.faults, null, 1));
  const { configuration, warnings } = result;
  // Secrets stand in examples as they are; what else is said is told to whoever brings such a set along.
  const said = warnings.filter(({ code }) => code !== 'literal-secret').map(({ message }) => message);
  assert.equal(said.length, 7, said.join('\n'));
  assert.ok(
    said.every((message) =>
      /roles of your own|no `audiences`|nobody is written to|`trojai` are not built|which model is deployed/.test(
        message,
      ),
    ),
  );
  assert.deepEqual(
    configuration.rateLimits.map((list) => list.map(({ id, unit }) => `${id} ${unit}`)),
    [
      [
        'weekly requests_per_week',
        'monthly tokens_per_month',
        'spending cost_per_minute',
        'at-once concurrent_requests',
      ],
      ['ci-hourly requests_per_hour', 'search-production tokens_per_minute', 'per-user-and-model requests_per_day'],
      ['old requests_per_minute'],
    ],
  );
  assert.deepEqual(
    configuration.budgets.map(({ id, mode, limits }) => `${id} ${mode} ${limits.map(({ unit }) => unit).join()}`),
    [
      'never-more cut cost_per_day',
      'per-user-daily enforce cost_per_day',
      'tokens-of-a-project audit tokens_per_month',
      'everybody enforce cost_per_quarter',
      'old enforce cost_per_week',
      'cheaper-when-spent downgrade cost_per_day',
      'engineering-monthly enforce cost_per_day,cost_per_week,cost_per_month,cost_per_quarter',
      'by-project audit cost_per_month',
      'search-weekly enforce cost_per_week',
    ],
  );
  const { users, teams, virtualAccounts, identityProviders, grants } = configuration.identities;
  assert.deepEqual(
    [users.length, teams.length, virtualAccounts.length, identityProviders.length, grants.length],
    [1, 2, 1, 2, 4],
  );
  assert.equal(configuration.metadataRules.length, 2);
  assert.deepEqual(
    configuration.virtualModels.flatMap(({ integrations }) =>
      integrations.map(({ name, slug, routing }) => `${name} ${slug} ${routing.strategy} ${routing.targets.length}`),
    ),
    [
      'routed-beyond/auto undefined complexity 2',
      'routed/by-weight shared-chat weight 2',
      'routed/by-priority undefined priority 2',
      'routed/by-latency undefined latency 1',
    ],
  );
  const [first] = configuration.virtualModels[1]!.integrations[0]!.routing.targets;
  assert.deepEqual(first?.retry, { maxRetries: 2, delayMs: 100, statuses: [429, 500] });
  assert.deepEqual(first?.headersOverride, { remove: ['openai-beta'], set: { 'x-team': 'search' } });
  assert.deepEqual([configuration.loadBalancing.length, configuration.fallbackRules.length], [1, 1]);
  assert.deepEqual(configuration.retrySettings, { maxRetries: 1, delayMs: 50, statuses: [503] });
});

/** Kinds that refer to others cannot stand alone. */
const references = new Set([
  'beyond.yaml',
  'gateway-budget-config.yaml',
  'routing.yaml',
  'team-budget-config.yaml',
  'tenant-budget-config.yaml',
  'virtual-account.yaml',
]);

for (const name of readdirSync(folder).filter((each) => !references.has(each))) {
  test(`the example manifest ${name} loads alone`, () => {
    const result = load([`${folder}/${name}`]);
    assert.ok('configuration' in result, JSON.stringify('faults' in result && result.faults));
  });
}
