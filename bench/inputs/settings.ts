import { serverSchema } from '../../src/config/server/server-schema.ts';
import { serverSettings } from '../../src/config/server/server-settings.ts';

/** What a gateway runs with that was configured with nothing, but for the ledger: one thread, free ports. */
export const settings = serverSettings(
  serverSchema.parse({
    type: 'sluice/server',
    listen: { host: '127.0.0.1', port: 0 },
    operator: { host: '127.0.0.1', port: 0 },
    threads: 1,
    demo: false,
    ledger: { enabled: false },
  }),
  '.',
  {},
  { upstream: { proxies: {}, noProxy: [] } },
);
