import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { KeyRing } from '../../src/authentication/authenticate.ts';
import { presentedKey } from '../../src/authentication/presented-key.ts';
import { packKeys } from '../../src/config/packed-keys.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { encodedTokenHeader, TOKEN_AUDIENCE, TOKEN_ISSUER } from '../../src/store/token-form.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';

const NOW_MS = 1_800_000_000_000;
const SIGNING_KEY_ID = 'signing-key';
/** More than the ring remembers of rejected tokens would make the machine's memory the subject. */
const STRANGERS = 4_096;

const signing = generateKeyPairSync('ed25519');
const forging = generateKeyPairSync('ed25519');

export const inputs = {
  configured: 'sk-sluice-0123456789abcdef0123456789abcdef',
  token: tokenOf('key_1', signing.privateKey),
  wrong: Array.from({ length: STRANGERS }, (_, i) => `sk-wrong-${i}-0123456789abcdef0123456789abcdef`),
  forged: Array.from({ length: STRANGERS }, (_, i) => tokenOf(`key_${i}`, forging.privateKey)),
};

/** As many keys as a large installation has. */
const configured = [inputs.configured, ...Array.from({ length: 999 }, (_, i) => `another key ${i}`)].map((key, i) => ({
  name: `key-${i}`,
  keySha256: createHash('sha256').update(key).digest('hex'),
  subject: 'virtualaccount:bench',
  teams: [],
  metadata: {},
}));

export const subject = subjectOf([
  known('configured key, seen before', inputs.configured, 'key-0'),
  known('signed token, seen before', inputs.token, 'key_1'),
  refused('wrong key, another each time', inputs.wrong, ringOf()),
  // The allowance is used up by the first: what a flood costs from then on.
  refused('forged token, another each time, allowance used up', inputs.forged, ringOf({ checksAtOnce: 0 })),
  unseen(),
]);

function ringOf(allowance: { checksAtOnce?: number } = {}): KeyRing {
  const publicKeyPem = signing.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const issued = { startsAnew: true, signingKeys: [{ keyId: SIGNING_KEY_ID, publicKeyPem }], notes: [] };
  return new KeyRing({ configured: packKeys(configured), issued, now: () => NOW_MS, checksPerSecond: 0, ...allowance });
}

/** With the header as it came, as the edge asks. */
function lookUp(ring: KeyRing, key: string) {
  const presented = presentedKey(`Bearer ${key}`, undefined, undefined);
  return ring.lookup(presented ?? '');
}

function known(name: string, key: string, keyId: string): BenchTask {
  const ring = ringOf();
  return task({
    name,
    run: () => lookUp(ring, key),
    check: (found) => assert.equal(found instanceof GatewayError ? found.code : found.keyId, keyId),
  });
}

function refused(name: string, keys: readonly string[], ring: KeyRing): BenchTask {
  let next = 0;
  return task({
    name,
    run: () => {
      next = (next + 1) % keys.length;
      return lookUp(ring, keys[next] ?? '');
    },
    check: (found) => assert.ok(found instanceof GatewayError),
  });
}

/** A ring of its own for each, so that nothing is remembered: the signature is checked every time. */
function unseen(): BenchTask {
  return task({
    name: 'signed token, first seen (with a new ring of 1,000 keys)',
    run: () => lookUp(ringOf(), inputs.token),
    check: (found) => assert.equal(found instanceof GatewayError ? found.code : found.keyId, 'key_1'),
  });
}

function tokenOf(jti: string, key: KeyObject): string {
  const claims = { iss: TOKEN_ISSUER, aud: TOKEN_AUDIENCE, sub: 'virtualaccount:bench', jti, iat: NOW_MS / 1000 - 60 };
  const text = `${encodedTokenHeader(SIGNING_KEY_ID)}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}
