import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { idOf, writeLedger } from '../support/large-ledger.ts';
import { busiestThread, threadTimes } from '../support/thread-times.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const EXCHANGES = 100_000;
const MAX_CPU_MS = 50;
const TIMES = 5;
const skip = !existsSync('/proc/self/schedstat') && 'the system does not tell the CPU time of a thread';

/** What each page of the console asks of the ledger. */
const PAGES: Record<string, readonly string[]> = {
  'the overview of a day': [
    '/admin/usage?by=hour&since=24h&beyond=latencies',
    '/admin/usage?by=model&since=24h&beyond=latencies',
  ],
  'the overview of a quarter by session': [
    '/admin/usage?by=day&since=90d&beyond=latencies',
    '/admin/usage?by=metadata.session_id&since=90d&beyond=latencies',
  ],
  'the list of requests': ['/admin/requests?limit=50'],
  'a look for what nobody asked': ['/admin/requests?limit=50&user=nobody@example.com'],
  'a look for a status that nothing had': ['/admin/requests?limit=50&status=418'],
  'hits of guards': ['/admin/requests?limit=50&guardrail=any'],
  'one request': [`/admin/requests/${idOf(EXCHANGES / 2)}`],
  'limits and budgets': ['/admin/budgets?limit=200', '/admin/rate-limits'],
  alerts: ['/admin/budgets?limit=1000', '/admin/alerts'],
  keys: ['/admin/keys?limit=50'],
  'batches and files': ['/admin/batches?limit=50', '/admin/files?limit=50'],
  'the audit log': ['/admin/audit'],
};

describe('what pages of the console cost the thread of the ledger', { skip }, () => {
  let gateway: RunningGateway;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-console-cost-'));
    await writeLedger(folder, EXCHANGES, () => ({}));
    gateway = await startGateway({
      folder,
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
        demo: true,
        ledger: { metadata_keys: ['session_id', 'project'] },
      },
      manifests: [
        {
          type: 'gateway-rate-limiting-config',
          rules: [
            {
              id: 'each',
              when: {},
              limit_to: 600,
              unit: 'requests_per_hour',
              rate_limit_applies_per: ['user', 'model'],
            },
          ],
        },
        {
          type: 'gateway-budget-config',
          rules: [{ id: 'each', when: {}, limit_to: 50, unit: 'cost_per_month', budget_applies_per: ['user'] }],
        },
      ],
    });
  });
  after(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function get(path: string): Promise<void> {
    const answer = await fetch(gateway.operatorUrl + path, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    assert.equal(answer.status, 200, `${path}: ${await answer.text()}`);
  }

  it('none takes more than 50 ms of its CPU time over a hundred thousand exchanges', async () => {
    const { thread } = await busiestThread(gateway.pid, () => get('/admin/requests?limit=500'));
    for (const [page, paths] of Object.entries(PAGES)) {
      // The first one loads code, which no page does twice.
      for (const path of paths) await get(path);
      const times: number[] = [];
      for (let time = 0; time < TIMES; time += 1) {
        const before = threadTimes(gateway.pid, thread).ranMs;
        for (const path of paths) await get(path);
        times.push(threadTimes(gateway.pid, thread).ranMs - before);
      }
      times.sort((one, other) => one - other);
      const median = times[Math.floor(TIMES / 2)]!;
      assert.ok(median <= MAX_CPU_MS, `${page}: ${times.map((ms) => ms.toFixed(1)).join(', ')} ms`);
    }
  });

  it('no page takes CPU time of a relay thread, with the live tail open', async () => {
    const body = JSON.stringify({ model: 'demo/embedding', input: 'x'.repeat(20_000) });
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const relay = await busiestThread(gateway.pid, async () => {
      for (let asked = 0; asked < 10; asked += 1)
        await (await fetch(`${gateway.url}/v1/embeddings`, { method: 'POST', headers, body })).text();
    });
    const leave = new AbortController();
    const admin = { authorization: `Bearer ${ADMIN_KEY}` };
    await fetch(`${gateway.operatorUrl}/admin/requests/tail`, { headers: admin, signal: leave.signal });
    assert.ok(relay.ranMs > 5, 'no thread worked');
    const before = threadTimes(gateway.pid, relay.thread).ranMs;
    const beganAt = performance.now();
    for (const paths of Object.values(PAGES)) for (const path of paths) await get(path);
    const share = (threadTimes(gateway.pid, relay.thread).ranMs - before) / (performance.now() - beganAt);
    leave.abort();
    // Its sweep of timeouts goes on, twenty times a second.
    assert.ok(share < 0.05, `${(share * 100).toFixed(1)} % of a core`);
  });
});
