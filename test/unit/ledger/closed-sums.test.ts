import assert from 'node:assert/strict';
import { it } from 'node:test';
import { forgetClosedSums } from '../../../src/ledger/closed-sums.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { usageReport } from '../../../src/ledger/usage-report.ts';
import type { Database } from '../../../src/store/database.ts';
import { forEachEngine } from '../../support/engines.ts';
import { many } from './records.ts';

const HOUR_MS = 3_600_000;

forEachEngine('sums of hours that are over', (engine) => {
  const ago = (hours: number) => ({ startedAt: Date.now() - hours * HOUR_MS, durationMs: 1, model: 'p/m' });
  const writerOf = (database: Database, gatewayId: string) =>
    new LedgerWriter({ database, gatewayId, metadataKeys: [], hooks: [] });
  async function requests(database: Database): Promise<number> {
    const now = Date.now();
    const report = await usageReport(database, { by: ['model'], sinceMs: now - 10 * HOUR_MS, untilMs: now });
    if (typeof report === 'string') assert.fail(report);
    assert.equal(
      report.rows.reduce((sum, { sums }) => sum + sums.requests, 0),
      report.total.requests,
    );
    return report.total.requests;
  }

  it('a record that comes late to an hour that is over is counted at once', async () => {
    const database = await engine.open();
    const writer = writerOf(database, 'gw_a');
    await writer.write([...many(4, ago(5)), ...many(3, ago(0))]);
    assert.equal(await requests(database), 7);
    await writer.write(many(1, ago(0)));
    assert.equal(await requests(database), 8);
    await writer.write(many(2, ago(5)));
    assert.equal(await requests(database), 10);
  });

  it('hours that are over are added up once for all who look, and the open one for each', async () => {
    const database = await engine.open();
    await writerOf(database, 'gw_a').write([...many(4, ago(5)), ...many(3, ago(0))]);
    assert.deepEqual(await Promise.all([requests(database), requests(database)]), [7, 7]);
    await database.query.updateTable('usage_hourly').set({ requests: 1 }).execute();
    assert.equal(await requests(database), 5, 'four that are remembered, and one of now');
    forgetClosedSums(database);
    assert.equal(await requests(database), 2);
  });
});
