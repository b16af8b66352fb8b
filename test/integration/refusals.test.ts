import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

/** Printable, but nothing that a header usually holds. */
const ODD_KEY = 'clé "q" \\ ü€ {1}; a=b, c';

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  const url = `${provider.origin}/v1`;
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'odd', key: ODD_KEY, subject: 'virtualaccount:odd' },
    ],
    manifests: [openAccount('p', url), selfHosted('listed', url, ['m', 'other'])],
  });
});
disposeAfter(() => [gateway, provider]);

const get = (path: string, init: RequestInit = {}) =>
  fetch(gateway.url + path, { headers: { authorization: `Bearer ${KEY}` }, ...init });

/** Sends what must be refused; the provider must not hear of it. */
async function refused(body: object | string, headers: Record<string, string> = {}) {
  const before = provider.requests.length;
  const response = await ask(gateway, body, { headers });
  const error = await errorOf(response);
  assert.equal(provider.requests.length, before, `the provider was asked: ${JSON.stringify(body).slice(0, 100)}`);
  return { status: response.status, ...error };
}

describe('paths and methods', () => {
  test('an unknown path is 404 in the shape of every error', async () => {
    for (const path of ['/v1/nothing', '/v2/chat/completions', '/v1/chat/completions/', '/v1/models/%zz', '/%00']) {
      const response = await get(path);
      assert.equal(response.status, 404, path);
      const error = await errorOf(response);
      assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type'], path);
    }
  });

  test('an endpoint of the reference product that is not built is 404 and named, under every base path, whatever the method', async () => {
    for (const [method, path, name] of [
      ['POST', '/v1/agents/sessions', '/agents/sessions'],
      ['GET', '/api/llm/v1/agents/sessions/one/turns', '/agents/sessions/{rest}'],
      ['POST', '/agents/draft-sessions', '/agents/draft-sessions'],
    ] as const) {
      const response = await get(path, { method });
      assert.equal(response.status, 404, path);
      const error = await errorOf(response);
      assert.equal(error.code, 'not_supported_yet');
      assert.ok(error.message.includes(name), error.message);
    }
  });

  test('HEAD answers where GET does, with the length and without the body', async () => {
    for (const path of ['/', '/v1', '/healthz', '/v1/models', '/v1/models/listed/m', '/openapi.json']) {
      const whole = await get(path);
      const body = await whole.arrayBuffer();
      const head = await get(path, { method: 'HEAD' });
      assert.equal(head.status, 200, path);
      assert.equal(Number(head.headers.get('content-length')), body.byteLength, path);
      assert.equal(head.headers.get('content-type'), whole.headers.get('content-type'));
      assert.equal((await head.arrayBuffer()).byteLength, 0);
    }
    assert.equal((await get('/v1/models/listed/none', { method: 'HEAD' })).status, 404);
    const record = () => gateway.records({ 'http.request.method': 'HEAD', 'http.response.status_code': 200 });
    await eventually('a record says HEAD', () => record().length > 0);
  });

  test('a wrong method is 405 with allow', async () => {
    for (const [method, path, allow] of [
      ['GET', '/v1/chat/completions', 'POST'],
      ['DELETE', '/chat/completions', 'POST'],
      ['POST', '/v1/models', 'GET, HEAD'],
      ['OPTIONS', '/v1/chat/completions', 'POST'],
    ] as const) {
      const response = await get(path, { method });
      assert.equal(response.status, 405, `${method} ${path}`);
      assert.equal(response.headers.get('allow'), allow);
      assert.equal((await errorOf(response)).code, 'method_not_allowed');
    }
  });

  test('a request without a key is 401 with www-authenticate, whatever its body', async () => {
    for (const [authorization, code] of [
      ['', 'missing_api_key'],
      ['Basic abc', 'missing_api_key'],
      ['Bearer wrong', 'invalid_api_key'],
    ] as const) {
      const response = await ask(gateway, '{not json', { headers: { authorization } });
      assert.equal(response.status, 401);
      assert.equal(response.headers.get('www-authenticate'), 'Bearer');
      assert.equal((await errorOf(response)).code, code);
    }
  });

  test('a key with spaces works as bearer, x-api-key and api-key', async () => {
    assert.match(KEY, / /);
    const ways: Record<string, string>[] = [
      {},
      { authorization: '', 'x-api-key': KEY },
      { authorization: '', 'api-key': KEY },
    ];
    for (const headers of ways) {
      const response = await ask(gateway, { model: 'p/m', messages }, { headers });
      assert.equal(response.status, 200, JSON.stringify(headers));
    }
  });

  test('a key may hold any printable characters, sent as UTF-8', async () => {
    const client = await RawClient.open(gateway);
    const text = JSON.stringify({ model: 'p/m', messages });
    client.send(Buffer.from(chatHead([`content-length: ${text.length}`], ODD_KEY) + text, 'utf8'));
    assert.equal((await client.answer()).status, 200);
    client.leave();
  });
});

