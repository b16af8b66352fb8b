import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { lastOtherwiseMs, leastOf } from '../support/least-of.ts';
import { sluice } from '../support/sluice-command.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const THREADS = 2;

let gateway: RunningGateway;
before(async () => {
  gateway = await startGateway({
    server: { threads: THREADS, operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY }, demo: true },
    manifests: [
      {
        type: 'virtual-account',
        name: 'rotating',
        permissions: [],
        token_type: 'opaque',
        auto_rotate: { auto_rotate_interval: 30, grace_period: 2 },
      },
      { type: 'virtual-account', name: 'over', permissions: [], expiration_date: '2020-01-31' },
      { type: 'team', name: 'search', members: ['ann@example.com'] },
    ],
  });
});
after(() => gateway[Symbol.asyncDispose]());

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, Json>;
}

async function admin(method: string, path: string, body?: unknown, key = ADMIN_KEY, of = gateway): Promise<Asked> {
  const answer = await fetch(`${of.operatorUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) };
}

async function documentOf(url: string): Promise<Record<string, Json>> {
  const answer = await fetch(`${url}/openapi.json`);
  return JSON.parse(await answer.text());
}

/** On a connection of its own, so that every relay thread gets some. */
async function statusWith(key: string, of = gateway): Promise<number> {
  const answer = await fetch(`${of.url}/v1/models`, {
    headers: { authorization: `Bearer ${key}`, connection: 'close' },
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Statuses of enough connections that each of the relay threads has very probably been asked. */
async function statuses(key: string): Promise<Set<number>> {
  return new Set(await Promise.all(Array.from({ length: 24 }, () => statusWith(key))));
}

describe('the admin API', () => {
  it('no admin path exists without an admin key', async () => {
    const open = await startGateway();
    try {
      const asked = await admin('GET', '/admin/keys', undefined, 'anything', open);
      assert.deepEqual([asked.status, asked.body.error.code], [404, 'path_not_found']);
      const document = await documentOf(open.operatorUrl);
      assert.equal(
        Object.keys(document.paths).some((path) => path.startsWith('/admin')),
        false,
      );
    } finally {
      await open[Symbol.asyncDispose]();
    }
  });

  it('the admin API refuses a caller without its key, and says nothing of what there is', async () => {
    for (const path of ['/admin/keys', '/admin/nothing']) {
      const wrong = await admin('GET', path, undefined, `${ADMIN_KEY}x`);
      assert.deepEqual([wrong.status, wrong.body.error.code], [401, 'invalid_api_key']);
      assert.equal(wrong.headers.get('www-authenticate'), 'Bearer');
      assert.equal(wrong.headers.get('connection'), 'close');
      const none = await fetch(gateway.operatorUrl + path);
      assert.equal(none.status, 401);
      assert.partialDeepStrictEqual(await none.json(), { error: { code: 'missing_api_key' } });
    }
    assert.equal((await admin('GET', '/admin/keys', undefined, KEY)).status, 401, 'a key of a client is not it');
    assert.equal(await statusWith(ADMIN_KEY), 401, 'nor is it a key of a client');
  });

  it('the admin API reads no byte of the body of a caller without its key', async () => {
    const { hostname, port } = new URL(gateway.operatorUrl);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write('POST /admin/keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer x\r\ncontent-length: 1000000\r\n\r\n{');
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 401 /);
  });

  it('the admin API says which methods a path takes, and what is wrong with a body', async () => {
    assert.equal((await admin('GET', '/admin/nothing')).body.error.code, 'path_not_found');
    const method = await admin('PUT', '/admin/keys');
    assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST, GET, HEAD']);
    assert.equal((await admin('POST', '/admin/keys', '{')).body.error.code, 'invalid_json');
    const large = await admin('POST', '/admin/keys', JSON.stringify({ name: 'x'.repeat(1_100_000) }));
    assert.deepEqual([large.status, large.body.error.code], [413, 'body_too_large']);
    for (const [body, param] of [
      [{}, 'subject'],
      [{ subject: 'ci' }, 'subject'],
      [{ subject: 'user:a@b.c', expires_in: '1y' }, 'expires_in'],
      [{ subject: 'user:a@b.c', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
      [{ subject: 'user:a@b.c', token_type: 'pat' }, 'token_type'],
      [{ subject: 'user:a@b.c', models: ['a b'] }, 'models.0'],
      [{ subject: 'user:a@b.c', metadata: { k: 1 } }, 'metadata.k'],
      // A terminal that lists keys would run it.
      [{ subject: 'user:a@b.c', metadata: { k: '\u001b[2J' } }, 'metadata.k'],
      [
        { subject: 'user:a@b.c', metadata: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [n, ''])) },
        'metadata',
      ],
      [[], 'body'],
      [{ subject: 'user:a@b.c', scope: 'x' }, 'scope'],
    ] as const) {
      const asked = await admin('POST', '/admin/keys', body);
      assert.deepEqual(
        [asked.status, asked.body.error.code, asked.body.error.param],
        [400, 'invalid_parameter', param],
      );
    }
  });

  it('the admin API refuses an unknown parameter by name, so that no mistyped filter passes', async () => {
    for (const [method, path, name, known] of [
      ['GET', '/admin/keys?stat=revoked', 'stat', /`subject`, `state`, `limit`, `page_token`\./],
      ['GET', '/admin/keys?state=active&State=revoked', 'State', /`state`/],
      ['GET', '/admin/keys/key_1?x', 'x', /allowed: none\./],
      ['DELETE', '/admin/keys/key_1?force=1', 'force', /allowed: none\./],
      ['GET', '/admin/budgets?name=a', 'name', /`budget`/],
      ['GET', '/admin/usage?from=1d', 'from', /`since`/],
      ['GET', '/admin/identities?toString=', 'toString', /none/],
      ['GET', '/admin/receipts/ex_1?a=b', 'a', /none/],
    ] as const) {
      const asked = await admin(method, path);
      assert.deepEqual([asked.status, asked.body.error.code, asked.body.error.param], [400, 'invalid_parameter', name]);
      assert.match(asked.body.error.message, known);
    }
  });

  it('answers of the admin API must not be cached', async () => {
    assert.equal((await admin('GET', '/admin/keys')).headers.get('cache-control'), 'no-store');
  });

  it('the admin API is described in the document of both ports, which says which port it is on', async () => {
    for (const url of [gateway.operatorUrl, gateway.url]) {
      const document = await documentOf(url);
      const { post, servers } = document.paths['/admin/keys'];
      assert.deepEqual(post.security, [{ AdminKey: [] }]);
      assert.equal(servers[0].url, gateway.operatorUrl);
      const rotate = document.paths['/admin/keys/{id}/rotate'].post;
      assert.ok(rotate.requestBody && rotate.responses[409] && rotate.responses[413] && rotate.responses[408]);
      assert.ok(document.paths['/admin/usage'].get.responses[200].content['text/csv']);
      assert.ok(document.paths['/chat/completions']);
    }
  });

  it('the admin API lists identities without a secret', async () => {
    const { body } = await admin('GET', '/admin/identities');
    const over = body.virtual_accounts.find((account: { name: string }) => account.name === 'over');
    assert.deepEqual([over.expired, over.expires_at], [true, '2020-02-01T00:00:00.000Z']);
    assert.deepEqual(body.teams[0].members, ['ann@example.com']);
    assert.deepEqual(body.identity_providers, []);
  });
});

describe('a key made by the admin API', () => {
  for (const type of ['jwt', 'opaque']) {
    it(`a key made by the admin API (${type}) works on every thread with the answer, and is void on every thread with its revocation`, async () => {
      const made = await admin('POST', '/admin/keys', {
        subject: 'virtualaccount:ci',
        token_type: type,
        name: 'of a test',
        teams: ['search'],
        models: ['demo/*'],
        metadata: { env: 'test' },
        expires_in: '90d',
      });
      assert.equal(made.status, 201);
      const { id, token, ...rest } = made.body;
      assert.match(token, type === 'jwt' ? /^[\w-]+\.[\w-]+\.[\w-]+$/ : /^sk-sluice-[\w-]{43}$/);
      assert.partialDeepStrictEqual(rest, {
        subject: 'virtualaccount:ci',
        name: 'of a test',
        teams: ['search'],
        models: ['demo/*'],
        metadata: { env: 'test' },
        token_type: type,
        state: 'active',
        revoked_at: null,
      });
      assert.equal(new Date(rest.expires_at).getTime() - new Date(rest.created_at).getTime(), 90 * 86_400_000);
      assert.deepEqual(await statuses(token), new Set([200]));
      const shown = await admin('GET', `/admin/keys/${id}`);
      assert.deepEqual(shown.body, { id, ...rest });
      const revoked = await admin('DELETE', `/admin/keys/${id}`);
      assert.deepEqual([revoked.status, revoked.body.state], [200, 'revoked']);
      assert.deepEqual(await statuses(token), new Set([401]));
      assert.equal((await admin('DELETE', `/admin/keys/${id}`)).body.revoked_at, revoked.body.revoked_at);
    });
  }

  it('the token of a new key is in its answer and in no list, log or other answer', async () => {
    const tokens = [];
    for (const token_type of ['jwt', 'opaque']) {
      const { body } = await admin('POST', '/admin/keys', { subject: 'user:secret@example.com', token_type });
      tokens.push(body.token);
      assert.deepEqual(await statuses(body.token), new Set([200]));
    }
    const { body: list } = await admin('GET', '/admin/keys?subject=user:secret@example.com');
    assert.equal(list.data.length, 2);
    await eventually('the record', () => gateway.records({ 'user.id': 'user:secret@example.com' }).length > 0);
    for (const token of tokens) {
      const part = token.slice(-20);
      assert.ok(!JSON.stringify(list).includes(part));
      assert.ok(!gateway.output().includes(part));
    }
    assert.ok(!gateway.output().includes(ADMIN_KEY));
  });

  it('the log names a key at each change of it, and never what was given in place of an id', async () => {
    const { body: old } = await admin('POST', '/admin/keys', { subject: 'virtualaccount:ci', token_type: 'opaque' });
    const { body: next } = await admin('POST', `/admin/keys/${old.id}/rotate`);
    await admin('DELETE', `/admin/keys/${next.id}`);
    assert.equal((await admin('DELETE', `/admin/keys/${old.token}`)).status, 404);
    const lines = () =>
      gateway
        .output()
        .split('\n')
        .filter((line) => line.includes('"msg":"admin"'));
    await eventually('the last one', () => lines().at(-1)?.includes('"status":404,"code":"not_found"') === true);
    const ids = lines().map((line) => JSON.parse(line).ids);
    assert.deepEqual(ids.slice(-4), [[old.id], [old.id, next.id], [next.id], undefined]);
    assert.ok(!gateway.output().includes(old.token.slice(-20)));
  });

  it('keys are listed page by page', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      ids.push((await admin('POST', '/admin/keys', { subject: 'user:pages@example.com' })).body.id);
    }
    const found: string[] = [];
    let token = '';
    do {
      const { body } = await admin('GET', `/admin/keys?subject=user:pages@example.com&limit=2${token}`);
      found.push(...body.data.map((key: { id: string }) => key.id));
      token = body.next_page_token === null ? '' : `&page_token=${body.next_page_token}`;
    } while (token !== '');
    assert.deepEqual(found, ids);
    for (const query of ['limit=0', 'limit=9999', 'state=good', 'page_token=key_nobody']) {
      const { status, body } = await admin('GET', `/admin/keys?${query}`);
      assert.equal(status, 400, query);
      assert.match(body.error.message, /from 1 to 1000|active, rotated|There is no such page/, query);
    }
  });

  it('an unknown key id is 404', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      const asked = await admin(method, `/admin/keys/key_nobody${path}`, method === 'POST' ? {} : undefined);
      assert.deepEqual([asked.status, asked.body.error.code], [404, 'not_found']);
    }
  });
});

describe('a key that is rotated', () => {
  it('a rotated key works beside its successor until the grace ends, and then no more', async () => {
    const { body: old } = await admin('POST', '/admin/keys', {
      subject: 'virtualaccount:ci',
      teams: ['search'],
      models: ['demo/*'],
      expires_in: '30d',
    });
    const rotated = await admin('POST', `/admin/keys/${old.id}/rotate`, { grace_period: '2s' });
    assert.equal(rotated.status, 201);
    const { token, id, replaces } = rotated.body;
    assert.partialDeepStrictEqual(rotated.body, { subject: old.subject, teams: ['search'], models: ['demo/*'] });
    assert.equal(replaces.id, old.id);
    assert.deepEqual([await statuses(old.token), await statuses(token)], [new Set([200]), new Set([200])]);
    const shown = await admin('GET', `/admin/keys/${old.id}`);
    assert.deepEqual([shown.body.state, shown.body.replaced_by], ['rotated', id]);
    const again = await admin('POST', `/admin/keys/${old.id}/rotate`, {});
    assert.deepEqual([again.status, again.body.error.code], [409, 'conflict']);
    await eventually('the grace ends', async () => (await statusWith(old.token)) === 401);
    assert.deepEqual([await statuses(old.token), await statuses(token)], [new Set([401]), new Set([200])]);
    assert.ok(Date.now() >= Date.parse(replaces.works_until));
  });

  it('a key that is rotated without a grace ends at once, and an opaque key stays opaque', async () => {
    const { body: old } = await admin('POST', '/admin/keys', { subject: 'virtualaccount:ci', token_type: 'opaque' });
    const { body } = await admin('POST', `/admin/keys/${old.id}/rotate`, { grace_period: '0s' });
    assert.match(body.token, /^sk-sluice-/);
    assert.deepEqual([await statuses(old.token), await statuses(body.token)], [new Set([401]), new Set([200])]);
  });
});

describe('a virtual account', () => {
  it('a virtual account says what its keys are like, and lets them end one interval and one grace after they were made', async () => {
    const { body } = await admin('POST', '/admin/keys', { subject: 'virtualaccount:rotating' });
    assert.equal(body.token_type, 'opaque');
    assert.equal(Date.parse(body.expires_at) - Date.parse(body.created_at), 32 * 86_400_000);
    assert.equal(body.rotation_due, false);
  });

  it('an expired virtual account gets no key', async () => {
    const asked = await admin('POST', '/admin/keys', { subject: 'virtualaccount:over' });
    assert.deepEqual([asked.status, asked.body.error.param], [400, 'subject']);
  });

  it('a reload that lets a virtual account expire voids its keys, and a later one brings them back', async () => {
    const { body } = await admin('POST', '/admin/keys', { subject: 'virtualaccount:short' });
    assert.deepEqual(await statuses(body.token), new Set([200]));
    const account = (expiration_date: string) => ({
      type: 'virtual-account',
      name: 'short',
      permissions: [],
      expiration_date,
    });
    await gateway.configure([account('2020-01-31')], {
      demo: true,
      threads: THREADS,
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
    });
    await eventually('the account is over', async () => (await statusWith(body.token)) === 401);
    await gateway.configure([account('2999-01-31')], {
      demo: true,
      threads: THREADS,
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
    });
    await eventually('the account is back', async () => (await statusWith(body.token)) === 200);
  });
});

describe('a key that a command makes, rotates or revokes', () => {
  const command = (...words: string[]) => sluice([...words, '--config', gateway.configFile]);
  const within = (what: string, key: string, status: number) =>
    lastOtherwiseMs(what, async () => [...(await statuses(key))].every((each) => each === status));

  it('a running gateway knows within a second, on every thread, of a key that a command makes, rotates or revokes', async () => {
    let [id, next] = ['', ''];
    const ms = await leastOf(1_000, async () => {
      const made = await command('keys', 'create', '--subject', 'virtualaccount:cli', '--token-type', 'opaque');
      assert.equal(made.code, 0, made.stderr);
      assert.match(made.stdout.trim(), /^sk-sluice-[\w-]{43}$/);
      const times = [await within('it works', made.stdout.trim(), 200)];
      id = /key_\w+/.exec(made.stderr)?.[0] ?? '';
      const rotated = await command('keys', 'rotate', id, '--grace', '0s');
      assert.equal(rotated.code, 0, rotated.stderr);
      times.push(await within('the old one is over', made.stdout.trim(), 401));
      times.push(await within('the new one works', rotated.stdout.trim(), 200));
      next = /key_\w+/.exec(rotated.stderr)?.[0] ?? '';
      assert.equal((await command('keys', 'revoke', next)).code, 0);
      times.push(await within('it is revoked', rotated.stdout.trim(), 401));
      return Math.max(...times);
    });
    assert.ok(ms < 1_000, `${ms} ms`);
    const list = await command('keys', 'list');
    assert.match(list.stdout.trim(), new RegExp(`${next} +revoked +virtualaccount:cli .* opaque`));
    assert.equal((await command('keys', 'rotate', id)).code, 1);
    assert.equal((await command('keys', 'rotate', next, '--grace', 'soon')).code, 1);
  });
});
