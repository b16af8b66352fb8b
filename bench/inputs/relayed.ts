import assert from 'node:assert/strict';
import type { RelayHost, RelayMode } from '../../src/relay/relay-mode.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { CollectingHost } from './collecting-host.ts';

/** One answer through one mode of the relay: what its client got, and what was metered. */
export function relayed(
  chunks: readonly Buffer[],
  modeFor: (parts: { host: RelayHost; meter: UsageMeter }) => RelayMode,
): { host: CollectingHost; meter: UsageMeter } {
  const host = new CollectingHost();
  const meter = new UsageMeter();
  const mode = modeFor({ host, meter });
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, meter };
}

export function assertWhole(host: CollectingHost): void {
  assert.equal(host.error, undefined);
  assert.equal(host.finished, 1);
}
