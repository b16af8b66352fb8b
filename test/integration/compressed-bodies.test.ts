import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { NeighbourWaits } from '../support/neighbour-waits.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

const LIMIT = 3_000_000;
const MEMORY = 8_000_000;

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  gateway = await startGateway({
    server: { limits: { max_body_bytes: LIMIT, max_body_memory_bytes: MEMORY } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

const chat = (content: string): string => JSON.stringify({ model: 'p/m', messages: [{ role: 'user', content }] });
const encoders = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  GZIP: gzipSync,
  deflate: deflateSync,
  'deflate ': deflateRawSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};
const send = (encoding: string, body: Buffer, headers: Record<string, string> = {}) =>
  ask(gateway, body, { headers: { 'content-encoding': encoding, ...headers } });
const sentOn = () => provider.requests.at(-1)!;
const noBodyIsHeld = () =>
  eventually('no body is held', async () => (await gateway.metric('sluice_body_memory_bytes')) === 0);

describe('a compressed body is the body that it holds', () => {
  for (const [encoding, encode] of Object.entries(encoders)) {
    test(`a body in ${encoding} reaches the provider as it was, without its encoding`, async () => {
      for (const content of ['', 'Grüße 🌍', 'x'.repeat(200_000), Buffer.alloc(900_000, 'a1b2').toString('base64')]) {
        const text = chat(content);
        const response = await send(encoding, encode(Buffer.from(text)), { 'x-request-id': `of-${encoding.trim()}` });
        assert.equal(response.status, 200, await response.text());
        const sent = sentOn();
        assert.ok(sent.body.toString() === text.replace('"p/m"', '"m"'));
        assert.equal(sent.headers['content-encoding'], undefined);
        assert.equal(sent.headers['content-length'], String(sent.body.length));
      }
      const record = await recordOf(gateway, `of-${encoding.trim()}`);
      assert.equal(record['http.request.body.size'], Buffer.byteLength(chat('')));
    });
  }

  test('a compressed body in pieces of any size, chunked, is the body that it holds', async () => {
    for (const [encode, encoding] of [
      [gzipSync, 'gzip'],
      [brotliCompressSync, 'br'],
      [zstdCompressSync, 'zstd'],
    ] as const) {
      for (const size of [1, 7, 1000]) {
        const text = chat(`in pieces ${Math.PI} `.repeat(50));
        const body = encode(Buffer.from(text));
        const client = await RawClient.open(gateway);
        client.send(chatHead(['transfer-encoding: chunked', `content-encoding: ${encoding}`]));
        for (let at = 0; at < body.length; at += size) {
          const piece = body.subarray(at, at + size);
          client.send(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]));
        }
        client.send('0\r\n\r\n');
        assert.equal((await client.answer()).status, 200);
        client.leave();
        assert.equal(sentOn().body.toString(), text.replace('"p/m"', '"m"'));
      }
    }
  });

  test('identity and an empty content-encoding header are no encoding', async () => {
    for (const encoding of ['identity', '']) {
      assert.equal((await send(encoding, Buffer.from(chat('plain')))).status, 200);
    }
  });

  test('a model that is named twice in a compressed body is refused as in any body', async () => {
    const response = await send('gzip', gzipSync('{"model":"p/a","model":"p/b","messages":[]}'));
    assert.equal((await errorOf(response)).code, 'ambiguous_parameter');
  });

  test('no compressed body of a request without a key is decoded', async () => {
    const response = await ask(gateway, Buffer.from('no gzip'), {
      key: 'wrong',
      headers: { 'content-encoding': 'gzip' },
    });
    assert.equal(response.status, 401);
  });
});

test('any other content-encoding, or one in another, is 415 and says what is allowed', async () => {
  const before = provider.requests.length;
  for (const encoding of ['compress', 'gzip, br', 'gzip,gzip', 'lz4', 'identity, gzip', 'gzip;q=1', '*']) {
    const response = await send(encoding, gzipSync(chat('x')));
    assert.equal(response.status, 415, encoding);
    assert.equal(response.headers.get('accept-encoding'), 'gzip, deflate, br, zstd');
    const error = await errorOf(response);
    assert.equal(error.code, 'unsupported_encoding');
    assert.match(error.message, /gzip, deflate, br, zstd/);
  }
  const client = await RawClient.open(gateway);
  client.send(chatHead(['content-encoding: gzip', 'content-encoding: br', 'content-length: 2']));
  assert.equal((await client.answer()).status, 415);
  client.leave();
  assert.equal(provider.requests.length, before);
});

