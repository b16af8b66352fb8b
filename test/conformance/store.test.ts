import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { before, it } from 'node:test';
import { type Kysely, sql } from 'kysely';
import { type Database, openDatabase, openExistingDatabase } from '../../src/store/database.ts';
import { FixedStatement } from '../../src/store/fixed-statement.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { rowValues } from '../../src/store/row-values.ts';
import { DatabaseAbsent, isRowFault, StoreFault } from '../../src/store/store-fault.ts';
import type { Tables } from '../../src/store/tables.ts';
import { forEachEngine } from '../support/engines.ts';
import { POSTGRES_PASSWORD } from '../support/postgres-server.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const PRICE_COLUMNS = ['hash', 'rates', 'version'] as const;
const price = (hash: string, rates = '{}'): Tables['price_tables'] => ({ hash, rates, version: '1' });
const WINDOW_KEYS = ['budget', 'unit', 'period_start', 'group_value', 'gateway'] as const;
const WINDOW_COLUMNS = [...WINDOW_KEYS, 'spent'] as const;
const spent = (budget: string, amount: number, group = ''): Tables['budget_windows'] => ({
  budget,
  unit: 'cost_per_day',
  period_start: 1_800_000_000_000,
  group_value: group,
  gateway: 'gw',
  spent: amount,
});

forEachEngine('a database', (engine) => {
  it('a database keeps what was written, and is migrated once', async () => {
    const place = await engine.newPlace();
    for (const hash of ['a', 'b']) {
      const database = await openDatabase(place);
      await database.query.insertInto('price_tables').values(price(hash)).execute();
      await database.close();
    }
    const database = await engine.open(place);
    assert.deepEqual(await hashes(database), ['a', 'b']);
  });

  it('a database that does not exist is not made by a command that needs one, and the refusal says where it looked', async () => {
    const place = await engine.newPlace();
    for (let round = 0; round < 2; round += 1) {
      await assert.rejects(openExistingDatabase(place, 0), (error) => {
        assert.ok(error instanceof DatabaseAbsent);
        assert.match(
          error.message,
          engine.name === 'SQLite' ? /\/sluice\.db: / : /postgres:\/\/127\.0\.0\.1:\d+\/test_\d+: /,
        );
        assert.ok(!error.message.includes(POSTGRES_PASSWORD));
        return true;
      });
    }
    assert.deepEqual(await readdir(place.dataDir), []);
    await engine.open(place);
    await (await openExistingDatabase(place, 0)).close();
  });

  it('a database that many processes open at once is made once, and all of them can write', async () => {
    const place = await engine.newPlace();
    const databases = await Promise.all(Array.from({ length: 5 }, () => engine.open(place)));
    await Promise.all(
      databases.map((database, index) =>
        database.query
          .insertInto('price_tables')
          .values(price(`p${index}`))
          .execute(),
      ),
    );
    assert.equal((await hashes(databases[0]!)).length, 5);
  });

  it('a data folder of this version opens in the next one, and is then refused by this one with both versions', async (t) => {
    const place = await engine.newPlace();
    const before = await openDatabase(place);
    await before.query.insertInto('price_tables').values(price('kept')).execute();
    await before.close();
    t.after(() => delete MIGRATIONS['9999-later']);
    MIGRATIONS['9999-later'] = {
      up: async (query: Kysely<unknown>) => {
        await sql`alter table price_tables add column later text`.execute(query);
        await sql`insert into sluice_versions (version, migrated_at) values ('9.9.9', '9999-01-01')`.execute(query);
      },
    };
    const upgraded = await openDatabase(place);
    assert.deepEqual(await hashes(upgraded), ['kept']);
    await upgraded.close();
    delete MIGRATIONS['9999-later'];
    await assert.rejects(openDatabase(place), (error) => {
      assert.ok(error instanceof StoreFault);
      assert.match(error.message, /newer version of Sluice: 9\.9\.9, which brought it to the form 9999-later\./);
      const own = /This is Sluice \d+\.\d+\.\d+, which knows forms up to \d{4}-[a-z-]+\. .*restore a backup/;
      assert.match(error.message, own);
      assert.match(error.message, engine.name === 'SQLite' ? /sluice\.db/ : /postgres:\/\/127\.0\.0\.1:\d+\/test_\d+ /);
      assert.ok(!error.message.includes(POSTGRES_PASSWORD));
      return true;
    });
  });

  it('a database returns whole numbers, sums and counts up to 2^53 as numbers', async () => {
    const { query } = await engine.open();
    await query
      .insertInto('budget_windows')
      .values([spent('a', MOST), spent('b', 0), spent('c', -5)])
      .execute();
    const rows = await query.selectFrom('budget_windows').select(['budget', 'spent']).orderBy('budget').execute();
    assert.deepEqual(
      rows.map((row) => row.spent),
      [MOST, 0, -5],
    );
    const sums = await query
      .selectFrom('budget_windows')
      .select(({ fn }) => [fn.sum('spent').as('sum'), fn.countAll().as('count')])
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...sums }, { sum: MOST - 5, count: 3 });
  });
});

