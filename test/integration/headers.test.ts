import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, selfHosted, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const leaking = {
  'set-cookie': 'session=1',
  server: 'provider',
  'openai-organization': 'org-secret',
  'x-powered-by': 'provider',
  'cf-ray': '1',
  'access-control-allow-origin': '*',
  'strict-transport-security': 'max-age=1',
  'x-request-id': 'req-of-provider',
  'retry-after': '3',
  'x-ratelimit-limit-requests': '100',
  'x-ratelimit-remaining-tokens': '5',
};

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    const { model, stream } = JSON.parse(request.body.toString());
    if (model === 'limited') sendJson(response, 429, { error: { message: 'slow down' } }, leaking);
    else if (!stream) sendJson(response, 200, completion('hello'), leaking);
    else {
      startEvents(response, leaking);
      response.end(chunkEvent({ content: 'x' }, 'stop') + DONE_EVENT);
    }
  });
  gateway = await startGateway({
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      selfHosted('own', `${provider.origin}/v1`, ['m'], { headers: { 'X-Of-The-Account': 'yes' } }),
      selfHosted('bare', `${provider.origin}/v1`, ['m']),
    ],
  });
});
disposeAfter(() => [gateway, provider]);

describe('header leaks', () => {
  test('a provider gets the headers of the allow-list and nothing else of the client', async () => {
    const headers = {
      cookie: 'session=secret',
      'x-api-key': KEY,
      'api-key': KEY,
      'x-tfy-metadata': '{"a":"b"}',
      'x-tfy-logging-config': '{}',
      'x-request-id': 'mine',
      'x-forwarded-for': '10.0.0.1',
      'x-anything': 'else',
      'user-agent': 'some client',
      'accept-encoding': 'gzip, br',
      'accept-language': 'de',
      referer: 'https://app.example.com',
      origin: 'https://app.example.com',
      'proxy-authorization': 'Basic x',
      te: 'trailers',
      // Allowed:
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=b',
      'idempotency-key': 'once',
      'openai-beta': 'assistants=v2',
    };
    for (const stream of [false, true]) {
      await (await ask(gateway, { model: 'p/m', messages, stream }, { headers })).text();
      const sent = provider.requests.at(-1)!;
      assert.deepEqual(
        { ...sent.headers, host: 'h', 'content-length': 'n', connection: 'c' },
        {
          host: 'h',
          connection: 'c',
          'content-length': 'n',
          'content-type': 'application/json',
          accept: stream ? 'text/event-stream' : 'application/json',
          'accept-encoding': 'identity',
          authorization: 'Bearer sk-of-the-provider',
          traceparent: headers.traceparent,
          tracestate: 'a=b',
          'idempotency-key': 'once',
          'openai-beta': 'assistants=v2',
        },
      );
      assert.ok(!JSON.stringify(sent.rawHeaders).includes(KEY));
      assert.ok(!sent.body.includes(KEY));
    }
  });

  test('headers of the account are sent, and those of another account are not', async () => {
    await (await ask(gateway, { model: 'own/m', messages })).text();
    assert.equal(provider.requests.at(-1)!.headers['x-of-the-account'], 'yes');
    assert.equal(provider.requests.at(-1)!.headers.authorization, undefined);
    await (await ask(gateway, { model: 'bare/m', messages })).text();
    assert.equal(provider.requests.at(-1)!.headers['x-of-the-account'], undefined);
  });

  test('a client gets only the rate headers and the request id of a provider’s headers', async () => {
    for (const [model, stream, status] of [
      ['p/m', false, 200],
      ['p/m', true, 200],
      ['p/limited', false, 429],
      ['p/limited', true, 429],
    ] as const) {
      const response = await ask(gateway, { model, messages, stream });
      await response.text();
      assert.equal(response.status, status);
      const names = [...response.headers.keys()].filter((name) => !PLAIN.includes(name)).sort();
      const expected = [
        'retry-after',
        'server-timing',
        'x-ratelimit-limit-requests',
        'x-ratelimit-remaining-tokens',
        'x-request-id',
        'x-sluice-exchange-id',
        'x-tfy-resolved-model',
        'x-upstream-request-id',
      ].filter((name) => status === 200 || name !== 'server-timing');
      assert.deepEqual(
        names.filter((name) => status === 200 || name !== 'server-timing'),
        expected,
        `${model} ${stream}`,
      );
      assert.equal(response.headers.get('retry-after'), '3');
      assert.equal(response.headers.get('x-upstream-request-id'), 'req-of-provider');
      assert.notEqual(response.headers.get('x-request-id'), 'req-of-provider');
    }
  });
});

test('the gateway’s overhead is in the server-timing of every answer', async () => {
  for (const [body, path] of [
    [{ model: 'p/m', messages }, undefined],
    [{ model: 'p/m', messages, stream: true }, undefined],
    [{ model: 'p/limited', messages }, undefined],
  ] as const) {
    const response = await ask(gateway, body, { path });
    await response.text();
    const timing = /^gateway;dur=([\d.]+), upstream;dur=([\d.]+)$/.exec(response.headers.get('server-timing') ?? '');
    assert.ok(timing, `${JSON.stringify(body)}: ${response.headers.get('server-timing')}`);
    assert.ok(Number(timing[1]) < 1000);
  }
});

/** About the message itself or the connection, and `date`-like lines of the HTTP layer. */
const PLAIN = [
  'content-type',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
  'cache-control',
  'x-accel-buffering',
  'uwebsockets',
];
