import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { measureStart } from '../../scripts/start-cost.ts';
import { ask } from '../support/chat-client.ts';
import { selfHosted, startGateway } from '../support/gateway.ts';

/** What a gateway loads when it first needs it, by what needs it. */
const LATER = {
  pg: 'store.database: postgres://…',
  '@redis/client': 'store.counters: redis://…',
  jose: 'the first key that is made',
  'fast-jwt': 'the keys of an identity provider',
  nodemailer: 'the first e-mail',
  'csv-stringify': 'the admin API',
  piscina: 'the first heavy task',
  'gpt-tokenizer': 'the first token estimate',
  '@pydantic/genai-prices': 'an account with list prices',
  '@aws-sdk/credential-providers': 'an AWS account without keys of its own',
  '@opentelemetry/api': 'nothing',
  fetch: 'the first alert to a web hook',
};

test('a gateway loads no package before something needs it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-loads-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'loaded');
  const gateway = await startGateway({
    command: [process.execPath, '--import', './test/support/loaded-packages.js', 'src/main.ts', 'serve'],
    environment: { LOADED_PACKAGES_FILE: file },
    manifests: [selfHosted('own', 'http://127.0.0.1:9/v1', ['model'])],
  });
  t.after(gateway[Symbol.asyncDispose]);
  assert.equal((await ask(gateway, { model: 'demo/none', messages: [] })).status, 404);
  assert.equal(await gateway.stop(), 0);
  const loaded = await readFile(file, 'utf8');
  assert.match(loaded, /node_modules\/undici\//, 'what the list holds');
  const tooSoon = Object.entries(LATER).filter(
    ([name]) => loaded.includes(`node_modules/${name}/`) || (name === 'fetch' && /^fetch$/m.test(loaded)),
  );
  assert.deepEqual(Object.fromEntries(tooSoon), {});
});

describe('npm start', { skip: process.platform !== 'linux' && 'memory is read from /proc' }, () => {
  before(async () => {
    // Types are stripped once.
    await measureStart();
  });

  test('a start from the sources takes at most 1.5 s of CPU time, and an idle gateway 150 MiB', async () => {
    const { cpuMs, idleMib } = await measureStart();
    assert.ok(cpuMs <= 1_500, `${cpuMs} ms of CPU time`);
    assert.ok(idleMib <= 150, `${idleMib} MiB`);
  });
});
