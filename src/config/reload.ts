import { isDeepStrictEqual } from 'node:util';
import type { Configuration, ServerSettings } from './configuration.ts';
import type { Fault } from './fault.ts';
import type { Loaded, Refused } from './load.ts';

/** What sockets, threads and stores were made from: it stays until the next start. */
const needsRestart = {
  listen: 'listen',
  operator: 'operator',
  threads: 'threads',
  dataDir: 'data_dir',
  store: 'store',
  metrics: 'metrics',
  gatewayId: 'gateway_id',
} as const satisfies Partial<Record<keyof ServerSettings, string>>;

export type Reloaded = { configuration: Configuration; warnings: Fault[] } | { faults: Fault[] };

/**
 * What is in force after a reload: the new configuration with the old values where only a restart can change them, each
 * such change with a warning. A faulty one gives its faults, and the caller keeps the old one in force.
 */
export function applyReload(previous: Configuration, loaded: Loaded | Refused): Reloaded {
  if ('faults' in loaded) return { faults: loaded.faults };
  const { configuration, locate } = loaded;
  if (loaded.manifests === 0 && (previous.keys.length > 0 || previous.accounts.length > 0)) {
    // A file that is being written anew, a folder that is being swapped: for a moment there is nothing.
    const message = 'no manifest is there any more; a reload that would take every key and account is not believed';
    return { faults: [{ code: 'missing-key', file: loaded.files[0] ?? 'configuration', path: '', message }] };
  }
  const old = previous.server;
  const wanted = configuration.server;
  const warnings = [...loaded.warnings];
  const keep = (before: unknown, after: unknown, ...path: string[]) => {
    if (isDeepStrictEqual(before, after)) return;
    const message = 'a change of this needs a restart; the old value stays in force';
    warnings.push({ code: 'restart-needed', ...locate(path), path: path.join('.'), message });
  };
  for (const [setting, written] of Object.entries(needsRestart)) {
    keep(Reflect.get(old, setting), Reflect.get(wanted, setting), written);
  }
  keep(old.limits.maxHeaderBytes, wanted.limits.maxHeaderBytes, 'limits', 'max_header_bytes');
  keep(old.counters.maxCells, wanted.counters.maxCells, 'counters', 'max_cells');
  keep(old.ledger.enabled, wanted.ledger.enabled, 'ledger', 'enabled');
  keep(old.ledger.sync, wanted.ledger.sync, 'ledger', 'sync');

  const { listen, operator, threads, dataDir, store, metrics, gatewayId } = old;
  const counters = { ...wanted.counters, maxCells: old.counters.maxCells };
  const limits = { ...wanted.limits, maxHeaderBytes: old.limits.maxHeaderBytes };
  const ledger = { ...wanted.ledger, enabled: old.ledger.enabled, sync: old.ledger.sync };
  const { gatewayId: _restart, ...rest } = wanted;
  const kept = {
    listen,
    operator,
    threads,
    dataDir,
    store,
    metrics,
    ...(gatewayId !== undefined && { gatewayId }),
  };
  const server = { ...rest, ...kept, limits, counters, ledger };
  return { configuration: { ...configuration, server }, warnings };
}