forEachEngine('a transaction', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
  });

  it('a failed transaction is rolled back whole: inserted rows, additions and single queries', async () => {
    const failing = database.write(async (transaction) => {
      await transaction.insertNew('price_tables', PRICE_COLUMNS, rowValues(PRICE_COLUMNS, [price('rolled-back')]));
      await transaction.addUp(
        'budget_windows',
        WINDOW_KEYS,
        ['spent'],
        rowValues(WINDOW_COLUMNS, [spent('rolled-back', 1)]),
      );
      await transaction.query.insertInto('price_tables').values(price('rolled-back-too')).execute();
      assert.deepEqual(await hashes(transaction), ['rolled-back', 'rolled-back-too']);
      throw new Error('midway');
    });
    await assert.rejects(failing, /midway/);
    assert.deepEqual(await hashes(database), []);
    assert.deepEqual(await spending(database), {});
  });

  it('a transaction returns what its work returns, and others see it afterwards', async () => {
    const answer = await database.write(async (transaction) => {
      await transaction.insertNew('price_tables', PRICE_COLUMNS, rowValues(PRICE_COLUMNS, [price('kept')]));
      return 42;
    });
    assert.equal(answer, 42);
    assert.deepEqual(await hashes(database), ['kept']);
  });
});

forEachEngine('a transaction that need not wait for the disk', (engine) => {
  const INSERT = new FixedStatement('insert into price_tables (hash, rates, version) values (?, ?, ?)');
  const HASHES = new FixedStatement<{ hash: string }>('select hash from price_tables where rates = ? order by hash');
  let database: Database;
  before(async () => {
    database = await engine.open();
  });
  const insert = (hash: string) => database.writeSoon(({ run }) => run(INSERT, [hash, '{}', '1']));

  it('it returns what its work returns, which sees what it wrote, and others see it afterwards', async () => {
    const seen = await database.writeSoon(async ({ run }) => {
      await run(INSERT, ['kept', '{}', '1']);
      return run(HASHES, ['{}']);
    });
    assert.deepEqual(
      seen.map(({ hash }) => hash),
      ['kept'],
    );
    assert.deepEqual(await hashes(database), ['kept']);
  });

  it('one that fails is rolled back whole, and those that wait for their turn go on', async () => {
    const failing = database.writeSoon(async ({ run }) => {
      await run(INSERT, ['lost', '{}', '1']);
      await run(INSERT, ['lost', '{}', '1']);
    });
    const behind = insert('behind');
    const other = database.write(({ query }) => query.insertInto('price_tables').values(price('other')).execute());
    await assert.rejects(failing);
    await Promise.all([behind, other]);
    assert.deepEqual(await hashes(database), ['behind', 'kept', 'other']);
  });

  if (engine.name === 'SQLite') {
    it('it leaves the file waiting for the disk, as others need it', async () => {
      const mode = new FixedStatement<{ synchronous: number }>('pragma synchronous');
      let during: readonly { synchronous: number }[] = [];
      // One behind a rest waits for the disk, and so does the next where the machine is slow.
      for (let tries = 0; tries < 50 && during[0]?.synchronous !== 1; tries += 1) {
        await insert(`one of many ${tries}`);
        during = await database.writeSoon(({ run }) => run(mode, []));
      }
      const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(database.query);
      // 1: NORMAL, 2: FULL.
      assert.deepEqual([during[0]?.synchronous, rows[0]?.synchronous], [1, 2]);
    });
  }
});

