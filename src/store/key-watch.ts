import { revokedKeyIds } from './api-keys.ts';
import type { Database } from './database.ts';

/** Half of the second within which a revoked key must stop working everywhere. */
const WATCH_INTERVAL_MS = 500;

export interface KeyWatchOptions {
  /** What the listener knows already. */
  initial: readonly string[];
  /** All revoked ids, whenever they are others than before: to be passed to each KeyRing. */
  onChange: (revokedIds: readonly string[]) => void;
  /** The database could not be read; told once, until it can be read again. The last known list stays in force. */
  onFault: (error: unknown) => void;
}

/** Sees keys that any process revokes. Does not keep the process alive. After `stop()` no callback comes. */
export function watchRevokedKeys(database: Database, options: KeyWatchOptions): { stop(): void } {
  let stopped = false;
  let mark: string | undefined;
  let ids = [...options.initial].sort().join(' ');
  let faulty = false;
  let timer: NodeJS.Timeout;

  async function look(): Promise<void> {
    try {
      const newMark = await database.changeMark();
      if (newMark !== mark) {
        const revoked = await revokedKeyIds(database, new Date());
        if (stopped) return;
        mark = newMark;
        if (revoked.join(' ') !== ids) {
          ids = revoked.join(' ');
          options.onChange(revoked);
        }
      }
      faulty = false;
    } catch (error) {
      if (!faulty && !stopped) options.onFault(error);
      faulty = true;
    }
    schedule();
  }

  // One after the other: looks never pile up behind a slow disk.
  function schedule(): void {
    if (!stopped) timer = setTimeout(look, WATCH_INTERVAL_MS).unref();
  }

  schedule();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
