import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readOrMakeSecret, type Warn } from './secret-file.ts';
import { StoreFault } from './store-fault.ts';

/** What tells this gateway from others on the same database: `gateway-id` in the data folder, made on first use. Not a secret. */
export async function loadOrMakeGatewayId(dataDir: string, warn: Warn): Promise<string> {
  const path = join(dataDir, 'gateway-id');
  const id = (await readOrMakeSecret(path, () => `gw_${randomBytes(8).toString('hex')}\n`, warn)).trim();
  if (/^[A-Za-z0-9_.-]{1,64}$/.test(id)) return id;
  throw new StoreFault(
    `${path} does not hold 1 to 64 letters, digits, . _ and -. Move it away, and a new one is made.`,
  );
}
