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
  pino: 'the first line of the log',
  fetch: 'the first alert to a web hook',
};

/** Code of ours that the account of the test, and its only request, have no use for. */
const OF_OTHERS = [
  'providers/anthropic/',
  'providers/aws-bedrock/',
  'providers/google-gemini/',
  'providers/demo/',
  'config/kinds/guardrail-config-group.ts',
  'guardrails/guarded-stream.ts',
  'operator/openapi.ts',
  'relay-thread/agent-loop.ts',
];

test('a gateway loads no package, no vendor and no feature before something needs it', async (t) => {
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
  assert.match(loaded, /src\/providers\/self-hosted-model\//);
  assert.deepEqual(
    OF_OTHERS.filter((part) => loaded.includes(`/src/${part}`)),
    [],
  );
});

describe('npm start', { skip: process.platform !== 'linux' && 'memory is read from /proc' }, () => {
  before(async () => {
    // Types are stripped once.
    await measureStart();
  });

  test('a start from the sources takes at most 1.3 s of CPU time, an idle gateway 125 MiB, and each further thread 30', async () => {
    const { cpuMs, idleMib } = await measureStart();
    assert.ok(cpuMs <= 1_300, `${cpuMs} ms of CPU time`);
    assert.ok(idleMib <= 125, `${idleMib} MiB`);
    const withTwo = await measureStart(2);
    assert.ok(withTwo.idleMib - idleMib <= 30, `${withTwo.idleMib - idleMib} MiB`);
  });
});
