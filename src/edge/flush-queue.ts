import { atEndOfTurn } from '../core/end-of-turn.ts';

export interface Flushed {
  /** Sends what waits. */
  flush(): void;
  /** Closes the connection at once. */
  close(): void;
}

/** Sinks that were written to in this turn of the loop: one tick flushes all. The array is reused. */
const queue: (Flushed | undefined)[] = [];
let queued = 0;

/** Flushes at the end of this turn. */
export function flushAtEndOfTurn(sink: Flushed): void {
  queue[queued] = sink;
  queued += 1;
  if (queued === 1) atEndOfTurn(flushAll);
}

function flushAll(): void {
  // A sink that is written to meanwhile joins the queue and is flushed in the same turn.
  for (let i = 0; i < queued; i += 1) {
    const sink = queue[i]!;
    queue[i] = undefined;
    flushGuarded(sink);
  }
  queued = 0;
}

/** A bug with one client must not cost the others of this turn theirs, nor be thrown into the addon. */
export function flushGuarded(sink: Flushed): void {
  try {
    sink.flush();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    try {
      sink.close();
    } catch {
      // The addon has let go of it already.
    }
  }
}
