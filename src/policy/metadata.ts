import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Caller } from './caller.ts';

/** The metadata of one request, by key. */
export type Metadata = Readonly<Record<string, string>>;

/** What rules see: the header's, overridden by what configuration, team and key say of the caller. */
export function requestMetadata(header: Metadata, { metadata }: Caller): Metadata {
  return metadata === undefined ? header : { ...header, ...metadata };
}

/** The keys that ledger and metrics may keep, as JSON; undefined: none. */
export function recordedMetadata(metadata: Metadata, { ledger, metrics }: ServerSettings): string | undefined {
  let kept: Record<string, string> | undefined;
  for (const keys of [ledger.metadataKeys, metrics.metadataKeys]) {
    for (const key of keys) {
      // A request may name a key `constructor`; only what it sent itself counts.
      const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
      if (value === undefined) continue;
      kept ??= {};
      kept[key] = value;
    }
  }
  return kept === undefined ? undefined : JSON.stringify(kept);
}
