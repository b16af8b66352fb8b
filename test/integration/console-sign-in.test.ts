import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { type ConsoleSession, cookieOf, signedIn, signIn } from '../support/console-session.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const SESSION = '/console/session';
const ROLES = [
  { subjects: ['user:vera@example.com', 'virtualaccount:short'], role: 'viewer' },
  { subjects: ['team:search'], role: 'viewer' },
  { subjects: ['user:olga@example.com'], role: 'operator' },
  { subjects: ['user:olga@example.com'], role: 'viewer' },
  { subjects: ['user:ada@example.com'], role: 'admin' },
];
const KEYS = [
  { name: 'vera', key: 'key of vera', subject: 'user:vera@example.com' },
  { name: 'tim', key: 'key of tim', subject: 'user:tim@example.com', teams: ['search'] },
  { name: 'tom', key: 'key of tom', subject: 'user:tom@example.com', teams: ['search'] },
  { name: 'olga', key: 'key of olga', subject: 'user:olga@example.com' },
  { name: 'ada', key: 'key of ada', subject: 'user:ada@example.com' },
  { name: 'nobody', key: 'key of nobody', subject: 'user:nobody@example.com' },
];
const ACCESS = {
  type: 'gateway-data-access-config',
  name: 'access',
  rules: [
    { id: 'team', subjects: ['team:search'], data_types: ['traces', 'metrics'], scope: 'team_data' },
    { id: 'all', subjects: ['user:olga@example.com'], data_types: ['traces', 'metrics'], scope: 'all_data' },
  ],
};

let gateway: RunningGateway;
before(async () => {
  gateway = await startGateway({
    server: {
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
      demo: true,
      console: { roles: ROLES },
    },
    keys: KEYS,
    manifests: [ACCESS],
  });
});
after(() => gateway[Symbol.asyncDispose]());

const as = (key: string): Promise<ConsoleSession> => signedIn(gateway.operatorUrl, { key });

async function shownTo(cookie: string, { operatorUrl } = gateway): Promise<Record<string, unknown>> {
  const answer = await fetch(`${operatorUrl}/console/session`, { headers: { cookie } });
  return JSON.parse(await answer.text());
}

