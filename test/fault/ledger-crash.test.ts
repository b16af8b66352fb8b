import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { CoreWaits } from '../support/core-waits.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type EndedExchange, startCountingProvider, startLoad } from '../support/ledger-load.ts';
import type { FakeProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { rowsInFolder } from '../support/stored-rows.ts';

/** Beyond it the machine is no excuse. */
const MOST_GRANTED_MS = 80;

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
  const rows = rowsInFolder(join(folder, 'data'));
  const database = new DatabaseSync(join(folder, 'data', 'sluice.db'), { readOnly: true });
  const one = (sql: string): number => Number(database.prepare(sql).get()?.['n'] ?? 0);
  const sums = {
    rows: rows.length,
    cost: rows.reduce((sum, { cost_nano_usd = 0 }) => sum + cost_nano_usd, 0),
    hourlyRequests: one('select sum(requests) as n from usage_hourly'),
    hourlyCost: one('select sum(cost_nano_usd) as n from usage_hourly'),
    dailyRequests: one('select sum(requests) as n from usage_daily'),
    ids: new Set(rows.map(({ id }) => id)),
  };
  database.close();
  return sums;
}

interface Killed {
  readonly ended: readonly EndedExchange[];
  readonly killedAt: number;
  readonly waits: CoreWaits;
}

/** SIGKILL under load, and what its client had had by then. The load leaves cores free: what is asked is how late a record is, and not how busy the machine. */
async function killedUnderLoad(folder: string, server: object): Promise<Killed> {
  const gateway = await start(folder, server);
  const agent = new Agent({ keepAlive: true });
  const load = startLoad(gateway, 4, ['p/m', 'p/m', 'p/m', 'p/m', 'p/m', 'p/m', 'p/m', 'p/silent'], agent, 3);
  await eventually('it is under load', () => load.ended.length > 300, 30_000);
  // Not always at the same distance from the last commit.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
  const waits = new CoreWaits(gateway.pid);
  await new Promise((resolve) => setTimeout(resolve, 100));
  waits.stop();
  const killedAt = performance.now();
  gateway.process.kill('SIGKILL');
  await load.over;
  await gateway.exited;
  agent.destroy();
  return { ended: load.ended, killedAt, waits };
}

/**
 * Strict is granted nothing. Batched is granted its 10 ms, and to the single exchange the time in which a thread of the
 * gateway, after that exchange had ended, could have run and had no core: no timer is on time then.
 */
function mustBeThere({ ended, killedAt, waits }: Killed, sync: string): Set<string> {
  const late = (each: EndedExchange): number => killedAt - each.endedAt;
  const granted = (each: EndedExchange): number =>
    late(each) > MOST_GRANTED_MS ? 0 : 10 + Math.min(MOST_GRANTED_MS, waits.sinceMs(each.endedAt));
  return new Set(ended.filter((each) => late(each) > (sync === 'strict' ? 0 : granted(each))).map((each) => each.id));
}

for (const sync of ['batched', 'strict']) {
  test(`after SIGKILL under load with ledger.sync ${sync} and a start, no exchange is missing and none counts twice`, {
    timeout: 90_000,
  }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-ledger-'));
    const begun: RunningGateway[] = [];
    try {
      const known = new Set<string>();
      let replayed = 0;
      for (let round = 0; round < 3; round += 1) {
        const killed = await killedUnderLoad(folder, { ledger: { sync } });
        const must = mustBeThere(killed, sync);
        for (const id of must) known.add(id);
        const recent = killed.ended.filter((each) => each.endedAt < killed.killedAt - 10 && !must.has(each.id));
        test.diagnostic(`${must.size} must be there; ${recent.length} older than 10 ms were kept from a core`);
        const before = readLedger(folder).rows;
        const again = await start(folder, { ledger: { sync } });
        begun.push(again);
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
      for (const gateway of begun) await gateway[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    }
  });
}
