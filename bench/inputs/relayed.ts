import assert from 'node:assert/strict';
import type { GatewayError } from '../../src/core/errors.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Target, Wire } from '../../src/providers/provider.ts';
import { HeldMemory } from '../../src/relay/held-memory.ts';
import type { RelayHost, RelayMode } from '../../src/relay/relay-mode.ts';
import { SharedCounters } from '../../src/threads/shared-counters.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
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

/** Stands for the relay and its client: keeps by reference what would be sent. */
class CollectingHost implements RelayHost {
  readonly written: Buffer[] = [];
  contentType: string | undefined;
  contentPieces = 0;
  finished = 0;
  error: GatewayError | undefined;

  commit(contentType: string): void {
    this.contentType ??= contentType;
  }

  write(bytes: Buffer): void {
    this.written.push(bytes);
  }

  finish(last?: Buffer): void {
    if (last) this.written.push(last);
    this.finished += 1;
  }

  fail(error: GatewayError): void {
    this.error = error;
  }

  content(pieces: number): void {
    this.contentPieces += pieces;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }
}
