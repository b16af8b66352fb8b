import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, selfHosted, startGateway } from '../support/gateway.ts';
import { startCountingProvider } from '../support/ledger-load.ts';
import { sluice } from '../support/sluice-command.ts';

test('a person is erased while the gateway serves: usage and receipt name nobody, and the ledger verifies', async (t) => {
  const provider = await startCountingProvider();
  t.after(provider[Symbol.asyncDispose]);
  const gateway = await startGateway({
    keys: [{ name: 'bob-key', key: 'sk-bob', subject: 'user:bob@example.com' }],
    manifests: [selfHosted('p', `${provider.origin}/v1`, ['m'])],
  });
  t.after(gateway[Symbol.asyncDispose]);
  const command = (...words: string[]) => sluice([...words, '--config', gateway.configFile]);
  const answer = await ask(gateway, { model: 'p/m', messages }, { key: 'sk-bob' });
  assert.equal(answer.status, 200);
  const id = answer.headers.get('x-sluice-exchange-id') ?? '';
  await eventually('the row is there', async () => (await gateway.metric('sluice_ledger_rows_total')) === 1, 10_000);
  assert.match((await command('ledger', 'receipt', id)).stdout, /user:bob@example\.com/);
  const erased = await command('ledger', 'erase', '--subject', 'user:bob@example.com');
  assert.match(erased.stdout, /^user:erased-[0-9a-f]{16}\n$/);
  assert.match(erased.stderr, /^Erased from 1 series, /m);
  assert.doesNotMatch((await command('ledger', 'receipt', id)).stdout, /bob/);
  const usage = (await command('usage', '--by', 'user', '--format', 'csv')).stdout;
  assert.ok(usage.includes(erased.stdout.trim().slice('user:'.length)) && !usage.includes('bob'), usage);
  const verified = (await command('ledger', 'verify')).stdout;
  assert.match(verified, /^1 row in 1 chain: .*; 1 of erased persons, whose labels cannot be checked; 0 faults$/m);
  // Nobody who serves noticed.
  assert.equal((await ask(gateway, { model: 'p/m', messages }, { key: 'sk-bob' })).status, 200);
  assert.equal(await gateway.stop(), 0);
});
