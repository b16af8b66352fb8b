import assert from 'node:assert/strict';
import { it } from 'node:test';
import { appendAudit, type DatedAuditEntry, pageOfAudit, removeAudit, verifyAudit } from '../../src/store/audit.ts';
import { forEachEngine } from '../support/engines.ts';

const dated = (at: number, more: object = {}): DatedAuditEntry => ({
  id: `aud_${String(at).padStart(9, '0')}`,
  at,
  entry: {
    actor: 'user:ada@example.com',
    by: 'configured',
    role: 'admin',
    action: 'POST',
    path: '/admin/keys',
    outcome: 'done',
    status: 201,
    ids: ['key_1'],
    detail: { subject: 'user:bob@example.com' },
    ...more,
  },
});

forEachEngine('the audit log', (engine) => {
  it('entries of all gateways are told newest first, in pages, and one that is written twice is there once', async () => {
    const database = await engine.open();
    await appendAudit(database, 'one', [dated(1), dated(3)]);
    await appendAudit(database, 'other', [dated(2)]);
    await appendAudit(database, 'one', [dated(3), dated(4)]);
    const first = await pageOfAudit(database, undefined, 3);
    assert.deepEqual([first.rows.map(({ at }) => at), first.hasMore], [[4, 3, 2], true]);
    const second = await pageOfAudit(database, first.rows.at(-1)?.id, 3);
    assert.deepEqual([second.rows.map(({ at }) => at), second.hasMore], [[1], false]);
    assert.deepEqual(await verifyAudit(database), { entries: 4, faults: [] });
  });

  it('an entry that is changed, taken out or cut off at the end is found, and what retention takes away is none', async () => {
    const database = await engine.open();
    await appendAudit(
      database,
      'one',
      [1, 2, 3, 4, 5].map((at) => dated(at)),
    );
    assert.equal(await removeAudit(database, 3), 2);
    assert.deepEqual(await verifyAudit(database), { entries: 3, faults: [] });
    await database.query.updateTable('audit_entries').set({ at: 9 }).where('seq', '=', 4).execute();
    assert.match((await verifyAudit(database)).faults.join(), /one audit 4 .* was changed/);
    await database.query.deleteFrom('audit_entries').where('seq', '=', 4).execute();
    assert.match((await verifyAudit(database)).faults.join(), /1 entries before it are missing/);
    await database.query.deleteFrom('audit_entries').where('seq', '=', 5).execute();
    assert.match((await verifyAudit(database)).faults.join(), /the newest 2 entries are missing/);
  });

  it('an entry that is too long says that it was cut', async () => {
    const database = await engine.open();
    await appendAudit(database, 'one', [dated(1, { ids: Array.from({ length: 1000 }, (_, at) => `key_${at}`) })]);
    const [row] = (await pageOfAudit(database, undefined, 1)).rows;
    assert.match(row?.entry ?? '', /"truncated":"1000 ids"/);
    assert.ok((row?.entry.length ?? 0) < 1000);
  });
});
