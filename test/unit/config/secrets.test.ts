// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfiguration } from '../../../src/config/load.ts';
import { configurationOf, exampleKind, loadText, manifestFolder } from './manifest-folder.ts';

const account = (key: string) =>
  `type: provider-account/example\nname: a\nauth_data: {type: api-key, api_key: ${JSON.stringify(key)}}\n`;

function keyOf(t: TestContext, written: string, environment: Record<string, string>): unknown {
  const [found] = configurationOf(loadText(t, account(written), environment)).accounts;
  const auth = found?.['auth_data'];
  return typeof auth === 'object' && auth !== null && 'api_key' in auth ? auth.api_key : undefined;
}

test('a variable is replaced anywhere inside a text, as often as it stands there', (t) => {
  assert.equal(keyOf(t, '${env:A}', { A: 'one' }), 'one');
  assert.equal(keyOf(t, 'x-${env:A}-${env:B}-${env:A}', { A: 'one', B: 'two' }), 'x-one-two-one');
});

test('a replaced value is not read again, neither as YAML nor as a reference', (t) => {
  assert.equal(keyOf(t, '${env:A}', { A: '${env:B}', B: 'no' }), '${env:B}');
  assert.equal(keyOf(t, '${env:A}', { A: 'a: [b] # "c' }), 'a: [b] # "c');
  const { faults } = loadText(t, 'type: sluice/server\nthreads: "${env:N}"', { N: '4' });
  assert.match(faults.join(), /threads.*found a text \(not shown\)/);
});

test('a dollar before a reference keeps it as it is written', (t) => {
  assert.equal(keyOf(t, '$${env:A}', { A: 'one' }), '${env:A}');
  assert.equal(keyOf(t, '$$${env:A}', { A: 'one' }), '$${env:A}');
  assert.equal(keyOf(t, 'cost $5', {}), 'cost $5');
});

test('a missing variable is a fault that names it and its place, with a near one', (t) => {
  const { faults } = loadText(t, account('${env:OPENAI_KEY}'), { OPENAI_KEYS: 'x' });
  assert.deepEqual(faults, [
    'a.yaml:3:37 auth_data.api_key: the environment variable OPENAI_KEY is not set. Did you mean `OPENAI_KEYS`?',
  ]);
});

test('names of the object prototype are no variables', (t) => {
  assert.match(loadText(t, account('${env:constructor}')).faults.join(), /constructor is not set/);
});

test('a file is put in without its last line end, relative to the folder of the manifest', (t) => {
  const read = (content: string) => {
    const folder = manifestFolder(t, { 'sub/a.yaml': account('${file:../secret}'), secret: content });
    const paths = [join(folder, 'sub')];
    return loadConfiguration({ paths, environment: {}, kinds: [exampleKind], wellKnown: [] });
  };
  for (const content of ['s3cret', 's3cret\n', 's3cret\r\n']) {
    const result = read(content);
    assert.ok('configuration' in result);
    assert.deepEqual(result.configuration.accounts[0]?.['auth_data'], { type: 'api-key', api_key: 's3cret' });
    assert.equal(result.files.length, 2);
  }
  assert.ok('faults' in read('s3cret\n\n'));
});

test('a secret file that is missing, a folder, too large or not text is a fault that names it', (t) => {
  const folder = manifestFolder(t, {
    large: Buffer.alloc(1024 * 1024 + 1, 97),
    binary: Buffer.from([0xff, 0xfe, 0x41]),
  });
  const faultFor = (path: string) => loadText(t, account(`\${file:${path}}`)).faults.join();
  assert.match(faultFor(join(folder, 'none')), /cannot read the file .*none: there is no such file/);
  assert.match(faultFor(folder), /not a regular file/);
  assert.match(faultFor(join(folder, 'large')), /larger than 1048576 bytes/);
  assert.match(faultFor(join(folder, 'binary')), /not UTF-8/);
  assert.match(faultFor('/dev/zero'), /not a regular file/);
});

test('an incomplete reference is a fault, and another form of variable is a warning', (t) => {
  assert.match(loadText(t, account('${env:A')).faults.join(), /`\$\{env:` is not complete/);
  assert.match(loadText(t, account('${env:}')).faults.join(), /not complete/);
  const loaded = loadText(t, 'type: provider-account/example\nname: a\nbase_url: "https://h/${HOME}"');
  assert.match(loaded.warnings.join(), /`\$\{HOME\}` is left as it is — allowed: `\$\{env:NAME\}`/);
});

