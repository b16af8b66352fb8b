import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS_TO_COME } from '../../../src/config/kinds/kinds-to-come.ts';
import { configurationOf, loadText } from './manifest-folder.ts';

test('a fault says where, what was found and what is allowed', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\nlisten:\n  port: 70000\n');
  assert.deepEqual(faults, [
    'a.yaml:3:9 listen.port: this value is not allowed — found 70000; allowed: a whole number from 0 to 65535',
  ]);
});

test('all faults of all documents come at once, in order', (t) => {
  const { faults } = loadText(
    t,
    `type: sluice/server
threads: 0
log: {level: loud}
---
type: provider-account/example
name: a b
---
type: sluice/api-keys
keys: [{name: x, key_sha256: 12, subject: nobody}]
`,
  );
  assert.deepEqual(
    faults.map((fault) => fault.split(': ')[0]),
    [
      'a.yaml:2:10 threads',
      'a.yaml:3:14 log.level',
      'a.yaml:6:7 name',
      'a.yaml:9:30 keys[0].key_sha256',
      'a.yaml:9:43 keys[0].subject',
    ],
  );
});

test('text in place of a number, and a number in place of text, come with the remedy', (t) => {
  const { faults } = loadText(t, 'type: sluice/server\ntimeouts: {idle_ms: "5"}\nlisten: {host: 12}');
  assert.match(faults.join('\n'), /idle_ms: wrong type — found the text "5".*Write it without quotes/);
  assert.match(faults.join('\n'), /listen.host: wrong type — found 12.*Put it in quotes/);
});

test('an unknown key is a warning with its path where nothing is restricted or no known key is near', (t) => {
  const loaded = loadText(
    t,
    `type: sluice/server
extra: {a: 1}
---
type: provider-account/example
name: a
auth_data: {type: api-key, api_key: "\${env:K}", region: x}
integrations: [{type: integration/model/example, name: m, model_id: m, model_types: [chat], modelid: x}]
---
type: sluice/api-keys
keys: [{name: x, key_sha256: ${'a0'.repeat(32)}, subject: user:x, comment: nobody}]
`,
    { K: 'k' },
  );
  configurationOf(loaded);
  assert.deepEqual(loaded.warnings, [
    'a.yaml:2:1 extra: the key `extra` is not known here and has no effect',
    'a.yaml:6:49 auth_data.region: the key `region` is not known here and has no effect',
    'a.yaml:7:93 integrations[0].modelid: the key `modelid` is not known here and has no effect. Did you mean `model_id`?',
    'a.yaml:10:113 keys[0].comment: the key `comment` is not known here and has no effect',
  ]);
});

test('an unknown key is told also where the manifest has a fault', (t) => {
  const { faults, warnings } = loadText(t, 'type: sluice/server\nthreads: no\nfeature_x: 1\n');
  assert.equal(faults.length, 1);
  assert.match(warnings.join(), /`feature_x` is not known/);
});

test('an unknown kind is refused with near names, and one that is not supported yet by its name', (t) => {
  assert.match(
    loadText(t, 'type: sluice/servr').faults.join(),
    /no kind `sluice\/servr`\. Did you mean `sluice\/server`/,
  );
  for (const type of KINDS_TO_COME) {
    assert.match(loadText(t, `type: ${type}`).faults.join(), /is not supported yet/, type);
  }
});

test('a document without a kind, or that is no map, is refused', (t) => {
  assert.match(loadText(t, 'name: a').faults.join(), /type: this key is missing/);
  assert.match(loadText(t, 'type: [a]').faults.join(), /type: wrong type/);
  assert.match(loadText(t, '- a').faults.join(), /a manifest is a map/);
});

test('a second server, account name, model name, key name or key is a fault that names the first', (t) => {
  const { faults } = loadText(
    t,
    `type: sluice/server
---
type: sluice/server
---
type: provider-account/example
name: a
integrations:
  - {type: integration/model/example, name: m, model_id: m, model_types: [chat]}
  - {type: integration/model/example, name: m, model_id: n, model_types: [chat]}
---
type: provider-account/example
name: a
---
type: sluice/api-keys
keys: [{name: k, key: same-secret, subject: user:x}, {name: k, key: same-secret, subject: user:x}]
`,
  );
  assert.deepEqual(faults, [
    'a.yaml:3:7 type: the kind `sluice/server` stands already in a.yaml:1:7',
    'a.yaml:9:45 integrations[1].name: this integration name stands already in a.yaml:8:45',
    'a.yaml:12:7 name: this account name stands already in a.yaml:6:7',
    'a.yaml:15:54 keys[1]: the same key stands already in a.yaml:15:8',
    'a.yaml:15:61 keys[1].name: this key name stands already in a.yaml:15:15',
  ]);
});

