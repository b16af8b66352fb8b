import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, it } from 'node:test';
import { sql } from 'kysely';
import { erasePerson } from '../../../src/ledger/erase.ts';
import { LedgerWriter } from '../../../src/ledger/ledger-writer.ts';
import { readReceipt } from '../../../src/ledger/receipt.ts';
import { usageReport } from '../../../src/ledger/usage-report.ts';
import { verifyLedger } from '../../../src/ledger/verify.ts';
import { insertKey, revokeKey } from '../../../src/store/api-keys.ts';
import type { Database, DatabasePlace } from '../../../src/store/database.ts';
import { recomputedNanoUsd } from '../../../src/usage/price-basis.ts';
import { forEachEngine } from '../../support/engines.ts';
import { storedKeys } from '../../support/stored-keys.ts';
import { forgeRow, storedIds, storedRows } from '../../support/stored-rows.ts';
import { ledgerRecord, many } from './records.ts';

const BOB = 'user:bob@example.com';
const EVE = 'user:eve@example.com';
const ERASED = /^user:erased-[0-9a-f]{16}$/;
/** The charges of a budget per user, and of one per user and model. */
const charges = (subject: string) =>
  JSON.stringify([
    ['per-user', subject],
    ['per-both', JSON.stringify([subject, 'p/m'])],
  ]);

