import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { lastOtherwiseMs, leastOf } from '../support/least-of.ts';
import { type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
/** Within which what one gateway does is known to all. */
const CLUSTER_MS = 5000;

describe('two gateways on one PostgreSQL', { skip: postgresSkip }, () => {
  let postgres: PostgresServer;
  let one: RunningGateway;
  let two: RunningGateway;
  before(async () => {
    postgres = await startPostgres();
    const database = await postgres.newDatabase();
    const operator = { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY };
    const server = { store: { database }, demo: true, threads: 2, operator };
    [one, two] = await Promise.all([startGateway({ server }), startGateway({ server })]);
  });
  after(async () => {
    await Promise.all([one, two].map((gateway) => gateway?.[Symbol.asyncDispose]()));
    await postgres[Symbol.asyncDispose]();
  });

  async function admin(gateway: RunningGateway, method: string, path: string, body?: object) {
    const answer = await fetch(`${gateway.operatorUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    const json: { id: string; token: string; error?: { code: string } } = JSON.parse(await answer.text());
    return { status: answer.status, ...json };
  }
  async function statuses(gateway: RunningGateway, key: string): Promise<Set<number>> {
    const each = Array.from({ length: 16 }, async () => {
      const headers = { authorization: `Bearer ${key}`, connection: 'close' };
      const answer = await fetch(`${gateway.url}/v1/models`, { headers });
      await answer.arrayBuffer();
      return answer.status;
    });
    return new Set(await Promise.all(each));
  }
  const all = async (gateway: RunningGateway, key: string, status: number) => {
    const found = await statuses(gateway, key);
    return found.size === 1 && found.has(status);
  };

  for (const token_type of ['jwt', 'opaque']) {
    it(`two gateways know each other’s keys (${token_type}) and refuse revoked or rotated ones within five seconds`, async () => {
      for (const [maker, other] of [
        [one, two],
        [two, one],
      ] as const) {
        const ms = await leastOf(CLUSTER_MS, async () => {
          const made = await admin(maker, 'POST', '/admin/keys', { subject: 'virtualaccount:ci', token_type });
          assert.equal(made.status, 201);
          assert.ok(await all(maker, made.token, 200));
          const times = [await lastOtherwiseMs('the other knows it', () => all(other, made.token, 200))];
          const next = await admin(other, 'POST', `/admin/keys/${made.id}/rotate`, { grace_period: '0s' });
          assert.equal(next.status, 201);
          times.push(await lastOtherwiseMs('it is over where it was made', () => all(maker, made.token, 401)));
          times.push(await lastOtherwiseMs('its successor works there', () => all(maker, next.token, 200)));
          assert.equal((await admin(maker, 'DELETE', `/admin/keys/${next.id}`)).status, 200);
          times.push(await lastOtherwiseMs('it is revoked everywhere', () => all(other, next.token, 401)));
          return Math.max(...times);
        });
        assert.ok(ms < CLUSTER_MS, `${ms} ms`);
      }
    });
  }

  it('an id that PostgreSQL cannot hold is not found, and no failure', async () => {
    for (const [method, path] of [
      ['GET', '/admin/keys/%00'],
      ['DELETE', '/admin/keys/%00'],
      ['POST', '/admin/keys/%00/rotate'],
      ['GET', '/admin/receipts/%00'],
    ] as const) {
      assert.deepEqual([path, (await admin(one, method, path)).status], [path, 404]);
    }
    const forged = Buffer.from('[0,"\\u0000"]').toString('base64url');
    for (const query of [
      'keys?subject=%00',
      'keys?page_token=%00',
      'budgets?group=%00',
      `budgets?page_token=${forged}`,
    ]) {
      const asked = await admin(one, 'GET', `/admin/${query}`);
      assert.deepEqual([query, asked.status, asked.error?.code], [query, 400, 'invalid_parameter']);
    }
  });

  it('a gateway whose database is away knows its keys and serves, and its admin API answers 503', async () => {
    const made = await admin(one, 'POST', '/admin/keys', { subject: 'virtualaccount:ci', token_type: 'opaque' });
    await eventually('the other knows it', () => all(two, made.token, 200), CLUSTER_MS);
    await postgres.stop();
    for (const gateway of [one, two]) assert.ok(await all(gateway, made.token, 200));
    const away = async () => (await admin(one, 'GET', '/admin/keys')).error?.code === 'database_away';
    await eventually('the admin API says so', away, 15_000);
    await postgres.start();
    await eventually(
      'it is back',
      async () => (await admin(one, 'DELETE', `/admin/keys/${made.id}`)).status === 200,
      15_000,
    );
    await eventually('it is revoked everywhere', () => all(two, made.token, 401), CLUSTER_MS);
  });
});