describe('sign-in to the console', () => {
  it('the holder of the admin key signs in, asks the admin API with the cookie alone, and signs out', async () => {
    const answer = await signIn(gateway.operatorUrl, { key: ADMIN_KEY });
    assert.equal(answer.status, 200);
    const written = answer.headers.getSetCookie()[0] ?? '';
    assert.match(written, /^sluice_console_\d+=[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
    assert.partialDeepStrictEqual(answer.json, {
      signed_in: true,
      role: 'admin',
      data: 'all',
      subject: 'admin-key',
      read_only: false,
      sign_in: { key: true, oidc: false, token: false },
    });
    const session = await as(ADMIN_KEY);
    assert.equal((await session.ask('GET', '/admin/keys')).status, 200);
    const made = await session.ask('POST', '/admin/keys', { subject: 'user:new@example.com' });
    assert.equal(made.status, 201);
    const out = await session.ask('DELETE', '/console/session');
    assert.equal(out.status, 204);
    assert.match(out.headers.getSetCookie()[0] ?? '', /=; Path=\/; Max-Age=0;/);
    assert.deepEqual((await session.ask('GET', '/admin/keys')).code, 'session_ended');
    assert.equal((await shownTo(session.cookie))['signed_in'], false);
  });

  it('whom a rule of the console gives no role is not signed in, and a wrong key says nothing', async () => {
    const stranger = await signIn(gateway.operatorUrl, { key: 'key of nobody' });
    assert.deepEqual([stranger.status, stranger.code], [403, 'role_needed']);
    assert.deepEqual(stranger.headers.getSetCookie(), []);
    const wrong = await signIn(gateway.operatorUrl, { key: 'no key at all' });
    assert.deepEqual([wrong.status, wrong.code], [401, 'invalid_api_key']);
    const empty = await signIn(gateway.operatorUrl, {});
    assert.deepEqual([empty.status, empty.code], [400, 'invalid_parameter']);
    assert.equal((await shownTo(''))['signed_in'], false);
  });

  it('the highest role of all that match counts, and data access says what is seen', async () => {
    const [vera, tim, olga, ada] = await Promise.all(
      ['vera', 'tim', 'olga', 'ada'].map((name) => as(`key of ${name}`)),
    );
    const shown = [vera, tim, olga, ada].map((each) => [each?.shown.role, each?.shown.data]);
    assert.deepEqual(shown, [
      ['viewer', 'own'],
      ['viewer', 'team'],
      ['operator', 'all'],
      ['admin', 'all'],
    ]);
  });

  it('a viewer changes nothing, an operator destroys nothing, and what no rule opens is for admins', async () => {
    const [vera, olga, ada] = await Promise.all(['vera', 'olga', 'ada'].map((name) => as(`key of ${name}`)));
    const key = { subject: 'user:new@example.com' };
    const statuses = async (session: ConsoleSession | undefined) =>
      Promise.all([
        session!.ask('GET', '/admin/targets').then(({ status }) => status),
        session!.ask('GET', '/admin/budgets').then(({ status, code }) => code ?? status),
        session!.ask('POST', '/admin/targets/reset').then(({ status, code }) => code ?? status),
        session!.ask('POST', '/admin/keys', key).then(({ status, code }) => code ?? status),
      ]);
    assert.deepEqual(await statuses(vera), [200, 'data_access_needed', 'role_needed', 'role_needed']);
    assert.deepEqual(await statuses(olga), [200, 200, 200, 'role_needed']);
    assert.deepEqual(await statuses(ada), [200, 200, 200, 201]);
    const refused = await vera!.ask('POST', '/admin/keys', key);
    assert.match(refused.json.error.message, /needs `admin`, and you are `viewer`/);
    assert.equal((await vera!.ask('GET', '/admin/nothing')).code, 'path_not_found');
  });

  it('a viewer sees no foreign exchange: not in lists, sums, receipts or the live tail', async () => {
    const chat = (key: string) => ask(gateway, { model: 'demo/chat', messages, max_tokens: 5 }, { key });
    const ids: Record<string, string> = {};
    for (const name of ['vera', 'tim', 'tom', 'olga']) {
      const answer = await chat(`key of ${name}`);
      await answer.arrayBuffer();
      ids[name] = answer.headers.get('x-sluice-exchange-id') ?? '';
    }
    const olga = await as('key of olga');
    await eventually('all exchanges are in the ledger', async () => {
      const { json } = await olga.ask('GET', '/admin/requests');
      const seen = new Set(json.requests.map((each: { id: string }) => each.id));
      return Object.values(ids).every((id) => seen.has(id));
    });
    const sees = async (name: string) => {
      const session = await as(`key of ${name}`);
      const { json } = await session.ask('GET', '/admin/requests');
      const subjects = new Set(json.requests.map((each: { subject: string }) => each.subject));
      const { json: usage } = await session.ask('GET', '/admin/usage?by=user');
      const users = usage.rows.map((row: { user: string }) => row.user).sort();
      const receipts = await Promise.all(
        Object.values(ids).map(async (id) => (await session.ask('GET', `/admin/receipts/${id}`)).status),
      );
      const shown = await Promise.all(
        Object.values(ids).map(async (id) => (await session.ask('GET', `/admin/requests/${id}`)).status),
      );
      assert.deepEqual(shown, receipts);
      return { subjects: [...subjects].sort(), users, total: usage.total.requests, receipts };
    };
    assert.deepEqual(await sees('vera'), {
      subjects: ['user:vera@example.com'],
      users: ['vera@example.com'],
      total: 1,
      receipts: [200, 404, 404, 404],
    });
    assert.deepEqual(await sees('tim'), {
      subjects: ['user:tim@example.com', 'user:tom@example.com'],
      users: ['tim@example.com', 'tom@example.com'],
      total: 2,
      receipts: [404, 200, 200, 404],
    });
    const vera = await as('key of vera');
    const asTim = await vera.ask('GET', '/admin/requests?as=user:tim@example.com');
    assert.deepEqual(asTim.json.requests, [], 'nobody sees more by looking as somebody else');
    const leave = new AbortController();
    const tail = await fetch(`${gateway.operatorUrl}/admin/requests/tail`, {
      headers: { cookie: vera.cookie },
      signal: leave.signal,
    });
    for (const key of ['key of tom', 'key of vera']) await (await chat(key)).arrayBuffer();
    let text = '';
    for await (const piece of tail.body!) {
      text += Buffer.from(piece).toString();
      if (text.includes('vera@example.com')) break;
    }
    leave.abort();
    assert.doesNotMatch(text, /tom@example\.com/);
  });

  it('a sign-out ends open tails, pipelined or unread, and nothing else', async () => {
    const vera = await as('key of vera');
    const { hostname, port } = new URL(gateway.operatorUrl);
    const asked = `GET /admin/requests/tail HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncookie: ${vera.cookie}\r\n\r\n`;
    const pipelined = connect(Number(port), hostname).on('error', () => {});
    const unread = connect(Number(port), hostname).on('error', () => {});
    unread.write(asked);
    unread.pause();
    pipelined.write(asked.repeat(3));
    await once(pipelined, 'data');
    pipelined.destroy();
    assert.equal((await vera.ask('DELETE', '/console/session')).status < 300, true);
    const tim = await as('key of tim');
    // As many as may watch at once: none of those that left counts.
    for (let index = 0; index < 16; index += 1) {
      const leave = new AbortController();
      const tail = await fetch(`${gateway.operatorUrl}/admin/requests/tail`, {
        headers: { cookie: tim.cookie },
        signal: leave.signal,
      });
      assert.equal(tail.status, 200);
      if (index % 2 === 0) leave.abort();
    }
    const told = await ask(gateway, { model: 'demo/chat', messages, max_tokens: 5 }, { key: 'key of vera' });
    await told.arrayBuffer();
    await eventually('the exchange is in the ledger, and was told to whoever watches', async () => {
      const { json } = await (await as('key of olga')).ask('GET', '/admin/requests');
      const id = told.headers.get('x-sluice-exchange-id');
      return json.requests.some((each: { id: string }) => each.id === id);
    });
    assert.equal((await tim.ask('DELETE', '/console/session')).status < 300, true);
    unread.destroy();
  });

  it('a viewer sees their own keys alone', async () => {
    const admin = await as(ADMIN_KEY);
    const own = await admin.ask('POST', '/admin/keys', { subject: 'user:vera@example.com' });
    const other = await admin.ask('POST', '/admin/keys', { subject: 'user:tim@example.com' });
    const vera = await as('key of vera');
    const { json } = await vera.ask('GET', '/admin/keys');
    assert.deepEqual(
      json.data.map((each: { id: string }) => each.id),
      [own.json.id],
    );
    assert.equal((await vera.ask('GET', `/admin/keys/${other.json.id}`)).status, 404);
  });
});

describe('the audit log', () => {
  it('every change stands in it with who made it, also what was refused, and none of it is a secret', async () => {
    const [ada, vera] = await Promise.all(['ada', 'vera'].map((name) => as(`key of ${name}`)));
    const made = await ada!.ask('POST', '/admin/keys', { subject: 'user:audited@example.com', name: 'secret label' });
    await ada!.ask('DELETE', `/admin/keys/${made.json.id}`);
    await ada!.ask('DELETE', `/admin/keys/${made.json.token}`);
    await vera!.ask('POST', '/admin/targets/reset');
    const admin = { authorization: `Bearer ${ADMIN_KEY}` };
    await fetch(`${gateway.operatorUrl}/admin/cache`, { method: 'DELETE', headers: admin });
    assert.equal((await vera!.ask('GET', '/admin/audit')).code, 'data_access_needed');
    const { json } = await ada!.ask('GET', '/admin/audit?limit=5');
    assert.equal(json.has_more, true);
    const told = json.data.map(({ actor, role, action, path, outcome, ids }: Record<string, unknown>) => [
      actor,
      role,
      action,
      path,
      outcome,
      ids,
    ]);
    const adaIs = ['user:ada@example.com', 'admin'];
    assert.deepEqual(told, [
      ['admin-key', 'admin', 'DELETE', '/admin/cache', 'done', ['cache all']],
      ['user:vera@example.com', 'viewer', 'POST', '/admin/targets/reset', 'role_needed', []],
      [...adaIs, 'DELETE', '/admin/keys/:id', 'not_found', []],
      [...adaIs, 'DELETE', '/admin/keys/:id', 'done', [made.json.id]],
      [...adaIs, 'POST', '/admin/keys', 'done', [made.json.id]],
    ]);
    assert.deepEqual(json.data.at(-1).detail, { subject: 'user:audited@example.com' });
    const more = await ada!.ask('GET', `/admin/audit?limit=50&after=${json.data.at(-1).id}`);
    assert.ok(more.json.data.some(({ action }: { action: string }) => action === 'sign-in'));
    const text = JSON.stringify([json, more.json]);
    for (const secret of [made.json.token, ADMIN_KEY, 'key of ada', 'secret label', ada!.csrf]) {
      assert.ok(!text.includes(secret));
    }
  });
});

describe('attacks on a session of the console', () => {
  it('a change without the token of the session, or from another site or port, is refused', async () => {
    const session = await as(ADMIN_KEY);
    const other = await as(ADMIN_KEY);
    const tries: Record<string, string>[] = [
      { 'x-csrf-token': '' },
      { 'x-csrf-token': other.csrf },
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of tries) {
      const answer = await session.ask('POST', '/admin/targets/reset', undefined, headers);
      assert.deepEqual([answer.status, answer.code], [403, 'cross_site_refused'], JSON.stringify(headers));
    }
    const bare = await fetch(`${gateway.operatorUrl}/admin/targets/reset`, {
      method: 'POST',
      headers: { cookie: session.cookie, 'x-csrf-token': session.csrf },
    });
    assert.equal(bare.status, 403, 'a browser says where a request comes from');
    const out = await session.ask('DELETE', '/console/session', undefined, { 'x-csrf-token': 'x' });
    assert.equal(out.code, 'cross_site_refused');
    const read = await session.ask('GET', '/admin/keys', undefined, { 'sec-fetch-site': 'same-site' });
    assert.equal(read.code, 'cross_site_refused', 'a page on another port of this machine has the cookie, too');
    assert.equal((await session.ask('POST', '/admin/targets/reset')).status, 200);
  });

  it("another site's page signs nobody in", async () => {
    const foreign = await signIn(gateway.operatorUrl, { key: ADMIN_KEY }, { origin: 'https://evil.example.com' });
    assert.equal(foreign.code, 'cross_site_refused');
    const form = await signIn(gateway.operatorUrl, { key: ADMIN_KEY }, { 'content-type': 'text/plain' });
    assert.equal(form.code, 'invalid_parameter');
    assert.deepEqual([...foreign.headers.getSetCookie(), ...form.headers.getSetCookie()], []);
  });

  it('the id of a session is made at sign-in, whatever the browser brought, and the one before ends', async () => {
    const name = cookieOf((await signIn(gateway.operatorUrl, { key: ADMIN_KEY })).headers).split('=')[0];
    const fixed = `${name}=${'A'.repeat(43)}`;
    const answer = await signIn(gateway.operatorUrl, { key: ADMIN_KEY }, { cookie: fixed });
    assert.notEqual(cookieOf(answer.headers), fixed);
    assert.equal((await shownTo(fixed))['signed_in'], false);
    const again = await signIn(gateway.operatorUrl, { key: ADMIN_KEY }, { cookie: cookieOf(answer.headers) });
    assert.equal((await shownTo(cookieOf(answer.headers)))['signed_in'], false);
    assert.equal((await shownTo(cookieOf(again.headers)))['signed_in'], true);
  });

  it('a session ends with the key that it was signed in with', async () => {
    const admin = await as(ADMIN_KEY);
    const made = await admin.ask('POST', '/admin/keys', { subject: 'virtualaccount:short' });
    const short = await as(made.json.token);
    assert.equal((await short.ask('GET', '/admin/targets')).status, 200);
    await admin.ask('DELETE', `/admin/keys/${made.json.id}`);
    assert.equal((await short.ask('GET', '/admin/targets')).code, 'session_ended');
  });

  it('a reload takes a role away and gives one, without a restart', async () => {
    const vera = await as('key of vera');
    const roles = [{ subjects: ['user:nobody@example.com'], role: 'viewer' }];
    await gateway.configure([ACCESS], { console: { roles } });
    const isOut = async () => (await vera.ask('GET', '/admin/targets')).code === 'session_ended';
    await eventually('the role of vera is taken away', isOut);
    assert.equal((await as('key of nobody')).shown.role, 'viewer');
    await gateway.configure([ACCESS], { console: { roles: ROLES } });
    const isIn = async () => (await signIn(gateway.operatorUrl, { key: 'key of vera' })).status === 200;
    await eventually('vera has her role again', isIn);
  });

  it('a guesser of keys is told to wait, and locks out nobody who has one', async () => {
    const codes: (string | undefined)[] = [];
    for (let at = 0; at < 200; at += 1) codes.push((await signIn(gateway.operatorUrl, { key: `guess ${at}` })).code);
    assert.equal(codes[0], 'invalid_api_key');
    assert.deepEqual([...new Set(codes.slice(-100))], ['sign_in_limited']);
    const wrong = await signIn(gateway.operatorUrl, { key: 'one more' });
    assert.deepEqual([wrong.status, wrong.headers.get('retry-after')], [429, '10']);
    for (const key of [ADMIN_KEY, 'key of vera']) {
      assert.equal((await signIn(gateway.operatorUrl, { key })).status, 200, 'from the same address, too');
    }
    const authorization = `Bearer ${ADMIN_KEY}`;
    assert.equal((await fetch(`${gateway.operatorUrl}/admin/keys`, { headers: { authorization } })).status, 200);
  });

  it('a guesser stands in the audit log with their address, and does not fill it', async () => {
    const ada = await as('key of ada');
    const { json } = await ada.ask('GET', '/admin/audit?limit=200');
    const refused = json.data.filter(({ path, role }: Record<string, unknown>) => role === 'none' && path === SESSION);
    const told = refused.map((each: { outcome: string; detail: { address?: string } }) => [
      each.outcome,
      each.detail.address,
    ]);
    for (const outcome of ['invalid_api_key', 'sign_in_limited', 'cross_site_refused']) {
      const entries = told.filter(([each]: string[]) => each === outcome);
      assert.deepEqual(entries, [[outcome, '127.0.0.1']], outcome);
    }
  });
});

describe('the console without an admin key', () => {
  it('the token that the start printed opens it once, to look only', async () => {
    const open = await startGateway({ server: { demo: true } });
    try {
      await eventually('the token is printed', () => open.output().includes('#token='));
      const printed = /Console, to look only: (\S+)\/console\/#token=([\w-]+)/.exec(open.output());
      const { operatorUrl } = open;
      assert.equal(printed?.[1], operatorUrl);
      const token = printed?.[2] ?? '';
      assert.deepEqual(await shownTo('', open), {
        signed_in: false,
        sign_in: { key: false, oidc: false, token: true },
      });
      assert.equal((await fetch(`${operatorUrl}/admin/targets`)).status, 404);
      assert.equal((await signIn(operatorUrl, { token: `${token}x` })).code, 'sign_in_refused');
      assert.equal((await signIn(operatorUrl, { key: 'anything' })).code, 'sign_in_refused');
      for (let at = 0; at < 120; at += 1) await signIn(operatorUrl, { token: `guess ${at}` });
      assert.equal((await signIn(operatorUrl, { token: 'one more' })).code, 'sign_in_limited');
      const session = await signedIn(operatorUrl, { token });
      assert.partialDeepStrictEqual(session.shown, { role: 'viewer', data: 'all', read_only: true });
      assert.equal((await session.ask('GET', '/admin/requests')).status, 200);
      assert.equal((await session.ask('GET', '/admin/keys')).status, 200);
      for (const [method, path] of [
        ['POST', '/admin/keys'],
        ['POST', '/admin/targets/reset'],
        ['DELETE', '/admin/cache'],
      ] as const) {
        assert.equal((await session.ask(method, path)).code, 'role_needed');
      }
      const replayed = await signIn(operatorUrl, { token });
      assert.deepEqual([replayed.status, replayed.code], [429, 'sign_in_limited']);
    } finally {
      await open[Symbol.asyncDispose]();
    }
  });

  it('a console is not there where the operator port is not loopback, or where it is off', async () => {
    const wide = await startGateway({ server: { operator: { host: '0.0.0.0', port: 0 }, demo: true } });
    const off = await startGateway({
      server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY }, console: { enabled: false } },
    });
    try {
      assert.doesNotMatch(wide.output(), /Console/);
      const port = new URL(wide.operatorUrl).port;
      assert.equal((await fetch(`http://127.0.0.1:${port}/console/session`)).status, 404);
      assert.equal((await fetch(`${off.operatorUrl}/console/session`)).status, 404);
    } finally {
      await Promise.all([wide[Symbol.asyncDispose](), off[Symbol.asyncDispose]()]);
    }
  });
});
