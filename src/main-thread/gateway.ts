import type { Configuration } from '../config/configuration.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { ConfigurationSource } from '../operator/configuration-source.ts';
import { type ClaimedPort, claimPort } from '../threads/claim-port.ts';
import { RelayThreads } from '../threads/relay-threads.ts';
import { keepHeapSteady } from '../threads/steady-heap.ts';
import { threadEntry } from '../threads/thread-entry.ts';
import { DatabaseThread } from './database-thread.ts';
import type { Gateway } from './running-gateway.ts';
import { StartFault } from './start-fault.ts';

export interface GatewayOptions {
  readonly configuration: Configuration;
  /** Where it was read from. */
  readonly source: ConfigurationSource;
  /** Sets a variable that the addon reads when it is loaded. */
  setVariable(name: string, value: string): void;
}

/** Throws a StartFault or a StoreFault. */
export async function startGateway({ configuration, source, setVariable }: GatewayOptions): Promise<Gateway> {
  const { server } = configuration;
  // The port comes first: a gateway that cannot have it touches nothing else.
  const claim = await claimedPort(server);
  keepHeapSteady();
  setVariable('UWS_HTTP_MAX_HEADERS_SIZE', String(server.limits.maxHeaderBytes));
  const relayThreads = new RelayThreads({ entry: threadEntry('relay-thread/relay-thread'), count: server.threads });
  relayThreads.load();
  const database = new DatabaseThread(threadEntry('database-thread/database-thread'));
  // This thread loads the other half of all code while the others load theirs.
  const { openGateway } = await import('./open-gateway.ts');
  try {
    return await openGateway({ configuration, source, port: claim.port, relayThreads, database });
  } finally {
    claim.release();
  }
}

async function claimedPort({ listen: { host, port } }: ServerSettings): Promise<ClaimedPort> {
  const claim = await claimPort(host, port);
  if ('port' in claim) return claim;
  throw new StartFault(`cannot listen on ${host}:${port} (listen.port): ${claim.reason}`);
}
