import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { BatchRecords } from '../../../src/ledger/batch-records.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { pageOfRequests, type RequestFilter, readCursor } from '../../../src/ledger/request-page.ts';
import type { Database } from '../../../src/store/database.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import { forEachEngine } from '../../support/engines.ts';
import { plainRecord } from '../telemetry/records.ts';

const FROM = 1_764_000_000_000;
const FRAMES = 40;
const ROWS = 7;
const WEEK: RequestFilter = { sinceMs: FROM - 1, untilMs: FROM + 1_000_000 };

forEachEngine('a list of exchanges', (engine) => {
  let database: Database;
  const ids: string[] = [];
  before(async () => {
    database = await engine.open();
    const writers = ['gw_a', 'gw_b'].map(
      (gatewayId) => new LedgerWriter({ database, gatewayId, metadataKeys: ['session_id'], hooks: [] }),
    );
    for (let frame = 0; frame < FRAMES; frame += 1) {
      const batch = new BatchRecords();
      const records = Array.from({ length: ROWS }, (_, row) => {
        const number = frame * ROWS + row;
        const id = `ex_${String(number).padStart(8, '0')}`;
        ids.push(id);
        return plainRecord({
          id,
          requestId: id,
          // Frames of the two gateways overlap, and several exchanges end at one millisecond.
          startedAt: FROM + Math.floor(number / 10) * 10 + (row % 2),
          durationMs: 1,
          subject: frame % 2 === 0 ? 'user:ann@example.com' : 'user:bob@example.com',
          model: number % 3 === 0 ? 'a/m' : 'b/m',
          status: number % 5 === 0 ? 429 : 200,
          metadataJson: JSON.stringify({ session_id: `s${frame % 4}` }),
        });
      });
      batch.addFrame(encodeBatch(records), records.length);
      await writers[frame % 2]!.write(batch);
    }
  });

  async function all(filter: RequestFilter, limit: number): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    let next: string | undefined;
    do {
      const page = await pageOfRequests(database, filter, next === undefined ? undefined : readCursor(next), limit);
      assert.ok(page.rows.length <= limit);
      rows.push(...page.rows);
      next = page.next;
    } while (next !== undefined);
    return rows;
  }

  for (const limit of [1, 3, 10, 500]) {
    it(`in pages of ${limit}, every exchange of all gateways is told once, newest first`, async () => {
      const rows = await all(WEEK, limit);
      assert.deepEqual(new Set(rows.map(({ id }) => id)), new Set(ids));
      assert.equal(rows.length, ids.length);
      const keys = rows.map(({ ended_at, id }) => `${ended_at} ${id}`);
      assert.deepEqual(keys, keys.toSorted().reverse());
    });
  }

  it('filters hold for every page, and what an exchange is counted by is asked once for those alike', async () => {
    let asked = 0;
    const rows = await all(
      {
        ...WEEK,
        status: (status) => status === 429,
        labels: ({ subject, model }) => {
          asked += 1;
          return subject === 'user:ann@example.com' && model === 'a/m';
        },
      },
      4,
    );
    assert.equal(rows.length, ids.filter((_, n) => n % 15 === 0 && Math.floor(n / ROWS) % 2 === 0).length);
    assert.ok(asked > 0);
    assert.ok(rows.every(({ status, subject }) => status === 429 && subject === 'user:ann@example.com'));
  });

  it('a span is a span of ends', async () => {
    const untilMs = FROM + 101;
    const rows = await all({ sinceMs: FROM + 51, untilMs }, 5);
    const ends = rows.map(({ ended_at }) => Date.parse(String(ended_at)));
    assert.ok(ends.length > 0 && ends.every((end) => end >= FROM + 51 && end < untilMs));
  });

  it('text that is no cursor of ours is none', () => {
    assert.equal(readCursor('nonsense'), undefined);
    assert.equal(readCursor(Buffer.from('1.é').toString('base64url')), undefined);
  });
});