describe('what is no whole encoding is 400', () => {
  const text = Buffer.from(chat('x'.repeat(1000)));
  for (const [encoding, encode] of Object.entries(encoders)) {
    const whole = encode(text);
    for (const [what, body] of [
      ['nothing', undefined],
      ['plain text', text],
      ['cut short', whole.subarray(0, -2)],
      ['with bytes behind it', Buffer.concat([whole, Buffer.from('{}')])],
      ['with zeros behind it', Buffer.concat([whole, Buffer.alloc(3)])],
    ] as const) {
      test(`a body that is no whole encoding is 400: ${encoding}, ${what}`, async () => {
        const before = provider.requests.length;
        const response = await send(encoding, body ?? Buffer.alloc(0));
        assert.equal(response.status, 400);
        const { code } = await errorOf(response);
        // No body is no encoding, and a zstd that is cut short is seen by what is missing of its JSON.
        const noJson = what === 'nothing' || (what === 'cut short' && encoding === 'zstd');
        assert.equal(code, noJson ? 'invalid_json' : 'invalid_encoding');
        assert.equal(provider.requests.length, before);
      });
    }
  }
});

describe('what it grows to is bounded', () => {
  for (const [encoding, encode] of Object.entries(encoders)) {
    test(`a body in ${encoding} passes up to the limit, and a byte more is 413 and names the limit`, async () => {
      const filler = LIMIT - chat('').length;
      const within = await send(encoding, encode(Buffer.from(chat('x'.repeat(filler)))));
      assert.equal(within.status, 200, await within.text());
      for (const beyond of [1, 100_000_000]) {
        const response = await send(encoding, encode(Buffer.from(chat('x'.repeat(filler + beyond)))));
        assert.equal(response.status, 413);
        const error = await errorOf(response);
        assert.equal(error.code, 'body_too_large');
        assert.match(error.message, new RegExp(`limits\\.max_body_bytes: ${LIMIT}`));
      }
      await noBodyIsHeld();
    });
  }

  test('the memory of all bodies counts what they grew to: 503', async () => {
    const holders = await Promise.all([0, 1].map(() => RawClient.open(gateway)));
    const grown = gzipSync(chat('x'.repeat(2_500_000)));
    // The last byte does not come.
    for (const holder of holders) {
      holder.send(chatHead([`content-length: ${grown.length}`, 'content-encoding: gzip']));
      holder.send(grown.subarray(0, -1));
    }
    await eventually('they have grown', async () => (await gateway.metric('sluice_body_memory_bytes')) >= 5_000_000);
    const refused = await send('gzip', gzipSync(chat('x'.repeat(2_900_000))));
    assert.equal(refused.status, 503);
    assert.equal((await errorOf(refused)).code, 'body_memory_full');
    for (const holder of holders) holder.leave();
    await noBodyIsHeld();
    assert.equal((await send('gzip', gzipSync(chat('x'.repeat(2_900_000))))).status, 200);
  });

  test('a client that leaves while its body is decoded leaves nothing behind', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'x'));
    for (let round = 0; round < 5; round += 1) {
      const client = await RawClient.open(gateway);
      client.send(chatHead([`content-length: ${bomb.length}`, 'content-encoding: gzip']));
      client.send(bomb.subarray(0, 40_000));
      client.leave();
    }
    await noBodyIsHeld();
    await eventually('nothing is in flight', async () => (await gateway.metric('sluice_in_flight')) === 0);
    assert.equal((await ask(gateway, { model: 'p/m', messages })).status, 200);
  });

  test('neighbours feel nothing of bodies that grow a thousandfold', async () => {
    const bomb = gzipSync(Buffer.from(chat('x'.repeat(200_000_000))));
    const neighbour = await NeighbourWaits.of(gateway, async () => {
      const headers = { authorization: `Bearer ${KEY}` };
      await (await fetch(`${gateway.url}/v1/models/none`, { headers })).arrayBuffer();
    });
    let answers: Response[] = [];
    const waits = await neighbour.during(async () => {
      answers = await Promise.all(Array.from({ length: 8 }, () => send('gzip', bomb)));
    });
    const longest = waits.at(-1) ?? 0;
    // Decoded at once, one of them would stop the loop for longer than that.
    assert.ok(longest < 150, `a neighbour waited ${Math.round(longest)} ms`);
    for (const response of answers) assert.match(String(response.status), /^(413|503)$/);
    await noBodyIsHeld();
  });
});