forEachEngine('erase', (engine) => {
  let place: DatabasePlace;
  let database: Database;
  let writer: LedgerWriter;
  const verify = () => verifyLedger(database, recomputedNanoUsd);
  const erase = (subject: string | undefined, ...metadata: (readonly [string, string])[]) =>
    erasePerson(database, { subject, metadata });
  beforeEach(async () => {
    place = await engine.newPlace();
    database = await engine.open(place);
    writer = new LedgerWriter({ database, gatewayId: 'gw_a', metadataKeys: ['mail', 'env'], hooks: [] });
    await writer.write([
      ...many(5, { subject: BOB, chargesJson: charges(BOB) }),
      ...many(2, { subject: BOB, model: 'p/other', target: 'p/other' }),
      ...many(3, { subject: EVE, keyId: 'eve', chargesJson: charges(EVE) }),
    ]);
    for (const [group, spent] of [
      [BOB, 5],
      [JSON.stringify([BOB, 'p/m']), 7],
      [EVE, 9],
    ] as const) {
      const key = { budget: 'b', unit: 'cost_per_day', period_start: 0, group_value: group };
      await database.query
        .insertInto('budget_windows')
        .values({ ...key, gateway: 'gw_a', spent })
        .execute();
      await database.query
        .insertInto('budget_alerts')
        .values({ ...key, threshold: 1, due_at: 0, spent, limit_amount: 1, sent_at: 0, claimed_until: 0 })
        .execute();
      const sent = { channel: 'email', recipient: 'bob@example.com', outcome: 'sent', reason: null, tries: 1 };
      await database.query
        .insertInto('alert_deliveries')
        .values({ ...key, ...sent, id: `dlv_${spent}`, at: 0, threshold: 1, spent, limit_amount: 1 })
        .execute();
    }
  });

  /** Every value of every table of ours, as text. */
  async function everything(): Promise<string> {
    const tables = [
      'ledger_labels',
      'ledger_series',
      'usage_hourly',
      'usage_daily',
      'budget_windows',
      'budget_alerts',
      'alert_deliveries',
      'api_keys',
    ];
    const all = await Promise.all(
      tables.map(async (table) => (await sql`select * from ${sql.table(table)}`.execute(database.query)).rows),
    );
    return JSON.stringify([all, await storedRows(database)]);
  }
  async function sumsBy(...by: ('subject' | 'model')[]) {
    const report = await usageReport(database, { by, sinceMs: 0, untilMs: Date.UTC(2030, 0) });
    assert.ok(typeof report !== 'string', String(report));
    return report;
  }

  it('an erased subject stands nowhere any more, its sums are those of one erased person, and the ledger verifies', async () => {
    const before = await sumsBy('subject');
    const models = (await sumsBy('model')).rows;
    assert.match(await everything(), /bob@example/);
    const { subject = '', series, labels, budgetGroups } = await erase(BOB);
    assert.match(subject, ERASED);
    assert.deepEqual([series, labels, budgetGroups], [2, 1, 2]);
    assert.doesNotMatch(await everything(), /bob@|"bob"/);
    const after = await sumsBy('subject');
    assert.deepEqual(after.total, before.total);
    const of = (report: typeof before, name: string) => report.rows.find(({ group }) => group[0] === name)?.sums;
    assert.deepEqual(of(after, subject), of(before, BOB));
    assert.deepEqual(of(after, EVE), of(before, EVE));
    assert.deepEqual((await sumsBy('model')).rows, models);
    const { rows, erased, recomputed, faults } = await verify();
    assert.deepEqual({ rows, erased, recomputed, faults }, { rows: 10, erased: 7, recomputed: 10, faults: [] });
    const spent = await database.query.selectFrom('budget_windows').select('spent').orderBy('spent').execute();
    assert.deepEqual(
      spent.map((each) => Number(each.spent)),
      [5, 7, 9],
    );
  });

  it('a receipt of an erased person says what it cost, and not who it was', async () => {
    const [id = ''] = await storedIds(database);
    const before = JSON.parse(JSON.stringify(await readReceipt(database, id)));
    await erase(BOB);
    const after = JSON.parse(JSON.stringify(await readReceipt(database, id)));
    assert.match(after.who.subject, ERASED);
    assert.match(after.who.key_id, /^erased-/);
    assert.deepEqual({ ...after.cost, charges: 0 }, { ...before.cost, charges: 0 });
    assert.deepEqual(after.usage, before.usage);
    assert.deepEqual(after.ledger, before.ledger);
  });

  it('exchanges that come late, of what was known of an erased person, do not bring the name back', async () => {
    await erase(BOB);
    await writer.write(many(2, { subject: BOB, chargesJson: charges(BOB) }));
    assert.doesNotMatch(await everything(), /bob@|"bob"/);
    assert.deepEqual((await verify()).faults, []);
  });

  it('a forgery is found in rows of an erased person, too', async () => {
    await erase(BOB);
    const [id = ''] = await storedIds(database);
    await forgeRow(database, id, { output_tokens: 1 });
    const { faults } = await verify();
    assert.match(faults[0]?.reason ?? '', /was changed/);
  });

  it('a subject that was changed without being erased is still a forgery', async () => {
    await database.query
      .updateTable('ledger_series')
      .set({ subject: 'user:erased' })
      .where('subject', '=', BOB)
      .execute();
    assert.equal((await verify()).faultCount, 7);
  });

  it('a value of metadata is erased under its own key alone, and the rest of the metadata stays', async () => {
    const metadata = (mail: string, env: string) => JSON.stringify({ env, mail });
    await writer.write([
      ledgerRecord({ subject: EVE, metadataJson: metadata('ada@example.com', 'dev') }),
      ledgerRecord({ subject: EVE, metadataJson: metadata('kim@example.com', 'ada@example.com') }),
    ]);
    const { subject, series } = await erase(undefined, ['mail', 'ada@example.com']);
    assert.deepEqual([subject, series], [undefined, 1]);
    const rows = await database.query.selectFrom('ledger_series').select(['subject', 'metadata']).execute();
    const kept = rows.flatMap((row) => (row.metadata === null ? [] : [JSON.parse(row.metadata)]));
    kept.sort((a, b) => (a.env < b.env ? 1 : -1));
    assert.match(kept[0].mail, /^erased-[0-9a-f]{16}$/);
    assert.deepEqual([kept[0].env, kept[1]], ['dev', { env: 'ada@example.com', mail: 'kim@example.com' }]);
    assert.deepEqual((await verify()).faults, []);
    assert.equal((await verify()).erased, 1);
  });

  it('nobody is erased while a key of theirs works; of ended keys nothing personal is left', async () => {
    const key = {
      id: 'key_1',
      name: 'bob',
      subject: BOB,
      teams: ['t'],
      metadata: { mail: 'bob@x' },
      createdAt: new Date(),
    };
    await insertKey(database, key);
    assert.deepEqual((await erase(BOB)).workingKeys, ['key_1']);
    assert.match(await everything(), /bob@example/);
    await revokeKey(database, 'key_1', new Date());
    const { keys, subject } = await erase(BOB);
    assert.equal(keys, 1);
    const [left] = await storedKeys(database);
    assert.deepEqual([left?.subject, left?.name, left?.teams, left?.metadata], [subject, undefined, [], {}]);
    assert.doesNotMatch(await everything(), /bob@|"bob"/);
  });

  if (engine.name === 'SQLite') {
    it('the files of the database hold no trace of an erased person', async () => {
      await erase(BOB);
      for (const name of ['sluice.db', 'sluice.db-wal'])
        assert.ok(!(await readFile(join(place.dataDir, name))).includes('bob@example.com'), name);
    });
  }
});