forEachEngine('rows inserted at once', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
  });
  const insert = (rows: Tables['price_tables'][]) =>
    database.write((transaction) =>
      transaction.insertNew('price_tables', PRICE_COLUMNS, rowValues(PRICE_COLUMNS, rows)),
    );

  it('new rows are told apart from those that exist, which stay as they are', async () => {
    assert.equal(await insert([price('b', 'first'), price('d')]), 2);
    assert.equal(await insert([price('a'), price('b', 'second'), price('c'), price('d')]), 2);
    assert.equal(await insert([price('a')]), 0);
    assert.equal(await insert([]), 0);
    const row = await database.query.selectFrom('price_tables').selectAll().where('hash', '=', 'b').executeTakeFirst();
    assert.equal(row?.rates, 'first');
  });

  it('thousands of rows are inserted at once', async () => {
    const rows = Array.from({ length: 5000 }, (_, index) => price(`many-${index}`));
    assert.equal(await insert(rows), 5000);
    assert.equal(await insert([...rows, price('one-more')]), 1);
  });

  it('rows keep every text, except what PostgreSQL refuses', async () => {
    const texts = ['', '"\\\'', '\\u0000', '\n\r\t\u0001\u007f', '{"a":"\\u0000"}', 'ü€𝄞', '{1,2}', 'NULL', '$1 ? :a'];
    await insert([...texts.map((text, index) => price(`text-${index}`, text)), price('text-bad\0', 'a\0b\ud800c')]);
    const rows = await database.query
      .selectFrom('price_tables')
      .select(['hash', 'rates'])
      .where('hash', 'like', 'text-%')
      .execute();
    const kept = new Map(rows.map((row) => [row.hash, row.rates]));
    for (const [index, text] of texts.entries()) assert.equal(kept.get(`text-${index}`), text);
    assert.equal(kept.get('text-bad\ufffd'), 'a\ufffdb\ufffdc');
    assert.equal(await insert([price('text-bad\0')]), 0);
  });

  it('rows that the table cannot take are a fault of the rows, and none of them is written', async () => {
    const faulty = [price('good'), { ...price('bad'), rates: null as unknown as string }];
    await assert.rejects(insert(faulty), isRowFault);
    const missing = [price('good'), { ...price('bad'), rates: undefined as unknown as string }];
    await assert.rejects(insert(missing), (error) => isRowFault(error) && /column rates/.test(String(error)));
    assert.ok(!(await hashes(database)).includes('good'));
    for (const amount of [0.5, Number.NaN, 2 ** 60]) {
      const adding = database.write((transaction) =>
        transaction.addUp('budget_windows', WINDOW_KEYS, ['spent'], rowValues(WINDOW_COLUMNS, [spent('bad', amount)])),
      );
      await assert.rejects(adding, (error) => isRowFault(error) && /column spent/.test(String(error)));
    }
  });
});

forEachEngine('additions', (engine) => {
  it('an addition inserts what is missing and adds to what exists', async () => {
    const database = await engine.open();
    const add = (...rows: Tables['budget_windows'][]) =>
      database.write((transaction) =>
        transaction.addUp('budget_windows', WINDOW_KEYS, ['spent'], rowValues(WINDOW_COLUMNS, rows)),
      );
    await add(spent('a', 1), spent('b', 2));
    await add(spent('b', 40), spent('c', MOST), spent('a', -1));
    await add();
    assert.deepEqual(await spending(database), { a: 0, b: 42, c: MOST });
  });

  it('additions of several gateways at once lose nothing, in whatever order each of them writes', async () => {
    const place = await engine.newPlace();
    const first = await engine.open(place);
    // A process has one database: a second connection to a SQLite file would block the thread that the first one needs.
    const more = engine.name === 'SQLite' ? [first, first] : [await engine.open(place), await engine.open(place)];
    const databases = [first, ...more];
    const names = ['b', 'A', 'a', 'ä', 'B', '_', 'c'];
    await Promise.all(
      databases.map(async (database, gateway) => {
        for (let round = 0; round < 20; round += 1) {
          const order = names.map((_, index) => names[(index + gateway + round) % names.length]!);
          const rows = (gateway === 1 ? order.reverse() : order).map((name) => spent(name, 1));
          await database.write((transaction) =>
            transaction.addUp('budget_windows', WINDOW_KEYS, ['spent'], rowValues(WINDOW_COLUMNS, rows)),
          );
        }
      }),
    );
    assert.deepEqual(await spending(first), Object.fromEntries(names.map((name) => [name, 60])));
  });
});

async function hashes({ query }: Pick<Database, 'query'>): Promise<string[]> {
  const rows = await query.selectFrom('price_tables').select('hash').execute();
  return rows.map((row) => row.hash).sort();
}

async function spending({ query }: Pick<Database, 'query'>): Promise<Record<string, number>> {
  const rows = await query.selectFrom('budget_windows').select(['budget', 'spent']).execute();
  return Object.fromEntries(rows.map((row) => [row.budget, row.spent]));
}
