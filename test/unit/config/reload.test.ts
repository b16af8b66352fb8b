import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyReload } from '../../../src/config/reload.ts';
import { configurationOf, loadText } from './manifest-folder.ts';

test('a setting that needs a restart keeps its value with a warning, and the rest is new', (t) => {
  const previous = configurationOf(loadText(t, 'type: sluice/server\nthreads: 2\nlisten: {port: 1000}\n'));
  const next = loadText(
    t,
    `type: sluice/server
threads: 3
listen: {port: 2000}
operator: {port: 3000}
data_dir: /elsewhere
limits: {max_header_bytes: 8192, max_in_flight: 5}
timeouts: {idle_ms: 7}
---
type: provider-account/example
name: new
`,
  );
  const reloaded = applyReload(previous, next.result);
  assert.ok('configuration' in reloaded);
  const { server, accounts } = reloaded.configuration;
  assert.deepEqual(
    { ...server, limits: { ...server.limits, maxInFlight: 16384 }, timeouts: { ...server.timeouts, idleMs: 120000 } },
    previous.server,
  );
  assert.equal(server.limits.maxInFlight, 5);
  assert.equal(server.timeouts.idleMs, 7);
  assert.equal(accounts.length, 1);
  assert.deepEqual(
    reloaded.warnings.map((warning) => `${warning.line}:${warning.column} ${warning.path} ${warning.code}`),
    [
      '3:9 listen restart-needed',
      '4:11 operator restart-needed',
      '2:10 threads restart-needed',
      '5:11 data_dir restart-needed',
      '6:28 limits.max_header_bytes restart-needed',
    ],
  );
});

test('the sources of counters, labels and the cluster stay until the next start', (t) => {
  const previous = configurationOf(loadText(t, 'type: sluice/server\nthreads: 1\ngateway_id: one\n'));
  const next = loadText(
    t,
    'type: sluice/server\nthreads: 1\ngateway_id: two\ncounters: {max_cells: 2048, when_away: closed}\nmetrics: {metadata_keys: [env]}\nledger: {retention_days: 1, sync: strict, enabled: false}\n',
  );
  const reloaded = applyReload(previous, next.result);
  assert.ok('configuration' in reloaded);
  const { server } = reloaded.configuration;
  assert.deepEqual(
    [server.gatewayId, server.counters, server.metrics],
    ['one', { ...previous.server.counters, whenAway: 'closed' }, { metadataKeys: [] }],
  );
  assert.deepEqual(server.ledger, { ...previous.server.ledger, retentionDays: 1 });
  assert.deepEqual(
    reloaded.warnings.map((warning) => `${warning.path} ${warning.code}`),
    ['metrics', 'gateway_id', 'counters.max_cells', 'ledger.enabled', 'ledger.sync'].map(
      (path) => `${path} restart-needed`,
    ),
  );
});

test('identities, access, limits and budgets of a new configuration are in force', (t) => {
  const previous = configurationOf(loadText(t, 'type: sluice/server\nthreads: 1\n'));
  const next = loadText(
    t,
    `type: sluice/server
threads: 1
---
type: team
name: search
---
type: gateway-rate-limiting-config
rules: [{id: r, limit_to: 1, unit: requests_per_day}]
---
type: gateway-budget-config
rules: [{id: b, limit_to: 1, unit: cost_per_day}]
---
type: gateway-metadata-config
name: m
rules: [{id: m, metadata_override: {a: b}}]
`,
  );
  const reloaded = applyReload(previous, next.result);
  assert.ok('configuration' in reloaded);
  const { identities, rateLimits, budgets, metadataRules } = reloaded.configuration;
  assert.deepEqual([identities.teams.length, rateLimits.length, budgets.length, metadataRules.length], [1, 1, 1, 1]);
  assert.deepEqual(reloaded.warnings, []);
});

test('a reload that changes nothing warns of nothing', (t) => {
  const source = 'type: sluice/server\ndata_dir: /x\nlisten: {port: 1}\n';
  const reloaded = applyReload(configurationOf(loadText(t, source)), loadText(t, source).result);
  assert.ok('warnings' in reloaded);
  assert.deepEqual(reloaded.warnings, []);
});

test('a faulty reload gives its faults and no configuration', (t) => {
  const previous = configurationOf(loadText(t, ''));
  const reloaded = applyReload(previous, loadText(t, 'type: sluice/server\nthreads: x').result);
  assert.ok('faults' in reloaded);
  assert.equal(reloaded.faults.length, 1);
});