test('an account name has no slash, and an integration name may have some', (t) => {
  const nameFaults = (name: string) =>
    loadText(t, `type: provider-account/example\nname: ${JSON.stringify(name)}`).faults.length;
  for (const good of ['a', 'A.b_c-1', 'x'.repeat(64)]) assert.equal(nameFaults(good), 0, good);
  for (const bad of ['', 'a/b', 'a b', '.', '..', 'ä', 'x'.repeat(65)]) assert.equal(nameFaults(bad), 1, bad);
});

test('a store engine that is unknown is refused without showing its address', (t) => {
  const { faults } = loadText(
    t,
    'type: sluice/server\nstore: {database: "mysql://u:hunter2@h/d", counters: floppy, blobs: "s3://hunter2 /x"}',
  );
  assert.match(
    faults[0] ?? '',
    /store.database: this value is not allowed — found an address \(not shown\); allowed: `sqlite` or `postgres:/,
  );
  assert.match(
    faults[1] ?? '',
    /store.counters: this value is not allowed — found the text "floppy"; allowed: `memory` or `redis:/,
  );
  assert.match(
    faults[2] ?? '',
    /store.blobs: this value is not allowed — found an address \(not shown\); allowed: `disk` or `s3:/,
  );
  assert.doesNotMatch(faults.join(), /hunter2/);
});

test('settings of counters, ledger, metrics and the cluster have bounds', (t) => {
  const { faults } = loadText(
    t,
    `type: sluice/server
store: {database: "postgres://u@h/d", counters: "rediss://h:6379/0"}
counters: {agreement: loose, lease_percent: 51, when_away: never, max_cells: 1}
ledger: {sync: always, retention_days: -1, max_journal_bytes: 1, metadata_keys: "env"}
metrics: {metadata_keys: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}
gateway_id: a b
`,
  );
  assert.deepEqual(
    faults.map((fault) => fault.split(': ')[0]),
    [
      'a.yaml:3:23 counters.agreement',
      'a.yaml:3:45 counters.lease_percent',
      'a.yaml:3:60 counters.when_away',
      'a.yaml:3:78 counters.max_cells',
      'a.yaml:4:16 ledger.sync',
      'a.yaml:4:40 ledger.retention_days',
      'a.yaml:4:63 ledger.max_journal_bytes',
      'a.yaml:4:81 ledger.metadata_keys',
      'a.yaml:5:26 metrics.metadata_keys',
      'a.yaml:6:13 gateway_id',
    ],
  );
});

test('two listeners on one port, a certificate that cannot be read, and the name of the demo account are faults', (t) => {
  const tls = '{cert_file: none.pem, key_file: none.key}';
  const { faults } = loadText(
    t,
    `type: sluice/server\ndemo: true\noperator: {port: 8787}\nlisten: {tls: ${tls}}\n---\ntype: provider-account/example\nname: demo`,
  );
  assert.match(faults[0] ?? '', /a.yaml:3:18 operator.port: .*found 8787/);
  assert.match(faults[1] ?? '', /listen.tls.cert_file: cannot read none.pem: there is no such file/);
  assert.match(faults[2] ?? '', /listen.tls.key_file/);
  assert.match(faults[3] ?? '', /name of the demo account/);
});

test('a bound of body memory below one body is a warning', (t) => {
  const loaded = loadText(t, 'type: sluice/server\nlimits: {max_body_memory_bytes: 1000}');
  configurationOf(loaded);
  assert.match(loaded.warnings.join(), /max_body_memory_bytes.*Bodies over 1000 bytes are always refused/);
});

test('a CORS origin has no path and no slash at its end', (t) => {
  const faultsFor = (origin: string) =>
    loadText(t, `type: sluice/server\ncors: {allowed_origins: ["${origin}"]}`).faults.length;
  for (const good of ['*', 'https://a.example', 'http://localhost:3000']) assert.equal(faultsFor(good), 0, good);
  for (const bad of ['https://a.example/', 'a.example', 'https://*.example', 'https://a.example:443', 'null']) {
    assert.equal(faultsFor(bad), 1, bad);
  }
});
