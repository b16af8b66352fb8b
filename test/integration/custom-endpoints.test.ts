import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { RawClient } from '../support/raw-client.ts';

const SECRET = 'sk-of-the-endpoint-4711';
const OTHER_KEY = 'sk-other-1234567890';

let provider: FakeProvider;
let other: FakeProvider;
let gateway: RunningGateway;
/** How many answers of each status `/fail/…` has still to give. */
let failing = 0;

const last = (of = provider): ReceivedRequest => of.requests.at(-1)!;
const auth_data = { type: 'header', headers: { 'X-Custom-Token': SECRET } };
const endpoint = (name: string, url: string, more: object = {}): object => ({
  name,
  type: 'integration/model/custom-endpoint',
  base_url: url,
  ...more,
});
const account = (name: string, integrations: object[], more: object = {}): object => ({
  type: 'provider-account/custom-endpoint',
  name,
  endpoint_type: 'other',
  integrations,
  ...more,
});

before(async () => {
  provider = await startProvider((request, response) => {
    const { pathname } = new URL(request.path, 'http://x');
    if (pathname.endsWith('/redirect')) {
      response.writeHead(302, { location: `https://elsewhere.example/?key=${SECRET}` }).end();
    } else if (pathname.endsWith('/refused')) {
      sendJson(response, 401, { message: `wrong token ${SECRET}` });
    } else if (pathname.endsWith('/invalid')) {
      sendJson(response, 422, { message: `wrong token ${SECRET}`, field: 'a' }, { 'x-detail': SECRET });
    } else if (pathname.endsWith('/empty')) response.writeHead(204).end();
    else if (pathname.endsWith('/packed')) {
      const packed = gzipSync('unpacked');
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
    } else if (pathname.endsWith('/unknown-packing')) {
      response.writeHead(200, { 'content-encoding': 'x-own' }).end('x');
    } else if (pathname.endsWith('/unchanged')) {
      response.writeHead(304, { 'content-encoding': 'gzip', etag: '"1"' }).end();
    } else if (pathname.endsWith('/cut')) {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('half', () => response.destroy());
    } else if (pathname.includes('/fail') && failing > 0) {
      failing -= 1;
      sendJson(response, 503, { message: 'busy' });
    } else {
      response.writeHead(200, {
        'content-type': 'application/x-thing',
        'set-cookie': 'a=b',
        'alt-svc': 'h3=":443"',
        'x-thing': 'kept',
        'x-request-id': 'of-the-provider',
        connection: 'x-hop',
        'x-hop': 'dropped',
        'x-tfy-resolved-model': 'forged/model',
        etag: '"1"',
      });
      response.end(request.body.length > 0 ? request.body : request.method);
    }
  });
  other = await startProvider((_, response) => sendJson(response, 200, { from: 'other' }));
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'other', key: OTHER_KEY, subject: 'virtualaccount:other', models: ['speech/first'] },
    ],
    manifests: [
      account('speech', [endpoint('first', `${provider.origin}/base/v1`), endpoint('second', other.origin)], {
        auth_data,
      }),
      account(
        'plain',
        [
          endpoint('open', provider.origin),
          endpoint('bearer', provider.origin, { auth_data: { type: 'bearer-auth', bearer_token: SECRET } }),
          endpoint('basic', provider.origin, { auth_data: { type: 'basic-auth', username: 'u', password: SECRET } }),
          endpoint('dead', 'http://127.0.0.1:9', { headers: { 'x-configured': 'yes' } }),
        ],
        {},
      ),
      account(
        'ranked',
        [
          endpoint('one', provider.origin, { loadbalancing_config: { priority: 0 } }),
          endpoint('two', other.origin, { loadbalancing_config: { priority: 1, fallback_candidate: true } }),
        ],
        { routing_type: 'priority', slug: 'all', auth_data },
      ),
      account(
        'limited',
        [
          endpoint('one', provider.origin, { loadbalancing_config: { priority: 0 } }),
          endpoint('two', other.origin, { loadbalancing_config: { priority: 1, fallback_candidate: true } }),
        ],
        { routing_type: 'priority', slug: 'all', auth_data },
      ),
      {
        type: 'gateway-rate-limiting-config',
        name: 'limits',
        rules: [
          { id: 'first-alone', when: { models: ['limited/one'] }, limit_to: 2, unit: 'requests_per_day' },
          { id: 'second-alone', when: { models: ['limited/two'] }, limit_to: 1, unit: 'requests_per_day' },
        ],
      },
      account(
        'weighted',
        [
          endpoint('never', 'http://127.0.0.1:9', { loadbalancing_config: { weight: 0 } }),
          endpoint('always', other.origin, { loadbalancing_config: { weight: 100, metadata_match: { env: 'prod' } } }),
        ],
        { routing_type: 'weight' },
      ),
    ],
  });
});
disposeAfter(() => [gateway, provider, other]);

const call = (path: string, init: RequestInit = {}, key = KEY): Promise<Response> =>
  fetch(`${gateway.url}/proxy-api/${path}`, {
    redirect: 'manual',
    ...init,
    headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
  });

