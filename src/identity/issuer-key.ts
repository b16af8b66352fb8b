import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { JwtAlgorithm } from '../config/identities/identities.ts';
import type { IssuerKey } from '../threads/identity-messages.ts';

/** More than any provider publishes: while keys are rotated there are two or three. */
const MAX_KEYS = 64;
/** RFC 7518 §3.3: no RSA key below it may be used. Above the upper one a single check would take milliseconds. */
const RSA_BITS = { least: 2048, most: 8192 };

const text = z.string().max(16_384);
/** RFC 7517. The public members only: what else stands in a key, private halves too, is not even looked at. */
const jwk = z.object({
  kty: z.string().max(16),
  kid: z.string().min(1).max(256).optional(),
  use: z.string().max(16).optional(),
  key_ops: z.array(z.string().max(32)).max(16).optional(),
  alg: z.string().max(32).optional(),
  crv: z.string().max(32).optional(),
  n: text.optional(),
  e: text.optional(),
  x: text.optional(),
  y: text.optional(),
});
const keySet = z.object({ keys: z.array(z.unknown()).min(1).max(MAX_KEYS) });

export type ReadKeySet = { keys: IssuerKey[] } | { fault: string };

/** The keys of a JWK set that may sign tokens; others are passed over. Never throws. */
export function readKeySet(body: string): ReadKeySet {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { fault: 'the answer is not JSON' };
  }
  const parsed = keySet.safeParse(value);
  if (!parsed.success) return { fault: `the answer is not a JWK set of 1 to ${MAX_KEYS} keys` };
  const keys = parsed.data.keys.flatMap((each) => issuerKey(each) ?? []);
  return keys.length > 0 ? { keys } : { fault: 'no key of the set can verify a signature' };
}

function issuerKey(value: unknown): IssuerKey | undefined {
  const parsed = jwk.safeParse(value);
  if (!parsed.success) return undefined;
  const { kid, use, key_ops: operations, alg, ...key } = parsed.data;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !operations.includes('verify')) return undefined;
  const publicKey = publicKeyOf(key);
  const fitting = publicKey === undefined ? [] : algorithmsOf(publicKey);
  const algorithms = fitting.filter(
    (each) => alg === undefined || each === alg || (each === 'EdDSA' && alg === key.crv),
  );
  if (publicKey === undefined || algorithms.length === 0) return undefined;
  return { kid, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), algorithms };
}

function publicKeyOf(key: JsonWebKeyInput['key']): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    // A key of a kind that is not known here, or a damaged one, is as good as not there.
    return undefined;
  }
}

/** RFC 7518 §3.1, RFC 8037: what each kind of key signs. By the key itself, not by what its set says of it. */
function algorithmsOf(key: KeyObject): JwtAlgorithm[] {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      // To the power of one, the signature is the message: anybody could write it.
      return modulusLength >= RSA_BITS.least && modulusLength <= RSA_BITS.most && publicExponent >= 3n
        ? ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
        : [];
    case 'ec':
      if (namedCurve === 'prime256v1') return ['ES256'];
      if (namedCurve === 'secp384r1') return ['ES384'];
      return namedCurve === 'secp521r1' ? ['ES512'] : [];
    case 'ed25519':
      return ['EdDSA'];
    default:
      return [];
  }
}
