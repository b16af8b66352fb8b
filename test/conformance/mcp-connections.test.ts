import assert from 'node:assert/strict';
import { afterEach, before, it } from 'node:test';
import type { Database } from '../../src/store/database.ts';
import {
  deleteMcpConnections,
  eraseMcpOf,
  findMcpConnection,
  leaseMcpConnection,
  listMcpConnections,
  listMcpSignIns,
  type McpConnection,
  nextOfMcpSignIn,
  putMcpClient,
  putMcpConnection,
  putMcpPending,
  putMcpSignIn,
  releaseMcpConnection,
  takeMcpPending,
  updateMcpConnection,
} from '../../src/store/mcp-connections.ts';
import { forEachEngine } from '../support/engines.ts';

const NOW = 1_900_000_000_000;
const ANN = 'user:ann@example.com';

const connection = (id: string, more: Partial<McpConnection> = {}): McpConnection => ({
  id,
  subject: ANN,
  server: 'group/issues',
  account: 'default',
  kind: 'oauth',
  issuer: 'https://issuer.example',
  scopes: 'a b',
  secret: 'sealed',
  expiresAt: NOW + 1000,
  createdAt: NOW,
  updatedAt: NOW,
  version: 1,
  ...more,
});

const signIn = (id: string, more: object = {}) => ({
  id,
  subject: ANN,
  client: 'A client',
  resource: 'https://gateway.example/mcp',
  secret: 'sealed',
  generation: 1,
  createdAt: NOW,
  usedAt: NOW,
  expiresAt: NOW + 10_000,
  ...more,
});

forEachEngine('what is kept of MCP', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open();
  });
  afterEach(async () => {
    await database.query.deleteFrom('mcp_connections').execute();
    await database.query.deleteFrom('mcp_pending').execute();
    await database.query.deleteFrom('mcp_clients').execute();
    await database.query.deleteFrom('mcp_sign_ins').execute();
  });

  it('a connection is read back as it was stored, for its user, server and account alone', async () => {
    const kept = connection('one');
    await putMcpConnection(database, kept);
    assert.deepEqual(await findMcpConnection(database, kept), kept);
    for (const other of [{ subject: 'user:bob@example.com' }, { server: 'issues' }, { account: 'work' }]) {
      assert.equal(await findMcpConnection(database, { ...kept, ...other }), undefined);
    }
    const values = connection('two', { account: 'x', kind: 'values', issuer: undefined, expiresAt: undefined });
    await putMcpConnection(database, values);
    assert.deepEqual(await findMcpConnection(database, values), values);
  });

  it('a new connection replaces the old one, and no change of the old one is written over it', async () => {
    await putMcpConnection(database, connection('one'));
    await putMcpConnection(database, connection('two'));
    assert.deepEqual(
      (await listMcpConnections(database, { subject: ANN })).map(({ id }) => id),
      ['two'],
    );
    const change = { secret: 'newer', scopes: '', expiresAt: undefined, updatedAt: NOW };
    assert.equal(await updateMcpConnection(database, 'one', 1, change), false);
    assert.equal(await updateMcpConnection(database, 'two', 1, change), true);
    assert.equal(await updateMcpConnection(database, 'two', 1, change), false);
  });

  it('one gateway at a time refreshes a connection', async () => {
    await putMcpConnection(database, connection('one'));
    const lease = (now: number) => leaseMcpConnection(database, 'one', 1, now, now + 100);
    assert.deepEqual([await lease(NOW), await lease(NOW + 50), await lease(NOW + 101)], [true, false, true]);
    await releaseMcpConnection(database, 'one', 1);
    assert.equal(await lease(NOW + 102), true);
  });

  it('a filter without any value deletes nothing', async () => {
    await putMcpConnection(database, connection('one'));
    assert.deepEqual(await deleteMcpConnections(database, {}), []);
    assert.deepEqual(await deleteMcpConnections(database, { id: 'one', subject: 'user:bob@example.com' }), []);
    assert.equal((await deleteMcpConnections(database, { subject: ANN })).length, 1);
  });

  it('a waiting sign-in is taken once, in time, and each owner has a bounded number of them', async () => {
    const pending = (id: string, owner = ANN) => ({ id, owner, secret: `of ${id}`, expiresAt: NOW + 1000 });
    await putMcpPending(database, pending('one'), NOW);
    const both = await Promise.all([takeMcpPending(database, 'one', NOW), takeMcpPending(database, 'one', NOW)]);
    assert.deepEqual(both.toSorted(), ['of one', undefined]);
    await putMcpPending(database, pending('late'), NOW);
    assert.equal(await takeMcpPending(database, 'late', NOW + 1000), undefined);
    for (let at = 0; at < 25; at += 1)
      await putMcpPending(database, { ...pending(`p${at}`), expiresAt: NOW + 1000 + at }, NOW);
    await putMcpPending(database, pending('other', 'user:bob@example.com'), NOW);
    const { count } = await database.query
      .selectFrom('mcp_pending')
      .select((row) => row.fn.countAll().as('count'))
      .where('owner', '=', ANN)
      .executeTakeFirstOrThrow();
    assert.equal(Number(count), 20);
  });

  it('a refresh token is good once; the second time ends the sign-in', async () => {
    await putMcpSignIn(database, signIn('one'));
    assert.equal((await nextOfMcpSignIn(database, 'one', 1, NOW))?.generation, 2);
    assert.equal((await nextOfMcpSignIn(database, 'one', 2, NOW))?.generation, 3);
    assert.equal(await nextOfMcpSignIn(database, 'one', 1, NOW), undefined);
    assert.equal(await nextOfMcpSignIn(database, 'one', 3, NOW), undefined);
    await putMcpSignIn(database, signIn('late'));
    assert.equal(await nextOfMcpSignIn(database, 'late', 1, NOW + 10_000), undefined);
  });

  it('two gateways that register at an issuer at once both use the first registration', async () => {
    const both = await Promise.all([
      putMcpClient(database, 'one', 'first', NOW),
      putMcpClient(database, 'one', 'second', NOW),
    ]);
    assert.equal(new Set(both).size, 1);
  });

  it('nothing is left of a person who is erased', async () => {
    await putMcpConnection(database, connection('one'));
    await putMcpConnection(database, connection('two', { subject: 'user:bob@example.com' }));
    await putMcpSignIn(database, signIn('one'));
    await eraseMcpOf(database.query, ANN);
    assert.deepEqual(
      (await listMcpConnections(database, {})).map(({ id }) => id),
      ['two'],
    );
    assert.deepEqual(await listMcpSignIns(database, undefined, NOW), []);
  });
});
