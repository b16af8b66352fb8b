import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { type ExportedRow, exportRows } from '../../../src/ledger/export-rows.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { exportCsv, exportJsonl } from '../../../src/operator/admin/export-form.ts';
import type { Database } from '../../../src/store/database.ts';
import { forEachEngine } from '../../support/engines.ts';
import { WHOLE_RECORD } from '../telemetry/records.ts';
import { many } from './records.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const HOUR_MS = 3_600_000;

forEachEngine('export', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
    for (const [gatewayId, hoursAgo] of [
      ['gw_a', 30],
      ['gw_b', 2],
      ['gw_a', 1],
    ] as const) {
      const writer = new LedgerWriter({ database, gatewayId, metadataKeys: ['env'], hooks: [] });
      await writer.write(many(20, { startedAt: NOON - hoursAgo * HOUR_MS, durationMs: 1 }));
    }
    const writer = new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: ['env'], hooks: [] });
    await writer.write([{ ...WHOLE_RECORD, subject: '=evil()', startedAt: NOON, durationMs: 0, pending: undefined }]);
  });

  async function rowsOf(sinceMs: number, untilMs: number): Promise<ExportedRow[]> {
    const rows: ExportedRow[] = [];
    for await (const some of exportRows(database, { sinceMs, untilMs })) rows.push(...some);
    return rows;
  }

  it('an export has every exchange once, chain by chain in order', async () => {
    const rows = await rowsOf(0, NOON + 1);
    assert.equal(rows.length, 61);
    assert.equal(new Set(rows.map((row) => row['id'])).size, 61);
    const places = rows.map((row) => [row['gateway'], row['seq']]);
    assert.deepEqual(places, [
      ...Array.from({ length: 41 }, (_, index) => ['gw_a', index + 1]),
      ...Array.from({ length: 20 }, (_, index) => ['gw_b', index + 1]),
    ]);
  });

  it('an export has what ended in the time that was asked for', async () => {
    assert.equal((await rowsOf(NOON - 3 * HOUR_MS, NOON)).length, 40);
    assert.equal((await rowsOf(NOON - 90 * 60_000, NOON)).length, 20);
    assert.equal((await rowsOf(NOON, NOON + 1)).length, 1);
    assert.deepEqual(await rowsOf(NOON + 1, NOON + HOUR_MS), []);
  });

  it('an export says all that the ledger has of an exchange, as JSON and as CSV', async () => {
    const [row = {}] = await rowsOf(NOON, NOON + 1);
    assert.equal(row['id'], WHOLE_RECORD.id);
    assert.equal(row['cost_nano_usd'], WHOLE_RECORD.costNanoUsd);
    assert.deepEqual(row['charges'], JSON.parse(WHOLE_RECORD.chargesJson));
    assert.ok(
      Object.entries(row).every(([, value]) => value !== undefined),
      'nothing is left out',
    );
    const unknown = Object.entries(row).flatMap(([name, value]) => (value === null ? [name] : []));
    assert.deepEqual(unknown, []);
    assert.deepEqual(JSON.parse(exportJsonl([row])), row);
    const [heading = '', line = ''] = exportCsv([row], 'heading').split('\n');
    assert.deepEqual(heading.split(','), Object.keys(row));
    assert.ok(line.includes("'=evil()"), 'no formula of a client is run');
    assert.equal(exportCsv([row], 'no heading').split('\n').length, 1);
  });
});
