import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, chatRequest, parseAnswer, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => {
    const { model } = JSON.parse(request.body.toString());
    sendJson(response, 200, completion(`answer of ${model}`));
  });
  gateway = await startGateway({
    server: { limits: { max_header_bytes: 8192 } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

const body = JSON.stringify({ model: 'p/m', messages });
const length = `content-length: ${body.length}`;

/** Sends it and gives what came back, once the gateway has closed the connection. */
async function closedAfter(bytes: string): Promise<string> {
  const client = await RawClient.open(gateway);
  client.send(bytes);
  await client.closed;
  return client.text();
}

describe('framing that could be read in two ways', { concurrency: true }, () => {
  for (const [what, lines] of [
    ['a repeated content-length', [length, 'content-length: 5']],
    ['content-length repeated with the same value', [length, length]],
    ['a list of lengths', [`content-length: ${body.length}, ${body.length}`]],
    ['a negative content-length', ['content-length: -1']],
    ['a content-length with a sign', [`content-length: +${body.length}`]],
    ['a transfer-encoding that only ends in chunked', ['transfer-encoding: xchunked']],
    ['a transfer-encoding of two codings', ['transfer-encoding: gzip, chunked']],
    ['a transfer-encoding that is not chunked', ['transfer-encoding: identity', length]],
    ['transfer-encoding beside content-length', [length, 'transfer-encoding: chunked']],
    ['a repeated transfer-encoding', ['transfer-encoding: chunked', 'transfer-encoding: chunked']],
  ] as const) {
    test(`${what} is 400 and the connection is closed`, { timeout: 60_000 }, async () => {
      const text = await closedAfter(chatHead([...lines]) + (lines[0] === length ? body : ''));
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.equal(text.split('HTTP/1.1 ').length, 2, `one answer and no other: ${text}`);
    });

    test(`${what} never serves the request behind it`, { timeout: 60_000 }, async () => {
      const behind = chatRequest({ model: 'p/m', messages, what });
      const text = await closedAfter(chatHead([...lines]) + body + behind);
      // Whether the refusal itself is read before the close is not promised.
      assert.match(text, /^$|^HTTP\/1\.1 400 /);
      assert.ok(text.split('HTTP/1.1 ').length <= 2, `at most one answer: ${text}`);
      assert.ok(!provider.requests.some((request) => request.body.includes(`"${what}"`)));
    });
  }
});

describe('a head that two readers could take for two requests', { concurrency: true }, () => {
  const key = 'authorization: Bearer sk-test key with spaces #1';
  const good = ['host: gateway', key, length];
  for (const [what, lines] of [
    ['without a host', [key, length]],
    ['with two hosts', ['host: other', ...good]],
    ['with the same host twice', ['host: gateway', ...good]],
    ['with an empty host', ['host:', key, length]],
    ['with a host that is no host', ['host: gate/way', key, length]],
    ['with two keys', ['authorization: Bearer other', ...good]],
    ['with the same key twice', [key, ...good]],
    ['with two keys in x-api-key', ['x-api-key: a', 'x-api-key: b', 'host: gateway', length]],
  ] as const) {
    test(`${what} is 400, the connection is closed, and no provider hears of it`, { timeout: 60_000 }, async () => {
      const before = provider.requests.length;
      const head = ['POST /v1/chat/completions HTTP/1.1', ...lines].join('\r\n');
      const text = await closedAfter(`${head}\r\n\r\n${body}`);
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.equal(text.split('HTTP/1.1 ').length, 2, `one answer and no other: ${text}`);
      assert.equal(provider.requests.length, before);
    });
  }

  test('an ambiguous head at a path that does not exist is 400 as well', { timeout: 60_000 }, async () => {
    assert.match(await closedAfter('GET /nowhere HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'), /^HTTP\/1\.1 400 /);
  });
});

test('a method is its capital letters: `post` is another method', { timeout: 60_000 }, async () => {
  const text = await closedAfter(chatRequest({ model: 'p/m', messages }).replace('POST', 'post'));
  assert.match(text, /^HTTP\/1\.1 405 /);
});

test('a request without a key is answered on the head alone, and its connection is closed', {
  timeout: 60_000,
}, async () => {
  // The body never comes.
  const text = await closedAfter(chatHead(['content-length: 1000'], 'wrong'));
  assert.match(text, /^HTTP\/1\.1 401 /);
  assert.match(text, /^connection: close\r$/im);
});

test('two requests sent at once on one connection never mix their answers', { timeout: 60_000 }, async () => {
  const client = await RawClient.open(gateway);
  client.send(chatRequest({ model: 'p/one', messages }) + chatRequest({ model: 'p/two', messages }));
  // Answering only the first and closing is allowed; a wrong order or a half answer is not.
  const text = await client.until((received) => received.includes('answer of two'));
  client.leave();
  const first = parseAnswer(text);
  if (first === undefined) {
    assert.equal(text, '');
    return;
  }
  assert.equal(first.status, 200);
  assert.match(first.body, /answer of one/);
  if (first.rest !== '') assert.match(parseAnswer(first.rest)?.body ?? '', /answer of two/);
});

test('requests one after another share a connection', { timeout: 60_000 }, async () => {
  const client = await RawClient.open(gateway);
  for (const model of ['one', 'two', 'three']) {
    const behind = client.text().length;
    client.send(chatRequest({ model: `p/${model}`, messages }));
    await client.until((text) => parseAnswer(text.slice(behind)) !== undefined);
    assert.match(client.text().slice(behind), new RegExp(`answer of ${model}`));
  }
  client.leave();
});

test('a request that asks to close is answered and closed', { timeout: 60_000 }, async () => {
  const text = await closedAfter(chatRequest({ model: 'p/m', messages }, ['connection: close']));
  assert.match(text, /answer of m/);
});

test('a head up to the bound is read, and a larger one is refused and its connection closed', {
  timeout: 60_000,
}, async () => {
  const within = await ask(gateway, { model: 'p/m', messages }, { headers: { 'x-filler': 'x'.repeat(7000) } });
  assert.equal(within.status, 200);
  await within.text();
  const text = await closedAfter(chatRequest({ model: 'p/m', messages }, [`x-filler: ${'x'.repeat(9000)}`]));
  assert.match(text, /^HTTP\/1\.1 431 /);
});

test('a connection that speaks no HTTP, or HTTP/1.0, is closed without reaching the provider', {
  timeout: 60_000,
}, async () => {
  const before = provider.requests.length;
  for (const bytes of [
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n',
    chatRequest({ model: 'p/m', messages }).replace('HTTP/1.1', 'HTTP/1.0'),
    chatRequest({ model: 'p/m', messages }).replace('host: gateway\r\n', ''),
  ]) {
    const text = await closedAfter(bytes);
    assert.doesNotMatch(text, /^HTTP\/1\.1 2/, JSON.stringify(bytes.slice(0, 40)));
  }
  assert.equal(provider.requests.length, before);
});

test('an answer to HEAD has no body', { timeout: 60_000 }, async () => {
  for (const [path, status] of [
    ['/v1/chat/completions', 405],
    ['/v1/models', 401],
    ['/healthz', 200],
  ] as const) {
    const client = await RawClient.open(gateway);
    // A client that keeps the connection would read that body as the next answer.
    client.send(`HEAD ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await client.until((text) => text.includes('\r\n\r\n'));
    client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const text = await client.until((received) => received.includes('"service"'));
    client.leave();
    assert.ok(text.startsWith(`HTTP/1.1 ${status} `), text);
    const second = text.slice(text.indexOf('\r\n\r\n') + 4);
    // Closing after the first is as good.
    assert.match(second, /^$|^HTTP\/1\.1 200 /);
  }
});

test('a query behind the path has no effect', { timeout: 60_000 }, async () => {
  const response = await ask(gateway, { model: 'p/m', messages }, { path: '/v1/chat/completions?api-version=1' });
  assert.equal(response.status, 200);
  await response.text();
});

test('a client that waits for 100-continue is told to go on', { timeout: 60_000 }, async () => {
  const client = await RawClient.open(gateway);
  client.send(chatHead([length, 'expect: 100-continue']));
  await client.until((text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  client.send(body);
  assert.match(await client.until((text) => text.includes('answer of m')), /HTTP\/1\.1 200 OK/);
  client.leave();
});

describe('answers to requests of one packet never run into each other', { concurrency: true }, () => {
  const key = 'authorization: Bearer sk-test key with spaces #1';
  for (const [what, request] of [
    ['that name no route', 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['for the models', `GET /v1/models HTTP/1.1\r\nhost: x\r\n${key}\r\n\r\n`],
    ['of a method that is not allowed', 'DELETE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['that are refused for what they say', chatRequest({ model: 'p/m' })],
  ] as const) {
    test(`answers to requests ${what} never run into each other, although they came in one packet`, {
      timeout: 60_000,
    }, async () => {
      const client = await RawClient.open(gateway);
      client.socket.pause();
      for (let index = 0; index < 100; index += 1) client.send(request.repeat(30));
      await new Promise((resolve) => setTimeout(resolve, 500));
      client.socket.resume();
      let isClosed = false;
      void client.closed.then(() => {
        isClosed = true;
      });
      const answered = () => client.text().split('HTTP/1.1 ').length > 3000 && client.text().endsWith('}');
      await eventually('it is closed, or all of them are answered', () => isClosed || answered());
      client.leave();
      // Answering some and closing is allowed; an answer that is not whole is not, except that it is cut.
      let rest = client.text();
      let answers = 0;
      for (let answer = parseAnswer(rest); answer; answer = parseAnswer(rest)) {
        answers += 1;
        assert.ok(answer.status === 200 || answer.status >= 400);
        JSON.parse(answer.body);
        rest = answer.rest;
      }
      assert.ok(rest === '' || rest.startsWith('HTTP/1.1 '), `between answers: ${rest.slice(0, 100)}`);
      assert.ok(isClosed || answers === 3000, `${answers} answers and still open`);
    });
  }

  test('requests of one packet are all answered when they come one after another', { timeout: 60_000 }, async () => {
    const client = await RawClient.open(gateway);
    for (let index = 1; index <= 3; index += 1) {
      client.send('GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n');
      await client.until((text) => text.split('HTTP/1.1 404 ').length > index && text.endsWith('}'));
    }
    assert.equal(client.text().split('HTTP/1.1 404 ').length, 4);
    client.leave();
  });
});