describe('labels', () => {
  test('a sane x-request-id is kept, and another is replaced by one of ours', async () => {
    const kept = await ask(gateway, { model: 'p/m', messages }, { headers: { 'x-request-id': 'req_1-2.3:4' } });
    assert.equal(kept.headers.get('x-request-id'), 'req_1-2.3:4');
    assert.notEqual(kept.headers.get('x-sluice-exchange-id'), 'req_1-2.3:4');
    for (const id of ['with space', 'x'.repeat(129), 'ä', '"quoted"']) {
      const made = await ask(gateway, { model: 'p/m', messages }, { headers: { 'x-request-id': id } });
      assert.equal(made.headers.get('x-request-id'), made.headers.get('x-sluice-exchange-id'), id);
    }
  });

  test('every answer has a request id and an exchange id, refusals too', async () => {
    const seen = new Set<string | null>();
    for (const response of [
      await ask(gateway, { model: 'p/m', messages }),
      await ask(gateway, {}),
      await ask(gateway, {}, { key: 'wrong' }),
      await get('/nothing'),
      await get('/v1/models'),
    ]) {
      assert.ok(response.headers.get('x-request-id'));
      seen.add(response.headers.get('x-sluice-exchange-id'));
    }
    assert.equal(seen.size, 5);
    assert.ok(!seen.has(null));
  });

  test('metadata that is no object of short strings is 400', async () => {
    for (const value of ['{', '[]', '"text"', 'null', '{"a":1}', '{"a":{"b":"c"}}', `{"a":"${'x'.repeat(129)}"}`]) {
      const error = await refused({ model: 'p/m', messages }, { 'x-tfy-metadata': value });
      assert.deepEqual([error.status, error.param], [400, 'x-tfy-metadata'], value);
    }
    const response = await ask(
      gateway,
      { model: 'p/m', messages },
      { headers: { 'x-tfy-metadata': JSON.stringify({ a: 'x'.repeat(128) }) } },
    );
    assert.equal(response.status, 200);
  });

  test('a timeout header that is no number of milliseconds is 400', async () => {
    for (const name of ['x-tfy-request-timeout', 'x-tfy-ttft-timeout-ms']) {
      for (const value of ['0', '-1', '1.5', 'soon', '1e3', '99999999999']) {
        const error = await refused({ model: 'p/m', messages }, { [name]: value });
        assert.deepEqual([error.status, error.param], [400, name], `${name}: ${value}`);
      }
    }
  });
});

describe('model ids', () => {
  test('a model id that is not well formed is 400', async () => {
    for (const model of ['', 'a b', 'p/ä', 'p/../m', '../m', 'p/m/..', 'x'.repeat(257), 'p/m\n', 'p/m?x=1', 'p/m#a']) {
      const error = await refused({ model, messages });
      assert.deepEqual([error.status, error.param], [400, 'model'], JSON.stringify(model));
    }
  });

  test('a model that nobody serves is 404 and names what is near', async () => {
    for (const model of ['listed/unknown', 'nobody/m', 'nothing-like-it', 'p/', '/m']) {
      const error = await refused({ model, messages });
      assert.deepEqual([error.status, error.code, error.param], [404, 'model_not_found', 'model'], model);
    }
    assert.match((await refused({ model: 'listed/othr', messages })).message, /`listed\/other`/);
  });

  test('a model without an account is found where exactly one account lists it', async () => {
    const response = await ask(gateway, { model: 'other', messages });
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'listed/other');
    await response.text();
  });

  test('the account of a bare model id can stand in x-tfy-provider-name', async () => {
    const response = await ask(gateway, { model: 'm', messages }, { headers: { 'x-tfy-provider-name': 'listed' } });
    assert.equal(response.headers.get('x-tfy-resolved-model'), 'listed/m');
    await response.text();
  });
});

