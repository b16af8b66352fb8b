import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { before, describe, it } from 'node:test';
import { openDatabase } from '../../src/store/database.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type EndedExchange, startCountingProvider, startLoad } from '../support/ledger-load.ts';
import { type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';
import type { FakeProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { storedIds } from '../support/stored-rows.ts';

describe('the ledger while PostgreSQL is away', { skip: postgresSkip, timeout: 120_000 }, () => {
  let server: PostgresServer;
  let provider: FakeProvider;
  before(async () => {
    server = await startPostgres();
    provider = await startCountingProvider();
  });
  disposeAfter(() => [provider, server]);

  const start = (database: string, ledger: object = {}): Promise<RunningGateway> =>
    startGateway({
      server: { threads: 2, store: { database }, ledger },
      manifests: [openAccount('p', `${provider.origin}/v1`)],
    });

  async function rowIds(database: string, gateway: RunningGateway): Promise<Set<string>> {
    const opened = await openDatabase({ database, dataDir: `${gateway.folder}/data` });
    const ids = await storedIds(opened);
    const hourly = await opened.query.selectFrom('usage_hourly').select('requests').execute();
    await opened.close();
    assert.equal(
      hourly.reduce((sum, each) => sum + each.requests, 0),
      ids.length,
    );
    return new Set(ids);
  }

  const p99 = (exchanges: readonly EndedExchange[]): number => {
    const sorted = exchanges.map((each) => each.durationMs).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  };

  it('no request fails or waits while PostgreSQL is away, and no row is lost', async () => {
    const database = await server.newDatabase();
    const gateway = await start(database);
    try {
      const agent = new Agent({ keepAlive: true });
      const load = startLoad(gateway, 8, ['p/m'], agent);
      await eventually('rows', async () => (await gateway.metric('sluice_ledger_rows_total')) > 200, 20_000);
      const before = load.ended.length;
      await server.stop();
      await eventually(
        'it is noticed',
        async () => (await gateway.metric('sluice_ledger_failures_total', { kind: 'database' })) > 0,
        20_000,
      );
      await eventually('it goes on', () => load.ended.length > before + 2_000, 30_000);
      const meanwhile = load.ended.slice(before);
      assert.ok((await gateway.metric('sluice_ledger_lag_seconds')) > 0);
      await server.start();
      await load.stop();
      agent.destroy();
      assert.deepEqual(load.failed, []);
      assert.ok(load.ended.every((each) => each.status === 200));
      // Far below the seconds that a query of the away database takes.
      assert.ok(p99(meanwhile) < Math.max(250, 5 * p99(load.ended.slice(0, before))), `p99 ${p99(meanwhile)} ms`);
      await eventually(
        'all rows',
        async () => (await gateway.metric('sluice_ledger_rows_total')) >= load.ended.length,
        30_000,
      );
      const rows = await rowIds(database, gateway);
      assert.deepEqual(
        load.ended.filter((each) => !rows.has(each.id)),
        [],
      );
      assert.equal(rows.size, load.ended.length);
      assert.equal(await gateway.metric('sluice_ledger_lost_total'), 0);
    } finally {
      await gateway[Symbol.asyncDispose]();
    }
  });

  it('a full journal refuses new requests with 503 ledger_full, which names the setting, until there is room', async () => {
    const database = await server.newDatabase();
    const gateway = await start(database, { max_journal_bytes: 1_048_576 });
    try {
      assert.equal((await ask(gateway, { model: 'p/m', messages })).status, 200);
      await server.stop();
      // Long labels fill it sooner.
      const label = 'x'.repeat(120);
      let sent = 0;
      const hammer = async (): Promise<Response> => {
        for (;;) {
          sent += 1;
          const response = await ask(
            gateway,
            { model: 'p/m', messages },
            { headers: { 'x-request-id': `${label}${sent}` } },
          );
          if (response.status !== 200) return response;
          await response.text();
        }
      };
      const [refused] = await Promise.all(Array.from({ length: 8 }, hammer));
      assert.equal(refused?.status, 503);
      assert.ok(Number(refused?.headers.get('retry-after')) > 0);
      const error = await errorOf(refused!);
      assert.equal(error.code, 'ledger_full');
      assert.match(error.message, /ledger\.max_journal_bytes/);
      await server.start();
      await eventually(
        'it serves again',
        async () => (await ask(gateway, { model: 'p/m', messages })).status === 200,
        30_000,
      );
    } finally {
      await gateway[Symbol.asyncDispose]();
    }
  });
});
