// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configurationOf, loadText } from './manifest-folder.ts';

test('an empty file, comments and empty documents are no manifests and no fault', (t) => {
  for (const source of ['', '\n', '# nothing\n', '---\n---\n', '\uFEFF', '---\n# a\n---\ntype: sluice/server\n']) {
    configurationOf(loadText(t, source));
  }
});

test('a byte order mark and Windows line ends change nothing, positions included', (t) => {
  const loaded = loadText(t, '\uFEFFtype: sluice/server\r\nlisten:\r\n  port: x\r\n');
  assert.match(loaded.faults.join(), /^a.yaml:3:9 listen.port/);
  configurationOf(loadText(t, '\uFEFFtype: sluice/server\r\nlisten:\r\n  port: 1\r\n'));
});

test('a YAML key that stands twice in one map is a fault', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\nthreads: 1\nthreads: 2\n');
  assert.match(faults.join(), /^a.yaml:3:1: this key stands twice in one map. Keep one of the two/);
});

test('a tab that indents YAML is a fault with its line', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\nlisten:\n\tport: 1\n');
  assert.match(faults[0] ?? '', /^a.yaml:3:1: tabs must not be used to indent. Indent with spaces/);
});

test('a reference without quotes in a flow map is a fault that says to quote it', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\noperator: {admin_key: ${env:A}}\n', { A: 'x' });
  assert.match(faults[0] ?? '', /^a.yaml:2:.*double quotes/);
});

test('a syntax fault in one document leaves the faults of the others visible', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\nthreads: 0\n---\ntype: "open\n');
  assert.match(faults[0] ?? '', /^a.yaml:2:10 threads/);
  assert.match(faults[1] ?? '', /^a.yaml:\d+:\d+: a character is missing/);
});

test('YAML anchors and merges work, and many may share one', (t) => {
  const many = Array.from({ length: 300 }, (_, index) => `  - {<<: *base, name: m${index}}`).join('\n');
  const base = '{type: integration/model/example, model_id: m, model_types: [chat], name: first}';
  const loaded = loadText(t, `type: provider-account/example\nname: a\nintegrations:\n  - &base ${base}\n${many}\n`);
  const integrations = configurationOf(loaded).accounts[0]?.['integrations'];
  assert.ok(Array.isArray(integrations));
  assert.equal(integrations.length, 301);
});

test('YAML aliases that multiply without bound are refused', (t) => {
  const levels = Array.from({ length: 12 }, (_, index) => {
    const below = index === 0 ? 'x' : `*l${index - 1}`;
    return `l${index}: &l${index} [${Array(10).fill(below).join(', ')}]`;
  });
  assert.match(loadText(t, `type: sluice/server\n${levels.join('\n')}`).faults.join(), /aliases multiply too often/);
});

test('a YAML alias that contains itself, one without an anchor and endless nesting are refused', (t) => {
  assert.match(loadText(t, 'type: sluice/server\na: &a {b: *a}').faults.join(), /nested deeper than 64/);
  assert.match(
    loadText(t, 'type: sluice/server\na: *b').faults.join(),
    /names an anchor that does not stand before it/,
  );
  assert.ok(loadText(t, `type: sluice/server\na: ${'['.repeat(20_000)}`).faults.length > 0);
});

test('a fault behind a YAML alias is told where the alias leads', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\nlisten: &l {host: h, port: x}\noperator: *l\n');
  assert.match(faults.join('\n'), /a.yaml:2:28 listen.port.*\n.*operator.port/);
});

test('a key named __proto__ is an unknown key like any other', (t) => {
  const loaded = loadText(t, 'type: sluice/server\n__proto__: {threads: 7}\n');
  configurationOf(loaded);
  assert.match(loaded.warnings.join(), /`__proto__` is not known/);
  assert.equal(Reflect.get({}, 'threads'), undefined);
});

test('a configuration file that is not UTF-8 text is refused', (t) => {
  assert.match(loadText(t, Buffer.from([0x74, 0xff, 0xfe])).faults.join(), /not UTF-8/);
});

test('a map of many keys is checked in time that grows with them, not with their square', (t) => {
  const cpuOf = (work: () => void): number => {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  };
  const lines = (count: number, indent = ''): string =>
    Array.from({ length: count }, (_, at) => `${indent}key_${at}: value\n`).join('');
  const key = '- name: a\n  key_sha256: ${SHA}\n  subject: user:a@b.c\n  metadata:\n'.replace(
    '${SHA}',
    'ab'.repeat(32),
  );
  for (const [what, source] of [
    ['known', (count: number) => `type: sluice/api-keys\nkeys:\n${key}${lines(count, '    ')}`],
    ['unknown', (count: number) => `type: team\nname: x\n${lines(count)}`],
  ] as const) {
    loadText(t, source(2_000));
    const few = cpuOf(() => loadText(t, source(4_000)));
    const many = cpuOf(() => loadText(t, source(32_000)));
    // Eight times as many: 64 times as long by the square.
    assert.ok(many < 30 * few, `${what} keys: ${few} µs of CPU, then ${many}`);
  }
});