describe('request bodies', () => {
  test('a request body that is not one JSON object is 400', async () => {
    const deep = `{"model":"p/m","messages":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    for (const body of [
      '',
      '{',
      '[]',
      '"text"',
      '{"model":"p/m","messages":[]',
      '{"model":"p/m","messages":[]} trailing',
      '{"model":"p/m","messages":[]}{}',
      '{"model":"p/m","messages":[}]',
      '{"model":"p/m" "messages":[]}',
      deep,
    ]) {
      const error = await refused(body);
      assert.equal(error.status, 400, body.slice(0, 60));
      assert.equal(error.type, 'invalid_request_error');
    }
  });

  test('a key that the gateway reads and that is repeated or written with escapes is 400', async () => {
    for (const [body, param] of [
      ['{"model":"p/m","model":"p/x","messages":[]}', 'model'],
      ['{"model":"p/m","m\\u006fdel":"p/x","messages":[]}', 'model'],
      ['{"messages":[],"model":"p/m","messages":[]}', 'messages'],
      ['{"model":"p/m","messages":[],"stream":false,"stream":true}', 'stream'],
      ['{"model":"p/m","messages":[],"\\u0073tream":true}', 'stream'],
      ['{"model":"p/m","messages":[],"stream_options":{},"stream_options":{}}', 'stream_options'],
      ['{"model":"p/m","messages":[],"max_tokens":1,"max_tokens":100000}', 'max_tokens'],
    ] as const) {
      const error = await refused(body);
      assert.deepEqual([error.status, error.code, error.param], [400, 'ambiguous_parameter', param], body);
    }
  });

  test('a missing or mistyped parameter is 400 and is named', async () => {
    for (const [body, param] of [
      [{ messages }, 'model'],
      [{ model: 'p/m' }, 'messages'],
      [{ model: 1, messages }, 'model'],
      [{ model: null, messages }, 'model'],
      [{ model: 'p/m', messages: 'hi' }, 'messages'],
      [{ model: 'p/m', messages: null }, 'messages'],
      [{ model: 'p/m', messages, stream: 'yes' }, 'stream'],
      [{ model: 'p/m', messages, stream: 1 }, 'stream'],
      [{ model: 'p/m', messages, stream: true, stream_options: [] }, 'stream_options'],
      [{ model: 'p/m', messages, max_tokens: 'many' }, 'max_tokens'],
      [{ model: 'p/m', messages, max_completion_tokens: -1 }, 'max_completion_tokens'],
    ] as const) {
      const error = await refused(body);
      assert.deepEqual([error.status, error.param], [400, param], JSON.stringify(body));
    }
  });

  test('every known and unknown field passes through untouched, byte for byte', async () => {
    const fields =
      '"temperature": 0.70 ,"seed":12345678901234567890,"logit_bias":{"50256":-100},"x_unknown":{"a":[1,{"b":null}]},' +
      '"user":"J\\u00fcrg \\ud83d\\ude00","tools":[],"tools":[],"response_format":{"type":"json_object"}, "n" : 1';
    await (
      await ask(gateway, `{ "messages" : [ {"role":"user","content":"\\u00e9"} ],\n"model" : "p/m:x" , ${fields} }`)
    ).text();
    assert.equal(
      provider.requests.at(-1)!.body.toString(),
      `{ "messages" : [ {"role":"user","content":"\\u00e9"} ],\n"model" : "m:x" , ${fields} }`,
    );
  });

  test('a body sent without content type is read all the same', async () => {
    const response = await ask(gateway, { model: 'p/m', messages }, { headers: { 'content-type': 'text/plain' } });
    assert.equal(response.status, 200);
    assert.equal(provider.requests.at(-1)!.headers['content-type'], 'application/json');
    await response.text();
  });
});

describe('CORS', () => {
  test('CORS is off where it is not configured', async () => {
    const headers = { origin: 'https://app.example.com' };
    const response = await ask(gateway, { model: 'p/m', messages }, { headers });
    assert.equal(response.headers.get('access-control-allow-origin'), null);
    const preflight = await get('/v1/chat/completions', { method: 'OPTIONS', headers });
    assert.equal(preflight.status, 405);
  });

  test('a configured CORS preflight needs no key and names what is allowed', async (t) => {
    const browserGateway = await startGateway({
      server: { cors: { allowed_origins: ['https://app.example.com'], max_age_seconds: 60 } },
      manifests: [openAccount('p', `${provider.origin}/v1`)],
    });
    t.after(browserGateway[Symbol.asyncDispose]);
    const preflight = (origin: string) =>
      fetch(`${browserGateway.url}/v1/chat/completions`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
    const allowed = await preflight('https://app.example.com');
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com');
    assert.match(allowed.headers.get('access-control-allow-methods') ?? '', /POST/);
    assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /authorization/);
    assert.equal(allowed.headers.get('access-control-max-age'), '60');
    assert.match(allowed.headers.get('vary') ?? '', /origin/i);
    const foreign = await preflight('https://evil.example.com');
    assert.equal(foreign.headers.get('access-control-allow-origin'), null);

    const headers = { origin: 'https://app.example.com' };
    for (const response of [
      await ask(browserGateway, { model: 'p/m', messages }, { headers }),
      await ask(browserGateway, {}, { headers }),
      await ask(browserGateway, {}, { headers, key: 'wrong' }),
    ]) {
      assert.equal(
        response.headers.get('access-control-allow-origin'),
        'https://app.example.com',
        `${response.status}`,
      );
      assert.match(response.headers.get('access-control-expose-headers') ?? '', /x-request-id/);
      await response.text();
    }
  });
});
