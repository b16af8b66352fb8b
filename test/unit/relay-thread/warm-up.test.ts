import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadConfiguration } from '../../../src/config/load.ts';
import { accountKinds, dialects } from '../../../src/plugs.ts';
import { warmUp } from '../../../src/relay-thread/warm-up.ts';
import { startProvider } from '../../support/provider.ts';

const never = (): never => {
  throw new Error('a warm-up must not come here');
};
const heard: unknown[] = [];
const log = { debug: (fields: object) => heard.push(fields), info: never, warn: never, error: never };
const shared = {
  estimate: never,
  translateHeavy: never,
  heavyAnswers: undefined as never,
  spoolFolder: '/nowhere',
  log,
};

const RULES = `---
type: gateway-rate-limiting-config
rules: [{id: one, when: {}, limit_to: 1, unit: requests_per_day}]
---
type: tenant-budget-config
name: nothing
when: {}
limits: {cost_per_month: 0.000001}
applies_to: {type: aggregate}
mode: enforce
`;

const folder = mkdtempSync(join(tmpdir(), 'sluice-warm-up-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function configured(account: string, server = 'warm_up_ms: 5000') {
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, `type: sluice/server\n${server}\n---\n${account}${RULES}`);
  const loaded = loadConfiguration({
    paths: [file],
    environment: { KEY: 'sk-the-secret-of-an-account' },
    kinds: accountKinds(),
    wellKnown: [],
  });
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  return loaded.configuration;
}

const OPENAI = 'type: provider-account/openai\nname: main\nauth_data: {type: api-key, api_key: "${env:KEY}"}\n';

describe('the warm-up of a relay thread', () => {
  test('whole answers and streams go through a thread that nobody else sees, and no provider or limit is touched', async (t) => {
    const provider = await startProvider((_request, response) => response.end('{}'));
    t.after(() => provider[Symbol.asyncDispose]());
    const configuration = configured(`${OPENAI}base_url: ${provider.origin}/v1\n`);
    // The rule lets one request a day pass: all eight are answered, so it was none of theirs.
    assert.equal(await warmUp({ configuration, dialects: dialects(), shared }), 8, String(heard[0]));
    assert.equal(provider.requests.length, 0);
    assert.equal(provider.sockets.size, 0);
  });

  test('an account that speaks the form of Messages alone is exercised in that', async () => {
    const configuration = configured(OPENAI.replaceAll('openai', 'anthropic'));
    assert.equal(await warmUp({ configuration, dialects: dialects(), shared }), 8, String(heard[0]));
  });

  test('`warm_up_ms: 0` leaves the warm-up out', async () => {
    assert.equal(await warmUp({ configuration: configured(OPENAI, 'warm_up_ms: 0'), dialects: dialects(), shared }), 0);
  });

  test('a gateway whose accounts speak no form that is exercised starts without a warm-up', async () => {
    const configuration = configured(OPENAI.replace('openai', 'google-gemini').replace('api_key:', 'apiKey:'));
    assert.equal(await warmUp({ configuration, dialects: dialects(), shared }), 0);
  });
});
