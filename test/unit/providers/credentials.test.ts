import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { headerCredential } from '../../../src/providers/base/credential.ts';
import { tokenCredential, tokenSourceId } from '../../../src/providers/base/token-credential.ts';
import type { Credential } from '../../../src/providers/credential.ts';

function sign(credential: Credential) {
  return credential.sign({ method: 'POST', origin: 'https://p', path: '/', headers: [], body: Buffer.from('{}') });
}

test('a static credential gives the same list for every request', () => {
  const credential = headerCredential(['authorization', 'Bearer k']);
  assert.equal(sign(credential), sign(credential));
});

test('a token’s headers are made once for each token', () => {
  const tokens = new Map<string, AccountToken>();
  let made = 0;
  const credential = tokenCredential({ tokens, id: 'a', account: 'main' }, ({ token = '' }) => {
    made += 1;
    return ['authorization', `Bearer ${token}`];
  });
  const expiresAtMs = Date.now() + 60_000;
  for (const token of ['one', 'two']) {
    tokens.set('a', { id: 'a', values: { token }, expiresAtMs });
    assert.deepEqual(sign(credential), ['authorization', `Bearer ${token}`]);
    assert.equal(sign(credential), sign(credential));
  }
  assert.equal(made, 2);
});

test('a request without a token, or with one that has ended, is refused in the name of its account', () => {
  const tokens = new Map<string, AccountToken>();
  const credential = tokenCredential({ tokens, id: 'a', account: 'main' }, () => ['x', 'y']);
  const refused = (): GatewayError => {
    const error = sign(credential);
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, 'account_token_missing');
    assert.equal(error.status, 503);
    return error;
  };
  assert.match(refused().message, /Account `main` has no token yet\./);
  tokens.set('a', { id: 'a', values: { token: 't' }, expiresAtMs: Date.UTC(2026, 0, 1) });
  assert.match(refused().message, /Account `main` has a token that ended at 2026-01-01T00:00:00\.000Z/);
});

test('another secret is another source, and no source’s name holds it', () => {
  assert.notEqual(tokenSourceId('main', ['id', 'secret-1']), tokenSourceId('main', ['id', 'secret-2']));
  assert.doesNotMatch(tokenSourceId('main', ['id', 'secret-1']), /secret/);
});
