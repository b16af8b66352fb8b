import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ConfiguredKey } from '../config/packed-keys.ts';
import { readOrMakeSecret, type Warn } from './secret-file.ts';
import { StoreFault } from './store-fault.ts';

export interface DefaultKey extends ConfiguredKey {
  /** Itself, for who starts the gateway. */
  readonly key: string;
}

/**
 * The key of a gateway that nobody has given one: `default-key` in the data folder, made on first use. Only for a
 * loopback listener without configured or issued keys; the caller sees to that.
 */
export async function loadOrMakeDefaultKey(dataDir: string, warn: Warn): Promise<DefaultKey> {
  const path = join(dataDir, 'default-key');
  const key = (await readOrMakeSecret(path, newKey, warn)).trim();
  // It is printed inside a shell command between quotes, so it must hold nothing that ends them.
  if (!/^[A-Za-z0-9_-]{16,256}$/.test(key))
    throw new StoreFault(
      `${path} does not hold a key of 16 to 256 letters, digits, - and _. Move it away, and a new one is made.`,
    );
  const keySha256 = createHash('sha256').update(key).digest('hex');
  return { name: 'default', key, keySha256, subject: 'user:local', teams: [], metadata: {} };
}

function newKey(): string {
  return `sk-sluice-${randomBytes(24).toString('base64url')}\n`;
}
