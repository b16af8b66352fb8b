import { readFileSync } from 'node:fs';
import type { Configuration } from '../config/configuration.ts';
import type { AccountToken } from '../core/account-token.ts';
import { hostInUrl } from '../core/host-name.ts';
import type { WorkerPool } from '../offload/worker-pool.ts';
import { aboutRoutes } from '../operator/admin/about.ts';
import type { AdminRoute } from '../operator/admin/admin-route.ts';
import { configurationRoutes } from '../operator/admin/configuration.ts';
import { type DataPort, playgroundRoutes } from '../operator/admin/playground.ts';
import type { ConfigurationSource } from '../operator/configuration-source.ts';

export interface ConsoleRouteSources {
  /** In force at the time of the call. */
  readonly configuration: () => Configuration;
  readonly tokens: () => readonly AccountToken[];
  /** The port of clients: the one that was found free. */
  readonly port: number;
  readonly source: ConfigurationSource;
  /** In which files of the configuration are read and checked. */
  readonly pool: Pick<WorkerPool, 'run'>;
}

/** What the console asks of the main thread beyond what others answer. */
export function consoleRoutes({ configuration, tokens, port, source, pool }: ConsoleRouteSources): AdminRoute[] {
  return [
    ...aboutRoutes({
      models: async () => {
        const { listedForOperators } = await import('./listed-models.ts');
        const { host, tls } = configuration().server.listen;
        return listedForOperators(
          configuration(),
          tokens(),
          `${tls ? 'https' : 'http'}://${hostInUrl(host)}:${port}/v1`,
        );
      },
    }),
    ...configurationRoutes(source, pool),
    ...playgroundRoutes(() => dataPort(configuration(), port)),
  ];
}

/** Every address is reached by that of this machine alone. */
const OF_ALL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function dataPort({ server: { listen } }: Configuration, port: number): DataPort {
  const { host, tls } = listen;
  return { host: OF_ALL[host] ?? host, port, certificate: tls && readFileSync(tls.certFile) };
}
