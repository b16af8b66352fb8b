import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpClient } from '../../../src/core/http-client.ts';
import { Connections } from '../../../src/mcp/oauth/connections.ts';
import { McpRows } from '../../../src/mcp/oauth/rows.ts';
import { Vault } from '../../../src/mcp/oauth/vault.ts';
import type { McpConnection } from '../../../src/store/mcp-connections.ts';
import type { McpRowAnswer, McpRowQuestion } from '../../../src/threads/mcp-row-messages.ts';

const ANN = { subject: 'user:ann@example.com', server: 'issues', account: 'default' };
const HOUR = 3_600_000;

/** One database that several gateways share. */
function database() {
  const rows = new Map<string, McpConnection & { leased?: boolean }>();
  const keyOf = ({ subject, server, account }: typeof ANN) => `${subject} ${server} ${account}`;
  const answer = (question: McpRowQuestion): McpRowAnswer => {
    const byId = 'id' in question ? [...rows.values()].find(({ id }) => id === question.id) : undefined;
    switch (question.kind) {
      case 'connection': {
        const found = rows.get(keyOf(question.place));
        return found ? { kind: 'connections', connections: [found] } : { kind: 'absent' };
      }
      case 'put-connection':
        rows.set(keyOf(question.connection), question.connection);
        return { kind: 'done' };
      case 'lease':
        if (byId === undefined || byId.version !== question.version || byId.leased) return { kind: 'absent' };
        rows.set(keyOf(byId), { ...byId, leased: true });
        return { kind: 'done' };
      case 'release':
        if (byId) rows.set(keyOf(byId), { ...byId, leased: false });
        return { kind: 'done' };
      case 'update-connection':
        if (byId === undefined || byId.version !== question.version) return { kind: 'absent' };
        rows.set(keyOf(byId), { ...byId, ...question.change, version: byId.version + 1, leased: false });
        return { kind: 'done' };
      case 'delete-connections': {
        const found = [...rows.values()].filter(({ id }) => id === question.filter.id);
        for (const each of found) rows.delete(keyOf(each));
        return { kind: 'connections', connections: found };
      }
      default:
        return { kind: 'failed' };
    }
  };
  return { rows, ask: (question: McpRowQuestion) => Promise.resolve(answer(question)) };
}

interface Setting {
  readonly shared?: ReturnType<typeof database>;
  readonly http?: HttpClient;
  readonly secret?: string;
}

function gateway({ shared = database(), http = failing, secret = 'a secret of the tests' }: Setting = {}) {
  const clock = { now: 1_000_000 };
  const gone: string[] = [];
  const origins = new Map<string, string>();
  const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const connections = new Connections({
    rows: new McpRows(shared.ask),
    vault: new Vault(secret),
    http,
    log: quiet,
    now: () => clock.now,
    originOf: (server) => origins.get(server),
    onGone: (id) => gone.push(id),
  });
  return { connections, clock, shared, gone, origins };
}

const ignore = (): void => undefined;
const failing: HttpClient = () => Promise.reject(new Error('nobody is there'));

/** An issuer whose answers are given by hand. */
function issuer() {
  const waiting: ((answer: { status: number; body: object }) => void)[] = [];
  const http: HttpClient = () =>
    new Promise((resolve) => {
      waiting.push(({ status, body }) => resolve({ status, headers: {}, body: Buffer.from(JSON.stringify(body)) }));
    });
  const asked = async (): Promise<void> => {
    for (let turn = 0; turn < 50 && waiting.length === 0; turn += 1) await new Promise(setImmediate);
  };
  return { http, waiting, asked };
}

const put = (connections: Connections, lifeMs: number | undefined, refresh = true, place = ANN) =>
  connections.putToken(
    place,
    'https://issuer.example',
    { value: 'first', refresh: undefined, scope: 'tools', lifeMs },
    {
      token: 'first',
      ...(refresh && { refresh: 'refresh-1' }),
      client: { id: 'sluice' },
      tokenUrl: 'https://issuer.example/token',
      tokenField: 'access_token',
      resource: 'https://mcp.example',
    },
  );

const renewed = {
  status: 200,
  body: { access_token: 'second', token_type: 'Bearer', expires_in: 3600, refresh_token: 'refresh-2' },
};

test('a token is renewed ahead of its end by one request, and works meanwhile', async () => {
  const { http, waiting, asked } = issuer();
  const { connections, clock } = gateway({ http });
  await put(connections, HOUR);
  clock.now += HOUR * 0.7;
  assert.equal((await connections.tokenOf(ANN))?.token, 'first');
  await new Promise(setImmediate);
  assert.equal(waiting.length, 0, 'it is not renewed before its time');
  clock.now += HOUR * 0.15;
  const during = await Promise.all(Array.from({ length: 5 }, () => connections.tokenOf(ANN)));
  assert.deepEqual(new Set(during.map((each) => each?.token)), new Set(['first']));
  await asked();
  assert.equal(waiting.length, 1);
  waiting[0]!(renewed);
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  const after = await connections.tokenOf(ANN);
  assert.equal(after?.token, 'second');
  assert.equal(after?.id, during[0]?.id, 'it is the same connection, so sessions go on');
});