test('a literal secret is a warning with its path, and one from outside is none', (t) => {
  const literal = loadText(t, account('sk-literal'));
  configurationOf(literal);
  assert.match(literal.warnings.join(), /^a.yaml:3:37 auth_data.api_key: a secret stands literally/);
  assert.deepEqual(loadText(t, account('Bearer ${env:A}'), { A: 'x' }).warnings, []);
  const server = loadText(t, 'type: sluice/server\noperator: {admin_key: abc}');
  assert.match(server.warnings.join(), /operator.admin_key/);
});

test('no fault and no warning shows a secret, wherever it was put by mistake', (t) => {
  const marker = 'hunter2';
  const sources = [
    account(`${marker} `),
    `type: provider-account/example\nname: a\nauth_data: ${marker}\n`,
    `type: provider-account/example\nname: a\nauth_data: {type: api-key, api_key: [${marker}]}\n`,
    `type: sluice/api-keys\nkeys: [${marker}]\n`,
    `type: sluice/api-keys\nkeys: {a: ${marker}}\n`,
    `type: sluice/api-keys\nkeys: [{name: a, key: "\\t${marker}", subject: user:a}]\n`,
    'type: sluice/api-keys\nkeys: [{name: a, key_sha256: "${env:S}", subject: "${env:S}"}]\n',
    'type: sluice/server\nlisten: {host: "${env:S} x"}\nthreads: "${env:S}"\n',
    `type: sluice/server\noperator: {admin_key: !${marker} x}\n`,
    `type: sluice/server\noperator: {admin_key: *${marker}}\n`,
    `type: sluice/server\noperator: {admin_key: "\\${marker}"}\n`,
    `type: sluice/server\noperator: {admin_key: "${marker}" ${marker}}\n`,
    `type: sluice/server\noperator:\n  admin_key: |x${marker}\n`,
    `type: sluice/server\nstore: {database: "postgres://u:${marker}@h"}\n`,
    `%${marker} x\n---\ntype: sluice/server\n`,
  ];
  for (const source of sources) {
    const { faults, warnings } = loadText(t, source, { S: marker });
    assert.ok(faults.length + warnings.length > 0, source);
    assert.doesNotMatch([...faults, ...warnings].join('\n'), /hunter2/, source);
  }
});

test('a literal key leaves only its hash', (t) => {
  const source = 'type: sluice/api-keys\nkeys: [{name: a, key: plain-key, subject: user:a}]';
  assert.doesNotMatch(JSON.stringify(configurationOf(loadText(t, source))), /plain-key/);
});

test('a key has printable characters and no white space around it', (t) => {
  const accepts = (key: string) => {
    const folder = manifestFolder(t, { key: 'x' });
    writeFileSync(join(folder, 'key'), key);
    const source = `type: sluice/api-keys\nkeys: [{name: a, key: "\${file:${folder}/key}", subject: "user:a"}]`;
    return loadText(t, source).faults.length === 0;
  };
  for (const good of ['k', 'a b  c', 'ключ', '🔑', '${env:X}', '\'"\\', 'x'.repeat(4096)])
    assert.ok(accepts(good), good);
  for (const bad of ['', ' k', 'k ', 'a\tb', 'a\nb', 'a\u0085b', 'x'.repeat(4097)]) assert.ok(!accepts(bad), bad);
});

test('exactly one of key and key_sha256 says what a key is', (t) => {
  const faultFor = (keys: string) =>
    loadText(t, `type: sluice/api-keys\nkeys: [{name: a, subject: user:a${keys}}]`).faults.join();
  assert.match(faultFor(''), /keys\[0\]: .*found neither; allowed: exactly one of `key` and `key_sha256`/);
  assert.match(faultFor(`, key: k, key_sha256: ${'a'.repeat(64)}`), /found both/);
  assert.match(faultFor(`, key_sha256: ${'g'.repeat(64)}`), /64 hexadecimal digits/);
});

test('an admin key that can be guessed is a warning that does not show it', (t) => {
  const warningsOf = (key: string) =>
    loadText(t, 'type: sluice/server\noperator: {admin_key: "${env:K}"}\n', { K: key }).warnings.join();
  assert.match(warningsOf('hunter2'), /operator\.admin_key: .*fewer than 16 characters/);
  assert.doesNotMatch(warningsOf('hunter2'), /hunter2/);
  assert.equal(warningsOf('0123456789abcdef'), '');
});
