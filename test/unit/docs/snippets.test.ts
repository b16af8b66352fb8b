import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Loaded, loadConfiguration, type Refused } from '../../../src/config/load.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { selfSigned } from '../../support/certificate.ts';
import { blocks, page, pages } from '../../support/pages.ts';

const PLUGS = allPlugs();

/** What a page lets a reader put into a variable, where that is more than some text. */
const VALUES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://user:password@host:5432/sluice',
  BLOBS_URL: 's3://KEYID:SECRET@bucket/prefix?region=eu-central-1',
  REDIS_URL: 'redis://host:6379/0',
  HOOK_URL: 'http://127.0.0.1:9000/',
  CDP_PRIVATE_KEY: Buffer.alloc(32, 1).toString('base64'),
};

const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** The same of files. */
const FILES: Readonly<Record<string, string>> = {
  './vertex-key.json': JSON.stringify({ type: 'service_account', client_email: 'a@b.example', private_key: pem }),
  './federation.json': JSON.stringify({
    type: 'external_account',
    audience: '//iam.googleapis.com/pool',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    credential_source: { file: '/var/run/token' },
  }),
  './snowflake.pem': pem,
};

async function certificateFile(context: TestContext, file: string): Promise<string | undefined> {
  if (file !== 'ca.pem' && file !== './azure.pem') return undefined;
  const { key: own, cert } = await selfSigned(context, 'DNS:localhost');
  return file === 'ca.pem' ? cert : own + cert;
}

/** Loads manifests from a folder in which every variable is set and every file is there that they name. */
async function load(context: TestContext, source: string): Promise<Loaded | Refused> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const environment: Record<string, string> = {};
  for (const [, name = ''] of source.matchAll(/\$\{env:(\w+)\}/g)) {
    environment[name] = VALUES[name] ?? `value-of-${name}`;
  }
  for (const [, file = ''] of source.matchAll(/(?:\$\{file:|_file: )([^\s,}]+)/g)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), FILES[file] ?? (await certificateFile(context, file)) ?? 'secret\n');
  }
  writeFileSync(join(folder, 'sluice.yaml'), source);
  return loadConfiguration({ paths: [folder], environment, kinds: PLUGS, wellKnown: [] });
}

for (const { file, text } of pages) {
  const manifests = blocks(text, 'yaml');
  if (manifests.length === 0) continue;
  test(`every manifest of ${file} loads without a warning, together with those above it`, async (context) => {
    let above: string[] = [];
    for (const manifest of manifests) {
      // Where a page begins another configuration, it says so by its server.
      above = manifest.startsWith('type: sluice/server') ? [manifest] : [...above, manifest];
      const result = await load(context, above.join('---\n'));
      assert.ok(!('faults' in result), `${manifest}\n${JSON.stringify('faults' in result && result.faults)}`);
      assert.deepEqual(result.warnings, [], manifest);
    }
  });
}

test('the configuration of the README sets up a provider, a key, a limit and a budget in 12 lines', async (context) => {
  const [source = ''] = blocks(page('README.md'), 'yaml');
  assert.equal(source.trimEnd().split('\n').length, 12);
  const result = await load(context, source);
  assert.ok(!('faults' in result));
  const { accounts, keys, rateLimits, budgets } = result.configuration;
  assert.deepEqual([accounts.length, keys.count, rateLimits.length, budgets.length], [1, 1, 1, 1]);
});

test('every JSON snippet of every page is JSON', () => {
  for (const { file, text } of pages) {
    for (const snippet of blocks(text, 'json')) assert.doesNotThrow(() => JSON.parse(snippet), `${file}: ${snippet}`);
  }
});

test('every JavaScript snippet of every page can be parsed', () => {
  for (const { file, text } of pages) {
    for (const snippet of blocks(text, 'js')) {
      assert.doesNotThrow(() => stripTypeScriptTypes(snippet), `${file}: ${snippet}`);
    }
  }
});

test('every shell snippet of every page can be parsed by a shell', () => {
  for (const { file, text } of pages) {
    const { stderr, status } = spawnSync('sh', ['-n'], { input: blocks(text, 'sh').join('\n'), encoding: 'utf8' });
    assert.equal(status, 0, `${file}: ${stderr}`);
  }
});

test('every JSON body that a shell snippet sends is JSON', () => {
  for (const { file, text } of pages) {
    for (const [, body = ''] of blocks(text, 'sh')
      .join('\n')
      .matchAll(/-d '([^']*)'/g)) {
      assert.doesNotThrow(() => JSON.parse(body), `${file}: ${body}`);
    }
  }
});