describe('a request to an endpoint of one’s own', () => {
  test('any method, path and query reach the endpoint as they are, and its answer comes back as it is', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const body = method === 'GET' ? undefined : randomBytes(300);
      const response = await call('speech/first/a%20b/c:d?x=1&y=%2F', {
        method,
        body,
        headers: { 'content-type': 'application/x-thing', 'x-mine': 'kept' },
      });
      assert.equal(response.status, 200, method);
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), body ?? Buffer.from('GET'));
      const { path, headers } = last();
      assert.equal(path, '/base/v1/a%20b/c:d?x=1&y=%2F');
      assert.equal(last().method, method);
      assert.equal(headers['x-mine'], 'kept');
      assert.equal(headers['content-type'], 'application/x-thing');
      assert.equal(response.headers.get('content-type'), 'application/x-thing');
      assert.equal(response.headers.get('x-thing'), 'kept');
      assert.equal(response.headers.get('etag'), '"1"');
    }
  });

  test('HEAD tells the length of what GET would bring, and the paths of an account end where they end', async () => {
    const head = await call('speech/first/x', { method: 'HEAD' });
    assert.equal(head.status, 200);
    for (const [asked, sent] of [
      ['speech/first', '/base/v1'],
      ['speech/first/', '/base/v1/'],
      ['plain/open', '/'],
    ]) {
      assert.equal((await call(asked!)).status, 200);
      assert.equal(last().path, sent);
    }
  });

  test('the endpoint gets the credential of its account, and nothing by which the client is known to the gateway', async () => {
    const response = await call('speech/first/x?tfyModelName=m&own=1&stolen=' + encodeURIComponent(KEY), {
      headers: {
        'x-api-key': KEY,
        'x-custom-token': 'of the client',
        cookie: 'a=b',
        'x-tfy-metadata': '{"a":"b"}',
        'x-forwarded-for': '1.2.3.4',
        'x-also': `it is ${KEY}`,
        'x-original-url': '/admin',
        x_underscore: 'y',
      },
    });
    assert.equal(response.status, 200);
    const { headers, path, rawHeaders } = last();
    assert.equal(path, '/base/v1/x?own=1');
    assert.equal(headers['x-custom-token'], SECRET);
    assert.equal(rawHeaders.filter((each) => each.toLowerCase() === 'x-custom-token').length, 1);
    assert.equal(headers['accept-encoding'], 'identity');
    for (const name of Object.keys(headers)) {
      assert.ok(
        !/^(authorization|x-api-key|cookie|x-tfy-.*|x-forwarded-.*|x-also|x-original-url|x_.*)$/.test(name),
        name,
      );
    }
    assert.ok(!JSON.stringify(rawHeaders).includes(KEY));
  });

  test('nothing of an answer’s head reaches the client that is about a connection, a cookie or the gateway itself', async () => {
    const response = await call('speech/first/x');
    for (const name of ['set-cookie', 'alt-svc', 'x-hop', 'keep-alive2', 'server']) {
      assert.equal(response.headers.get(name), null, name);
    }
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'speech/first');
    assert.equal(response.headers.get('x-upstream-request-id'), 'of-the-provider');
    assert.ok(response.headers.get('x-sluice-exchange-id'));
    await response.arrayBuffer();
  });

  test('each kind of credential is sent, and an endpoint may have none', async () => {
    for (const [name, value] of [
      ['bearer', `Bearer ${SECRET}`],
      ['basic', `Basic ${Buffer.from(`u:${SECRET}`).toString('base64')}`],
      ['open', undefined],
    ]) {
      await (await call(`plain/${name}/x`)).arrayBuffer();
      assert.equal(last().headers.authorization, value);
    }
  });

  test('a redirect is passed and not followed, without the credential that it quotes', async () => {
    const before = provider.requests.length;
    const response = await call('speech/first/redirect');
    assert.equal(response.status, 302);
    assert.match(response.headers.get('location')!, /^https:\/\/elsewhere\.example\/\?key=\[redacted\]/);
    assert.equal(provider.requests.length, before + 1);
  });

  test('a failure passes with its status and words, without the credential that they quote', async () => {
    const response = await call('speech/first/invalid', { headers: { 'x-request-id': 'invalid-1' } });
    assert.equal(response.status, 422);
    assert.deepEqual(await response.json(), { message: 'wrong token [redacted]', field: 'a' });
    assert.equal(response.headers.get('x-detail'), '[redacted]');
    const record = await recordOf(gateway, 'invalid-1');
    assert.equal(record['http.response.status_code'], 422);
    assert.ok(!gateway.output().includes(SECRET));
  });

  test('a refusal of the credential of an account is refused is no fault of the client', async () => {
    const response = await call('speech/first/refused');
    assert.equal(response.status, 502);
    const text = await response.text();
    assert.match(text, /upstream_credential/);
    assert.ok(!text.includes(SECRET));
    // A client that brought none is told what the endpoint says.
    assert.equal((await call('plain/open/refused')).status, 401);
  });

  test('an answer that is compressed all the same comes unpacked, or as it is where nobody here knows how', async () => {
    const packed = await call('speech/first/packed');
    assert.equal(packed.headers.get('content-encoding'), null);
    assert.equal(await packed.text(), 'unpacked');
    assert.equal((await call('speech/first/packed', { method: 'HEAD' })).status, 200);
    assert.equal((await call('speech/first/unchanged')).status, 304);
    const { port } = new URL(gateway.url);
    const client = await RawClient.open({ url: `http://127.0.0.1:${port}` });
    client.send(
      `GET /proxy-api/speech/first/unknown-packing HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n\r\n`,
    );
    assert.match(await client.until((text) => text.includes('\r\n\r\n')), /content-encoding: x-own/i);
    client.leave();
  });

  test('an answer without a body has none', async () => {
    const response = await call('speech/first/empty', { method: 'DELETE' });
    assert.equal(response.status, 204);
    assert.equal((await response.arrayBuffer()).byteLength, 0);
  });

  test('an answer that breaks off never looks whole', async () => {
    const response = await call('speech/first/cut', { headers: { 'x-request-id': 'cut-1' } });
    await assert.rejects(response.text());
    assert.equal((await recordOf(gateway, 'cut-1'))['sluice.outcome'], 'cut');
  });

  test('a large body passes in both directions byte for byte', async () => {
    const body = randomBytes(12_000_000);
    const response = await call('speech/first/large', { method: 'POST', body });
    const digest = createHash('sha256').update(Buffer.from(await response.arrayBuffer()));
    assert.equal(digest.digest('hex'), createHash('sha256').update(body).digest('hex'));
    assert.equal(last().headers['content-length'], '12000000');
  });
});

