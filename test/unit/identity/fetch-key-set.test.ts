import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { fetchKeySet, maxAgeMs } from '../../../src/identity/fetch-key-set.ts';
import { directHttp } from '../../support/direct-http.ts';
import { type IssuerKeyPair, keyPair, TokenIssuer } from '../../support/token-issuer.ts';

let pair: IssuerKeyPair;
let issuer: TokenIssuer;
before(async () => {
  pair = await keyPair('k', 'EdDSA');
  issuer = await TokenIssuer.start(pair);
});
afterEach(() => {
  issuer.answer = undefined;
});
after(() => issuer[Symbol.asyncDispose]());

const fetched = (uri = issuer.jwksUri, stop = new AbortController().signal) => fetchKeySet(uri, stop, directHttp);
async function fault(uri?: string, stop?: AbortSignal): Promise<string> {
  const found = await fetched(uri, stop);
  assert.ok('fault' in found);
  return found.fault;
}

describe('fetching the keys of an issuer', () => {
  it('fetching an issuer’s keys gives them, and how long they may be used', async () => {
    issuer.cacheControl = 'public, max-age=900';
    const found = await fetched();
    assert.ok('keys' in found);
    assert.deepEqual([found.keys.length, found.keys[0]?.kid, found.maxAgeMs], [1, 'k', 900_000]);
  });

  it('an issuer’s keys may be used between five minutes and a day, and for ten minutes where nothing is said', () => {
    const cases: [string | undefined, number][] = [
      [undefined, 600],
      ['no-store', 600],
      ['max-age=0', 300],
      ['MAX-AGE = 1200', 1200],
      ['s-maxage=10, max-age="7200"', 7200],
      ['max-age=9999999999', 86_400],
      ['max-age=-5', 600],
    ];
    for (const [header, seconds] of cases) assert.equal(maxAgeMs(header), seconds * 1000, String(header));
  });

  it('fetching an issuer’s keys follows no redirect, takes no status but 200, and no endless body', async () => {
    // Keys are there, where it points to.
    issuer.answer = (request, response) => {
      if (request.url === '/keys') response.writeHead(302, { location: '/elsewhere' }).end();
      else response.end(JSON.stringify({ keys: issuer.keys }));
    };
    assert.ok('keys' in (await fetched(`${issuer.issuer}elsewhere`)));
    assert.match(await fault(), /redirect/);
    issuer.answer = (_, response) => response.writeHead(503).end('secret words');
    assert.equal(await fault(), 'the answer was 503');
    issuer.answer = (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write('x'.repeat(65_536))) if (response.destroyed) return;
      };
      response.on('drain', more);
      more();
    };
    assert.match(await fault(), /longer than 1048576 bytes/);
    issuer.answer = (_, response) => response.end('secret words');
    assert.doesNotMatch(await fault(), /secret/);
  });

  it('fetching an issuer’s keys ends with the gateway', async () => {
    issuer.answer = () => {};
    const stop = new AbortController();
    const ending = fault(issuer.jwksUri, stop.signal);
    stop.abort();
    assert.ok(await ending);
  });

  it('an issuer’s keys are fetched only over https or from this machine', async () => {
    for (const uri of [
      'http://login.example.com/keys',
      'http://127.0.0.1.example.com/',
      'file:///etc/passwd',
      'nonsense',
    ]) {
      assert.match(await fault(uri), /must be https/);
    }
  });
});
