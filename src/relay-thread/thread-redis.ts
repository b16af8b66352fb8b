import { hostname } from 'node:os';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { MemoryCounters } from '../counters/memory-counters.ts';
import type { RedisCounters } from '../counters/redis-counters.ts';
import type { RedisValues } from '../counters/redis-values.ts';
import type { FromRelayThread, RelayThreadData } from '../threads/messages.ts';

/** What the connections to Redis of one relay thread need of it. */
export interface ThreadRedis {
  readonly data: RelayThreadData;
  settings(): ServerSettings;
  send(message: FromRelayThread): void;
}

/** Where cached answers are kept beside memory; undefined: nowhere. The code is loaded where it is needed. */
export async function openAnswersInRedis({ data, settings, send }: ThreadRedis): Promise<RedisValues | undefined> {
  const { thread, configuration } = data;
  const { cache: url } = configuration.server.store;
  if (url === 'memory') return undefined;
  const { RedisValues: Values } = await import('../counters/redis-values.ts');
  return new Values({
    url,
    timeoutMs: () => settings().cache.timeoutMs,
    onAway: (reason) => send({ type: 'cache-away', thread, reason }),
    onBack: () => send({ type: 'cache-back', thread }),
  });
}

/** Where limits and budgets are counted for several gateways; undefined: in memory alone. `machine`: counts meanwhile. */
export async function openCountsInRedis(
  { data, send }: ThreadRedis,
  machine: MemoryCounters,
): Promise<RedisCounters | undefined> {
  const { thread, threads, configuration } = data;
  const { store, gatewayId, counters: settings, ledger } = configuration.server;
  if (store.counters === 'memory') return undefined;
  const { RedisCounters: Counters } = await import('../counters/redis-counters.ts');
  return new Counters({
    url: store.counters,
    gatewayId: gatewayId ?? `${hostname()}-${process.pid}`,
    thread,
    threads,
    settings,
    machine,
    budgetTruth: ledger.enabled ? 'database' : 'redis',
    onAway: (reason) => send({ type: 'counters-away', thread, reason }),
    onBack: () => send({ type: 'counters-back', thread }),
  });
}
