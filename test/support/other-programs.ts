import { cpus } from 'node:os';
import type { RunningGateway } from './gateway.ts';

/**
 * How much of the processors other programs take while something is measured, in cores. A latency that was measured while
 * others were busy says nothing about the gateway.
 */
export async function watchOtherPrograms(gateway: RunningGateway): Promise<() => Promise<number>> {
  const startedAt = performance.now();
  const before = busyMs() - (await ownMs(gateway));
  return async () => (busyMs() - (await ownMs(gateway)) - before) / (performance.now() - startedAt);
}

function busyMs(): number {
  let busy = 0;
  for (const { times } of cpus()) busy += times.user + times.nice + times.sys + times.irq;
  return busy;
}

async function ownMs(gateway: RunningGateway): Promise<number> {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + (await gateway.metric('process_cpu_seconds_total')) * 1000;
}
