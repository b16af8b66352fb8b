import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { loadConfiguration } from '../../../src/config/load.ts';
import { allPlugs } from '../../../src/plugs.ts';

const PLUGS = allPlugs();

const account = {
  type: 'provider-account/openai',
  name: 'main',
  auth_data: { type: 'api-key', api_key: 'sk-of-the-provider' },
  integrations: [{ name: 'm', type: 'integration/model/openai', model_id: 'm', model_types: ['chat'] }],
};

function load(context: TestContext, targets: object[], more: object) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-routing-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const routing = { type: 'priority-based-routing', load_balance_targets: targets, ...more };
  const integration = { type: 'integration/model/virtual', model_types: ['chat'], routing_config: routing };
  const group = {
    type: 'provider-account/virtual-model',
    name: 'group',
    integrations: [{ ...integration, name: 'one', slug: 'short' }],
  };
  writeFileSync(join(folder, 'sluice.yaml'), [account, group].map((each) => stringify(each)).join('---\n'));
  return loadConfiguration({ paths: [folder], environment: {}, kinds: PLUGS, wellKnown: [] });
}

function faultsOf(context: TestContext, targets: object[], more: object = {}): string[] {
  const result = load(context, targets, more);
  return 'faults' in result
    ? result.faults.map(({ path, message, allowed }) => `${path}: ${message} ${allowed ?? ''}`)
    : [];
}

test('a target that is no model, a virtual one or misspelt is a fault with its place', (t) => {
  assert.deepEqual(faultsOf(t, [{ target: 'main/m', priority: 0 }]), []);
  for (const [target, said] of [
    ['main/n', /load_balance_targets\[0\]\.target: there is no such model/],
    ['group/one', /a virtual model cannot be a target/],
    ['short', /a virtual model cannot be a target/],
  ] as const) {
    assert.match(faultsOf(t, [{ target, priority: 0 }]).join('\n'), said);
  }
});

test('each target has what its strategy needs', (t) => {
  assert.match(faultsOf(t, [{ target: 'main/m' }]).join('\n'), /priority/);
  assert.match(faultsOf(t, [{ target: 'main/m' }], { type: 'weight-based-routing' }).join('\n'), /weight/);
  assert.match(faultsOf(t, [{ target: 'main/m' }], { type: 'complexity-based-routing' }).join('\n'), /tier/);
  const nothing = faultsOf(t, [{ target: 'main/m', weight: 0 }], { type: 'weight-based-routing' });
  assert.match(nothing.join('\n'), /a weight above 0/);
});

test('a classifier is a model of an account, and of complexity-based routing alone', (t) => {
  const fault = (classifier: object, type = 'complexity-based-routing') =>
    faultsOf(t, [{ target: 'main/m', tier: 'simple', priority: 0 }], { type, classifier }).join('\n');
  assert.equal(fault({ model: 'main/m' }), '');
  assert.match(fault({ model: 'main/n' }), /classifier\.model: there is no such model/);
  assert.match(fault({ model: 'short' }), /a virtual model cannot be a target/);
  assert.match(fault({ model: 'main/m', timeout_ms: 1 }), /classifier\.timeout_ms/);
  assert.match(fault({ model: 'main/m' }, 'priority-based-routing'), /only where the type is complexity-based-routing/);
});

test('a condition, a header or a parameter that cannot be is a fault that says why', (t) => {
  const fault = (more: object) => faultsOf(t, [{ target: 'main/m', priority: 0, ...more }]).join('\n');
  assert.match(fault({ condition: 'metadata.tier =' }), /this is no condition/);
  assert.match(fault({ headers_override: { set: { 'Content-Length': '1' } } }), /frame the request/);
  assert.match(fault({ override_params: { model: 'x' } }), /other than `model` and `stream`/);
  assert.match(fault({ override_params: { prompt_version_fqn: 'x' } }), /not supported yet/);
  assert.match(fault({ fallback_status_codes: ['200'] }), /HTTP statuses from 400 to 599/);
});

test('the older `max_inter_token_latency` of a target is its time for an output token, where `sla_cutoff` says none', (t) => {
  const slaOf = (more: object) => {
    const result = load(t, [{ target: 'main/m', priority: 0, ...more }], {});
    assert.ok('configuration' in result);
    assert.deepEqual(
      result.warnings.filter(({ code }) => code !== 'literal-secret'),
      [],
    );
    return result.configuration.virtualModels[0]?.integrations[0]?.routing.targets[0]?.sla;
  };
  assert.equal(slaOf({}), undefined);
  assert.deepEqual(slaOf({ max_inter_token_latency: 40 }), { perTokenMs: 40, firstTokenMs: undefined });
  const sla_cutoff = { time_to_first_token_ms: 800 };
  assert.deepEqual(slaOf({ max_inter_token_latency: 40, sla_cutoff }), { perTokenMs: 40, firstTokenMs: 800 });
  assert.deepEqual(slaOf({ max_inter_token_latency: 40, sla_cutoff: { time_per_output_token_ms: 50 } }), {
    perTokenMs: 50,
    firstTokenMs: undefined,
  });
});
