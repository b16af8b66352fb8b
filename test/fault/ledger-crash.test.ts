import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { eventually, startGateway } from '../support/gateway.ts';
import { type EndedExchange, startCountingProvider, startLoad } from '../support/ledger-load.ts';
import type { FakeProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
before(async () => {
  provider = await startCountingProvider();
});
after(() => provider?.[Symbol.asyncDispose]());

const priced = {
  integrations: ['m', 'silent'].map((name) => ({
    name,
    type: 'integration/model/openai',
    model_id: name,
    model_types: ['chat'],
    cost: { metric: 'per_1000_tokens', value: { input: 1, output: 2 } },
  })),
};

const start = (folder: string, server: object) =>
  startGateway({
    folder,
    server: { threads: 2, ...server },
    manifests: [openAccount('p', `${provider.origin}/v1`, priced)],
  });

interface Sums {
  rows: number;
  cost: number;
  hourlyRequests: number;
  hourlyCost: number;
  dailyRequests: number;
  ids: Set<string>;
}

function readLedger(folder: string): Sums {
  const database = new DatabaseSync(join(folder, 'data', 'sluice.db'), { readOnly: true });
  const one = (sql: string): number => Number(database.prepare(sql).get()?.['n'] ?? 0);
  const sums = {
    rows: one('select count(*) as n from ledger_rows'),
    cost: one('select sum(cost_nano_usd) as n from ledger_rows'),
    hourlyRequests: one('select sum(requests) as n from usage_hourly'),
    hourlyCost: one('select sum(cost_nano_usd) as n from usage_hourly'),
    dailyRequests: one('select sum(requests) as n from usage_daily'),
    ids: new Set(
      database
        .prepare('select id from ledger_rows')
        .all()
        .map((row) => String(row['id'])),
    ),
  };
  database.close();
  return sums;
}

/** SIGKILL under load, and what its client had had by then; then a start on the same folder. */
async function killedUnderLoad(folder: string, server: object): Promise<EndedExchange[] & { killedAt: number }> {
  const gateway = await start(folder, server);
  const agent = new Agent({ keepAlive: true });
  const load = startLoad(gateway, 12, ['p/m', 'p/m', 'p/m', 'p/silent'], agent);
  await eventually('it is under load', () => load.ended.length > 300, 20_000);
  // Not always at the same distance from the last commit.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
  const killedAt = performance.now();
  gateway.process.kill('SIGKILL');
  await load.over;
  await gateway.exited;
  agent.destroy();
  return Object.assign(load.ended, { killedAt });
}

for (const { sync, graceMs } of [
  { sync: 'batched', graceMs: 10 },
  { sync: 'strict', graceMs: 0 },
]) {
  test(`SIGKILL under load, ledger.sync ${sync}: after a start no exchange is missing and none counts twice`, {
    timeout: 90_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-ledger-'));
    try {
      const known = new Set<string>();
      let replayed = 0;
      for (let round = 0; round < 3; round += 1) {
        const ended = await killedUnderLoad(folder, { ledger: { sync } });
        for (const each of ended) if (each.endedAt < ended.killedAt - graceMs) known.add(each.id);
        const before = readLedger(folder).rows;
        const again = await start(folder, { ledger: { sync } });
        // Before it serves: what was left in the journal is in the database.
        const sums = readLedger(folder);
        replayed += sums.rows - before;
        const missing = [...known].filter((id) => !sums.ids.has(id));
        assert.deepEqual(missing, [], `${missing.length} of ${known.size} are missing`);
        assert.equal(sums.rows, sums.ids.size);
        assert.equal(sums.hourlyRequests, sums.rows);
        assert.equal(sums.dailyRequests, sums.rows);
        assert.equal(sums.hourlyCost, sums.cost);
        assert.ok(sums.cost > 0);
        assert.equal(await again.stop(), 0);
        assert.equal(readLedger(folder).rows, sums.rows);
        assert.deepEqual(await readdir(join(folder, 'data', 'journal')), []);
      }
      assert.ok(replayed > 0, 'the journal was needed');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