describe('which endpoint is asked', () => {
  test('endpoints are asked by priority, and the next one where a request failed that can be sent again', async () => {
    failing = 1;
    const id = 'ranked-1';
    const response = await call('ranked/all/fail', {
      method: 'POST',
      body: 'x',
      headers: { 'x-request-id': id, 'content-type': 'text/plain' },
    });
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'ranked/two');
    assert.deepEqual(await response.json(), { from: 'other' });
    assert.equal((await recordOf(gateway, id))['sluice.attempts'], 2);
    assert.equal((await call('ranked/all/fail')).headers.get('x-tfy-resolved-model'), 'ranked/one');
  });

  test('the limits of each endpoint are asked before it is, and what one of them refuses goes to the next', async () => {
    const sent = async (id: string) => {
      const answer = await call('limited/all/fail', { method: 'POST', body: 'x', headers: { 'x-request-id': id } });
      await answer.text();
      return [answer.status, answer.headers.get('x-tfy-resolved-model'), answer.headers.get('x-tfy-applied-rules')];
    };
    const applied = (rule: string) => JSON.stringify({ ratelimit: [rule] });
    failing = 1;
    // It falls from the first to the second, whose one request it is: that of the first is given back.
    assert.deepEqual(await sent('limited-1'), [200, 'limited/two', applied('second-alone')]);
    failing = 1;
    // The second has none left: the failure of the first is told.
    assert.deepEqual(await sent('limited-2'), [503, 'limited/one', applied('first-alone')]);
    assert.deepEqual(await sent('limited-3'), [200, 'limited/one', applied('first-alone')]);
    // Two requests of the first were counted.
    const [status, target] = await sent('limited-4');
    assert.deepEqual([status, target], [429, null]);
    assert.equal((await recordOf(gateway, 'limited-2'))['sluice.attempts'], 1);
  });

  test('an endpoint of a balanced account has no path of its own', async () => {
    assert.equal((await call('ranked/one/x')).status, 404);
  });

  test('endpoints are asked by weight among those that the metadata of a request allows', async () => {
    const tagged = { 'x-tfy-metadata': '{"env":"prod"}' };
    for (let i = 0; i < 5; i += 1) {
      assert.equal((await call('weighted/weighted/x', { headers: tagged })).status, 200);
    }
    assert.equal((await call('weighted/weighted/x')).status, 502);
  });
});

describe('who may not is told so', () => {
  test('an endpoint that a key may not use is forbidden, and one that is not there is not found', async () => {
    assert.equal((await call('speech/first/x', {}, OTHER_KEY)).status, 200);
    const before = other.requests.length;
    assert.equal((await call('speech/second/x', {}, OTHER_KEY)).status, 403);
    assert.equal(other.requests.length, before);
    assert.equal((await call('speech/third/x')).status, 404);
    const { error } = (await (await call('nobody/first/x')).json()) as { error: { code: string } };
    assert.equal(error.code, 'account_not_found');
    assert.equal((await fetch(`${gateway.url}/proxy-api/speech/first/x`)).status, 401);
  });

  test('an endpoint that cannot be reached is 502, and holds nothing back', async () => {
    const response = await call('plain/dead/x', { method: 'POST', body: 'x' });
    assert.equal(response.status, 502);
    assert.match(await response.text(), /connect_failed/);
    await eventually('nothing is in flight', async () => (await gateway.metric('sluice_in_flight')) === 0);
  });
});
