import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type Load, startCountingProvider, startLoad } from '../support/ledger-load.ts';
import type { FakeProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { type SmallDisk, smallDisk, smallDiskSkip } from '../support/small-disk.ts';
import { rowsInFolder } from '../support/stored-rows.ts';

const DISK_BYTES = 12 * 1024 * 1024;

describe('the ledger while the disk is full', { skip: smallDiskSkip(), timeout: 120_000 }, () => {
  let provider: FakeProvider;
  before(async () => {
    provider = await startCountingProvider();
  });
  after(() => provider?.[Symbol.asyncDispose]());

  type Start = (ledger: object) => Promise<RunningGateway>;

  /** Gateways whose data folder is on a small disk; both are gone afterwards. */
  async function onSmallDisk(work: (disk: SmallDisk, start: Start) => Promise<void>): Promise<void> {
    const disk = smallDisk(DISK_BYTES);
    const gateways: RunningGateway[] = [];
    try {
      await work(disk, async (ledger) => {
        const gateway = await startGateway({
          folder: disk.folder,
          server: { threads: 2, ledger },
          manifests: [openAccount('p', `${provider.origin}/v1`)],
        });
        gateways.push(gateway);
        return gateway;
      });
    } finally {
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
      disk.unmount();
    }
  }

  const rowIds = (disk: SmallDisk): Set<string> => new Set(rowsInFolder(join(disk.folder, 'data')).map(({ id }) => id));

  const answered = (load: Load): string[] => load.ended.filter(({ status }) => status === 200).map(({ id }) => id);
  const isRefused = (load: Load): boolean => load.ended.slice(-50).some(({ status }) => status === 503);

  async function readiness(gateway: RunningGateway): Promise<{ status: number; reason: string; tookMs: number }> {
    const startedAt = performance.now();
    await (await fetch(`${gateway.operatorUrl}/livez`)).text();
    const tookMs = performance.now() - startedAt;
    const response = await fetch(`${gateway.operatorUrl}/readyz`);
    return { status: response.status, reason: JSON.stringify(await response.json()), tookMs };
  }

  it('a full disk refuses new requests with 503 ledger_full, loses no row of an answered one, and is over by itself', () =>
    onSmallDisk(async (disk, start) => {
      const gateway = await start({});
      const agent = new Agent({ keepAlive: true });
      const load = startLoad(gateway, 8, ['p/m'], agent);
      await eventually('rows', async () => (await gateway.metric('sluice_ledger_rows_total')) > 200, 20_000);
      disk.fill();
      await eventually('it refuses', () => isRefused(load), 30_000);
      await eventually('it is not ready', async () => (await readiness(gateway)).status === 503);
      const { reason } = await readiness(gateway);
      assert.match(reason, /ENOSPC/);
      let refused = await ask(gateway, { model: 'p/m', messages });
      // The other thread may have room for some more.
      await eventually('a new request is refused', async () => {
        if (refused.status === 503) return true;
        await refused.text();
        refused = await ask(gateway, { model: 'p/m', messages });
        return false;
      });
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      const error = await errorOf(refused);
      assert.equal(error.code, 'ledger_full');
      assert.match(error.message, /data_dir/);
      await eventually('the log names it', () => /"level":"error".*ENOSPC/.test(gateway.output()));
      disk.free();
      await eventually(
        'it serves again',
        async () => (await ask(gateway, { model: 'p/m', messages })).status === 200,
        15_000,
      );
      await eventually('it is ready again', async () => (await readiness(gateway)).status === 200, 10_000);
      await load.stop();
      agent.destroy();
      assert.deepEqual(load.failed, []);
      assert.equal(await gateway.stop(), 0);
      const rows = rowIds(disk);
      const missing = answered(load).filter((id) => !rows.has(id));
      assert.deepEqual(missing, [], `${missing.length} of ${answered(load).length} are missing`);
    }));

  it('a full disk with ledger.when_full serve refuses nobody, and counts the records that are lost', () =>
    onSmallDisk(async (disk, start) => {
      const gateway = await start({ when_full: 'serve' });
      const agent = new Agent({ keepAlive: true });
      disk.fill();
      const load = startLoad(gateway, 16, ['p/m'], agent);
      await eventually('some are lost', async () => (await gateway.metric('sluice_ledger_lost_total')) > 0, 60_000);
      assert.equal((await readiness(gateway)).status, 200);
      await load.stop();
      agent.destroy();
      disk.free();
      assert.equal(answered(load).length, load.ended.length);
      await eventually(
        'the rest is written',
        async () => (await gateway.metric('sluice_ledger_lag_seconds')) === 0,
        20_000,
      );
      const lost = await gateway.metric('sluice_ledger_lost_total');
      assert.equal(await gateway.stop(), 0);
      assert.equal(rowIds(disk).size, load.ended.length - lost);
    }));

  for (const sync of ['strict', 'disk']) {
    it(`after SIGKILL with a full disk and ledger.sync ${sync} no row of an answered exchange is missing`, () =>
      onSmallDisk(async (disk, start) => {
        const gateway = await start({ sync });
        const agent = new Agent({ keepAlive: true });
        const load = startLoad(gateway, 8, ['p/m'], agent);
        await eventually('rows', async () => (await gateway.metric('sluice_ledger_rows_total')) > 200, 20_000);
        disk.fill();
        await eventually('it refuses', () => isRefused(load), 30_000);
        gateway.process.kill('SIGKILL');
        await load.over;
        await gateway.exited;
        agent.destroy();
        disk.free();
        const again = await start({ sync });
        assert.equal(await again.stop(), 0);
        const rows = rowIds(disk);
        const missing = answered(load).filter((id) => !rows.has(id));
        assert.deepEqual(missing, [], `${missing.length} of ${answered(load).length} are missing`);
      }));
  }
});
