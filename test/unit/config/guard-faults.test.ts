import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadText } from './manifest-folder.ts';

/* A guard that cannot work is told when it is loaded, and not by the first request that it should have guarded. */

function group(kind: string, config: readonly string[], more: readonly string[] = []): string {
  return [
    'type: provider-account/guardrail-config-group',
    'name: g',
    'integrations:',
    `  - type: integration/guardrail-config/${kind}`,
    '    name: it',
    ...more.map((line) => `    ${line}`),
    '    config:',
    ...config.map((line) => `      ${line}`),
    '',
  ].join('\n');
}

test('loading warns of a pattern of a guard that is none of RE2, by its place', (t) => {
  const { faults, warnings } = loadText(
    t,
    group('regex', ['custom_patterns:', "  - pattern: 'fine'", "  - pattern: '(?<=x)a'"]),
  );
  assert.deepEqual(faults, []);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0]!, /integrations\[0\]\.config\.custom_patterns\[1\]\.pattern/);
  assert.match(warnings[0]!, /no pattern of RE2.*the guard is an error whenever it is asked/);
});

test('loading warns of a preset of a guard that there is none of, with the one that was meant', (t) => {
  const { faults, warnings } = loadText(t, group('regex', ['preset_patterns:', '  presets: [email, us_snn]']));
  assert.deepEqual(faults, []);
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0]!, /presets\[1\].*there is no such preset.*us_snn.*us_ssn/);
});

test('loading warns of a pattern for a value of metadata that is none of RE2', (t) => {
  const keys = ['allow_unknown_keys: true', 'keys:', '  team:', "    value: {constraint: regex, regex: '(a)\\1'}"];
  const { warnings } = loadText(t, group('tfy-metadata', keys));
  assert.match(warnings.join('\n'), /keys\.team\.value\.regex.*no pattern of RE2/);
});

test('loading warns of a guard of a kind that is not built', (t) => {
  const auth = ['auth_data: {type: client-id, client_id: c}'];
  const { warnings } = loadText(t, group('trojai', ['base_url: https://trojai.example'], auth));
  assert.match(warnings.join('\n'), /integrations\[0\]\.type.*`trojai` are not built/);
});

test('loading has nothing to say of guards that can work', (t) => {
  const config = ['preset_patterns: {presets: [email]}', "custom_patterns: [{pattern: 'a.*b'}]"];
  assert.deepEqual(loadText(t, group('regex', config)).warnings, []);
});
