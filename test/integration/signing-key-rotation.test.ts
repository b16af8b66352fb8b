import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';
import { sluiceOutput } from '../support/sluice-command.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const OPERATOR = { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY };
/** Within which what one gateway or command does is known to all. */
const CLUSTER_MS = 5_000;

/** What a command over the gateway's data prints. */
const command = (gateway: RunningGateway, ...words: string[]) =>
  sluiceOutput([...words, '--config', gateway.configFile]);

async function statusOf(gateway: RunningGateway, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, connection: 'close' };
  const answer = await fetch(`${gateway.url}/v1/models`, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

async function madeByAdmin(gateway: RunningGateway): Promise<string> {
  const answer = await fetch(`${gateway.operatorUrl}/admin/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
    body: JSON.stringify({ subject: 'virtualaccount:ci' }),
  });
  const { token }: { token: string } = JSON.parse(await answer.text());
  return token;
}

const create = (gateway: RunningGateway) => command(gateway, 'keys', 'create', '--subject', 'virtualaccount:ci');
const signerOf = (token: string): string =>
  JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()).kid;

describe('a signing key that is rotated while the gateway runs', () => {
  let gateway: RunningGateway;
  before(async () => {
    gateway = await startGateway({ server: { demo: true, threads: 2, operator: OPERATOR } });
  });
  after(() => gateway?.[Symbol.asyncDispose]());

  it('a rotated signing key signs no more, and what it signed goes on working, after a restart too', async () => {
    const old = await create(gateway);
    await eventually('the first works', async () => (await statusOf(gateway, old)) === 200);
    const keyId = await command(gateway, 'keys', 'rotate-signing-key');
    assert.notEqual(keyId, signerOf(old));
    const [byCommand, byGateway] = [await create(gateway), await madeByAdmin(gateway)];
    assert.deepEqual([byCommand, byGateway].map(signerOf), [keyId, keyId]);
    for (const token of [old, byCommand, byGateway])
      await eventually('it works', async () => (await statusOf(gateway, token)) === 200);
    assert.equal(await gateway.stop(), 0);
    assert.deepEqual(
      (await readdir(join(gateway.folder, 'data'))).filter((name) => name.startsWith('signing-key')),
      ['signing-key.pem'],
      'the private half of the old one is gone',
    );
    const { folder } = gateway;
    const again = await startGateway({ folder, server: { demo: true, threads: 2, operator: OPERATOR } });
    try {
      for (const token of [old, byCommand, byGateway]) assert.equal(await statusOf(again, token), 200);
    } finally {
      await again[Symbol.asyncDispose]();
    }
  });
});

describe('the grace of a rotated signing key', () => {
  it('a grace of 0s ends all that the old signing key signed at once, and nothing else', async (t) => {
    const gateway = await startGateway({ server: { demo: true, threads: 2, operator: OPERATOR } });
    t.after(gateway[Symbol.asyncDispose]);
    const [first, second] = [await create(gateway), await madeByAdmin(gateway)];
    await eventually('it works', async () => (await statusOf(gateway, first)) === 200);
    assert.equal(await statusOf(gateway, second), 200);
    await command(gateway, 'keys', 'rotate-signing-key', '--grace', '0s');
    const third = await create(gateway);
    for (const token of [first, second])
      await eventually('it is refused', async () => (await statusOf(gateway, token)) === 401);
    await eventually('the new one works', async () => (await statusOf(gateway, third)) === 200);
  });

  it('a grace that is no span is refused with what is allowed, and nothing is rotated', async (t) => {
    const gateway = await startGateway({ server: { demo: true } });
    t.after(gateway[Symbol.asyncDispose]);
    const token = await create(gateway);
    await assert.rejects(command(gateway, 'keys', 'rotate-signing-key', '--grace', 'soon'), /--grace: found "soon"/);
    assert.equal(signerOf(await create(gateway)), signerOf(token));
  });
});

describe('two gateways on one PostgreSQL', { skip: postgresSkip }, () => {
  let postgres: PostgresServer;
  let one: RunningGateway;
  let two: RunningGateway;
  before(async () => {
    postgres = await startPostgres();
    const server = { store: { database: await postgres.newDatabase() }, demo: true, threads: 2, operator: OPERATOR };
    [one, two] = await Promise.all([startGateway({ server }), startGateway({ server })]);
  });
  after(async () => {
    await Promise.all([one, two].map((gateway) => gateway?.[Symbol.asyncDispose]()));
    await postgres?.[Symbol.asyncDispose]();
  });

  it('both gateways take what either signing key of one signed, until its grace ends everywhere', async () => {
    const [old, others] = [await madeByAdmin(one), await madeByAdmin(two)];
    await eventually('the other takes it', async () => (await statusOf(two, old)) === 200, CLUSTER_MS);
    // A grace of some seconds lets the test see its end.
    await command(one, 'keys', 'rotate-signing-key', '--grace', '10s');
    const next = await madeByAdmin(one);
    assert.notEqual(signerOf(next), signerOf(old));
    await eventually('the other takes the new one', async () => (await statusOf(two, next)) === 200, CLUSTER_MS);
    assert.equal(await statusOf(two, old), 200, 'in its grace');
    for (const gateway of [one, two])
      await eventually('the old one ends', async () => (await statusOf(gateway, old)) === 401, 4 * CLUSTER_MS);
    for (const gateway of [one, two])
      for (const token of [next, others]) assert.equal(await statusOf(gateway, token), 200);
  });
});
