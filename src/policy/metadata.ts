import type { ServerSettings } from '../config/configuration.ts';
import type { Caller } from './caller.ts';

type Metadata = Readonly<Record<string, string>>;

/** What rules see: the header's, overridden by what configuration, team and key say of the caller. */
export function requestMetadata(header: Metadata, caller: Caller): Metadata {
  return { ...header, ...caller.metadata };
}

/** The keys that ledger and metrics may keep, as JSON; undefined: none. */
export function recordedMetadata(metadata: Metadata, { ledger, metrics }: ServerSettings): string | undefined {
  const kept: Record<string, string> = {};
  let any = false;
  for (const keys of [ledger.metadataKeys, metrics.metadataKeys]) {
    for (const key of keys) {
      const value = metadata[key];
      if (value === undefined) continue;
      kept[key] = value;
      any = true;
    }
  }
  return any ? JSON.stringify(kept) : undefined;
}
