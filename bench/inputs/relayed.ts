import assert from 'node:assert/strict';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Target, Wire } from '../../src/providers/provider.ts';
import { HeldMemory } from '../../src/relay/held-memory.ts';
import type { RelayHost, RelayMode } from '../../src/relay/relay-mode.ts';
import { SharedCounters } from '../../src/threads/shared-counters.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { CollectingHost } from './collecting-host.ts';
import { openAiAccount } from './openai-account.ts';
import { settings } from './settings.ts';

export const target: Target = openAiAccount().listed[0]!;
const shared = new SharedCounters(1, 0);

/** What every mode of the relay is made of. */
interface ModeParts {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly target: Target;
  readonly memory: HeldMemory;
  readonly holdBytes: number;
}

/** One answer through one mode of the relay: what its client got, and what was metered. */
export function relayed(
  chunks: readonly Buffer[],
  modeFor: (parts: ModeParts) => RelayMode,
): { host: CollectingHost; meter: UsageMeter } {
  const host = new CollectingHost();
  const meter = new UsageMeter();
  const memory = new HeldMemory(shared, settings.limits.maxBodyMemoryBytes);
  const mode = modeFor({
    host,
    meter,
    wire: openAiChatWire,
    target,
    memory,
    holdBytes: settings.limits.highWatermarkBytes,
  });
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, meter };
}

export function assertWhole(host: CollectingHost): void {
  assert.equal(host.error, undefined);
  assert.equal(host.finished, 1);
}
