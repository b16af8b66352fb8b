import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { KeyRing } from '../../../src/authentication/authenticate.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { issuedKeys } from '../../support/issued-keys.ts';

const signing = generateKeyPairSync('ed25519');
const publicKeyPem = signing.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const keyId = 'kid-1';
const NOW = 1_800_000_000_000;
const AT = 'https://gateway.example/mcp/v1/files/mcp';
const IDENTITIES = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };

const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
function tokenOf(more: object = {}, typ = 'at+jwt'): string {
  const claims = {
    iss: 'https://gateway.example',
    aud: AT,
    sub: 'user:bob@example.com',
    client_id: 'a client',
    jti: 'one',
    iat: NOW / 1000,
    exp: NOW / 1000 + 60,
    key_id: 'bob',
    key_from: 'configured',
    ...more,
  };
  const text = `${json({ alg: 'EdDSA', kid: keyId, typ })}.${json(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), signing.privateKey).toString('base64url')}`;
}

const bob = {
  name: 'bob',
  keySha256: createHash('sha256').update('of bob').digest('hex'),
  subject: 'user:bob@example.com',
  teams: ['search'],
  metadata: { env: 'dev' },
};
function ringOf(keys = [bob]) {
  const clock = { now: NOW };
  const issued = issuedKeys([{ keyId, publicKeyPem }]);
  return { clock, ring: new KeyRing({ configured: packKeys(keys), issued, now: () => clock.now }) };
}
const detail = (answer: unknown) => (answer instanceof GatewayError ? answer.context.detail : answer);

test('a token for MCP is good at its address alone, as whom its key stands for now', () => {
  const { ring } = ringOf();
  const token = tokenOf({ teams: ['of yesterday'] });
  for (let time = 0; time < 2; time += 1) {
    const principal = ring.lookupAt(AT, token);
    assert.ok(!(principal instanceof GatewayError));
    assert.deepEqual(
      [principal.subject, principal.keyId, principal.teams],
      ['user:bob@example.com', 'bob', ['search']],
    );
    assert.deepEqual(principal.models, []);
    assert.equal(detail(ring.lookup(token)), 'It is not meant for this address.');
    assert.equal(detail(ring.lookupAt(`${AT}/other`, token)), 'It is not meant for this address.');
    assert.equal(detail(ring.lookupAt(undefined, token)), 'It is not meant for this address.');
  }
  assert.ok(ring.signIn(token, { getRemoteAddress: () => new ArrayBuffer(4) }) instanceof GatewayError);
});

test('a token for MCP ends with the key that it was asked for with, and at its own end', () => {
  const { ring, clock } = ringOf();
  const token = tokenOf();
  assert.ok(!(ring.lookupAt(AT, token) instanceof GatewayError));
  ring.reconfigure({ keys: packKeys([{ ...bob, name: 'another' }]), identities: IDENTITIES });
  assert.match(String(detail(ring.lookupAt(AT, token))), /not there any more/);
  ring.reconfigure({ keys: packKeys([bob]), identities: IDENTITIES });
  assert.ok(!(ring.lookupAt(AT, token) instanceof GatewayError));
  const issued = tokenOf({ key_id: 'key_1', key_from: 'issued', jti: 'two' });
  assert.ok(!(ring.lookupAt(AT, issued) instanceof GatewayError));
  const notes = [{ id: 'key_1', revokedAtMs: NOW }];
  ring.setIssued({ startsAnew: false, signingKeys: [{ keyId, publicKeyPem }], notes });
  assert.equal(detail(ring.lookupAt(AT, issued)), 'It was revoked.');
  clock.now = NOW + 60_000;
  assert.equal(detail(ring.lookupAt(AT, token)), 'It has expired.');
});

test('a token of one form is never taken for the other', () => {
  const { ring } = ringOf();
  assert.ok(ring.lookupAt(AT, tokenOf({}, 'JWT')) instanceof GatewayError);
  const key = { iss: 'sluice', aud: 'sluice', sub: 'user:bob@example.com', jti: 'key_1', iat: NOW / 1000 };
  const text = `${json({ alg: 'EdDSA', kid: keyId, typ: 'at+jwt' })}.${json(key)}`;
  const signed = `${text}.${sign(null, Buffer.from(text), signing.privateKey).toString('base64url')}`;
  assert.ok(ring.lookup(signed) instanceof GatewayError);
});
