import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, NotStarted, type RunningGateway, startGateway } from '../support/gateway.ts';
import { POSTGRES_PASSWORD, type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';
import { sluice } from '../support/sluice-command.ts';

describe('a gateway on PostgreSQL', { skip: postgresSkip }, () => {
  let server: PostgresServer;
  let gateway: RunningGateway;
  let url: string;
  before(async () => {
    server = await startPostgres();
    url = await server.newDatabase();
    gateway = await startGateway({ server: { store: { database: url }, demo: true } });
  });
  disposeAfter(() => [gateway, server]);

  const statusWith = async (key: string): Promise<number> => {
    const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    await answer.arrayBuffer();
    return answer.status;
  };

  it('a gateway on PostgreSQL takes the keys that commands make, lists them, and refuses those they revoke', async () => {
    const made = await sluice(['keys', 'create', '--subject', 'virtualaccount:ci', '--config', gateway.configFile]);
    assert.equal(made.code, 0, made.stderr);
    const key = made.stdout.trim();
    await eventually('the key works', async () => (await statusWith(key)) === 200);
    const [id = ''] = /key_\w+/.exec(made.stderr) ?? [];
    const listed = await sluice(['keys', 'list', '--config', gateway.configFile]);
    assert.match(listed.stdout, new RegExp(`${id} +active +virtualaccount:ci`));
    const revoked = await sluice(['keys', 'revoke', id, '--config', gateway.configFile]);
    assert.equal(revoked.code, 0, revoked.stderr);
    await eventually('the key is refused', async () => (await statusWith(key)) === 401);
  });

  it('a gateway serves on while PostgreSQL is away, and sees what is written when it is back', async () => {
    const made = await sluice(['keys', 'create', '--subject', 'virtualaccount:ci', '--config', gateway.configFile]);
    const key = made.stdout.trim();
    await eventually('the key works', async () => (await statusWith(key)) === 200);
    await server.stop();
    const away = await sluice(['keys', 'list', '--config', gateway.configFile]);
    assert.equal(away.code, 1);
    assert.match(away.stderr, /^The database postgres:\/\/127\.0\.0\.1:\d+\/test_1 cannot be reached: .*ECONNREFUSED/);
    assert.equal(await statusWith(key), 200);
    await server.start();
    const [id = ''] = /key_\w+/.exec(made.stderr) ?? [];
    assert.equal((await sluice(['keys', 'revoke', id, '--config', gateway.configFile])).code, 0);
    await eventually('the key is refused', async () => (await statusWith(key)) === 401);
    for (const text of [gateway.output(), away.stderr, away.stdout, await gateway.metrics()])
      assert.ok(!text.includes(POSTGRES_PASSWORD));
  });

  it('a gateway serves on while PostgreSQL is silent, and stops when it is told to', async () => {
    const other = await startGateway({ server: { store: { database: await server.newDatabase() }, demo: true } });
    server.pause();
    try {
      const models = () => fetch(`${other.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
      for (let time = 0; time < 20; time += 1) assert.equal((await models()).status, 200);
      const begun = performance.now();
      assert.equal(await other.stop(), 0);
      assert.ok(performance.now() - begun < 10_000);
    } finally {
      server.resume();
      await other[Symbol.asyncDispose]();
    }
  });

  it('a gateway does not start without its PostgreSQL, and says where it looked', async () => {
    const elsewhere = url.replace(/test_\d+$/, 'nothing_here');
    await assert.rejects(startGateway({ server: { store: { database: elsewhere } } }), (error) => {
      assert.ok(error instanceof NotStarted && error.exitCode === 1);
      assert.match(error.output, /database "nothing_here" does not exist\. Check store\.database/);
      assert.ok(!error.output.includes(POSTGRES_PASSWORD));
      return true;
    });
  });
});

describe('a command over keys', () => {
  it('a command over keys opens no database where the configuration that names it is faulty', async () => {
    const gateway = await startGateway();
    try {
      const faulty = join(gateway.folder, 'faulty.yaml');
      await writeFile(faulty, 'type: sluice/server\nstore: {database: oracle}\n');
      const refused = await sluice(['keys', 'create', '--subject', 'virtualaccount:ci', '--config', faulty]);
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, /store\.database/);
    } finally {
      await gateway[Symbol.asyncDispose]();
    }
  });
});
