import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { readOrMakeSecret, replaceSecret, type Warn } from './secret-file.ts';
import { reasonOf, StoreFault } from './store-fault.ts';
import type { VerificationKey } from './token-form.ts';

export interface SigningKey {
  readonly privateKey: KeyObject;
  /** What relay threads get: never the private half. */
  readonly verification: VerificationKey;
}

/** The Ed25519 key that signs the tokens of `sluice keys`: `signing-key.pem` in the data folder, made on first use. */
export async function loadOrMakeSigningKey(dataDir: string, warn: Warn): Promise<SigningKey> {
  const path = pathIn(dataDir);
  return signingKeyOf(privateKeyOf(path, await readOrMakeSecret(path, newPrivateKeyPem, warn)));
}

/** One that nobody has yet, and what puts it into a data folder, in the place of the one there. */
export function newSigningKey(): SigningKey & { keepIn(dataDir: string): Promise<void> } {
  const pem = newPrivateKeyPem();
  return { ...signingKeyOf(createPrivateKey(pem)), keepIn: (dataDir) => replaceSecret(pathIn(dataDir), pem) };
}

function pathIn(dataDir: string): string {
  return join(dataDir, 'signing-key.pem');
}

function signingKeyOf(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { privateKey, verification: { keyId: thumbprint(publicKey), publicKeyPem } };
}

/** RFC 7638 §3.2, for the members that RFC 8037 §2 names. */
function thumbprint(publicKey: KeyObject): string {
  const { crv, kty, x } = publicKey.export({ format: 'jwk' });
  return hash('sha256', JSON.stringify({ crv, kty, x }), 'base64url');
}

function newPrivateKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function privateKeyOf(path: string, pem: string): KeyObject {
  const remedy = 'Restore it; or move it away, and a new one is made: every key made before is void then.';
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new StoreFault(`${path} is not a private key in PEM form: ${reasonOf(error)}. ${remedy}`, error);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new StoreFault(`${path} holds a key of type ${key.asymmetricKeyType}, not ed25519. ${remedy}`);
  return key;
}