test('a token that has ended is waited for, and two gateways renew it once', async () => {
  const { http, waiting, asked } = issuer();
  const one = gateway({ http });
  const other = gateway({ http, shared: one.shared });
  await put(one.connections, HOUR);
  await other.connections.tokenOf(ANN);
  for (const { clock } of [one, other]) clock.now += HOUR + 1;
  const both = Promise.all([one.connections.tokenOf(ANN), other.connections.tokenOf(ANN)]);
  await asked();
  assert.equal(waiting.length, 1);
  waiting[0]!(renewed);
  assert.deepEqual(
    (await both).map((each) => each?.token),
    ['second', 'second'],
  );
  assert.equal(waiting.length, 1);
});

test('a user who took consent back has no connection any more; a fault that passes leaves it', async () => {
  const { http, waiting, asked } = issuer();
  const { connections, clock, shared, gone } = gateway({ http });
  await put(connections, HOUR);
  clock.now += HOUR + 1;
  const passing = connections.tokenOf(ANN);
  await asked();
  waiting.shift()!({ status: 503, body: {} });
  await assert.rejects(passing, /could not be renewed: its issuer answered 503/);
  assert.equal(shared.rows.size, 1);
  const ended = connections.tokenOf(ANN);
  await asked();
  waiting.shift()!({ status: 400, body: { error: 'invalid_grant' } });
  await assert.rejects(ended, /invalid_grant/);
  assert.equal(await connections.tokenOf(ANN), undefined);
  assert.equal(gone.length, 1);
});

test('a token without a refresh token is gone at its end, and when its server refuses it', async () => {
  const { connections, clock } = gateway();
  await put(connections, HOUR, false);
  clock.now += HOUR;
  assert.equal(await connections.tokenOf(ANN), undefined);
  await put(connections, undefined, false);
  assert.equal((await connections.tokenOf(ANN))?.token, 'first');
  assert.equal(await connections.refused(ANN), true);
  assert.equal(await connections.tokenOf(ANN), undefined);
});

test('a row that is moved to another user, server or account cannot be opened there', async () => {
  const { connections, shared } = gateway();
  await put(connections, HOUR);
  const [row] = shared.rows.values();
  for (const other of [{ subject: 'user:bob@example.com' }, { server: 'other' }, { account: 'work' }]) {
    const place = { ...ANN, ...other };
    shared.rows.set(`${place.subject} ${place.server} ${place.account}`, { ...row!, ...other });
    assert.equal(await connections.tokenOf(place), undefined);
  }
});

test('a token, and values, that were brought for a server do not go to another one that has its name by now', async () => {
  const { connections, clock, origins } = gateway();
  const { server } = ANN;
  origins.set(server, 'https://mcp.example');
  await put(connections, HOUR);
  assert.equal((await connections.tokenOf(ANN))?.token, 'first');
  origins.set(server, 'https://evil.example');
  assert.equal(await connections.tokenOf(ANN), undefined);
  assert.equal(await connections.waitFor(ANN, clock.now - 1, () => false), false);
  origins.set(server, 'https://mcp.example');
  assert.equal((await connections.tokenOf(ANN))?.token, 'first');
  const values = { ...ANN, account: 'values' };
  await connections.putValues(values, { API_KEY: 'x' });
  assert.deepEqual(await connections.valuesOf(values), { API_KEY: 'x' });
  origins.set(server, 'https://evil.example');
  assert.equal(await connections.valuesOf(values), undefined);
});

test('a connection that was sealed with another secret counts as absent', async () => {
  const one = gateway();
  await put(one.connections, HOUR);
  const other = gateway({ shared: one.shared, secret: 'another secret' });
  assert.equal(await other.connections.tokenOf(ANN), undefined);
  assert.doesNotMatch(JSON.stringify([...one.shared.rows.values()]), /first|refresh-1/);
});

test('a call that waits for a user goes on when she has agreed, and not before', async () => {
  const { connections, clock } = gateway();
  const waiting = connections.waitFor(ANN, clock.now + HOUR, () => false);
  await put(connections, HOUR, true, { ...ANN, subject: 'user:bob@example.com' });
  await put(connections, HOUR);
  assert.equal(await waiting, true);
  assert.equal(await connections.waitFor({ ...ANN, account: 'none' }, clock.now - 1, () => false), false);
});
