/**
 * Calls `action` at evenly spaced moments of performance.now(). A Node timer is up to a millisecond late, which would
 * be most of what we measure: the last millisecond before each moment is spent polling, with sockets still served.
 */
const POLL_BEFORE_MS = 1.2;

/** Resolves after the last action has been called. `action` gets its number and its intended moment in ms. */
export function every(intervalMs: number, times: number, action: (index: number, atMs: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const startMs = performance.now() + 5;
    let index = 0;
    const step = (): void => {
      while (index < times && performance.now() >= startMs + index * intervalMs) {
        action(index, startMs + index * intervalMs);
        index++;
      }
      const waitMs = startMs + index * intervalMs - performance.now();
      if (index >= times) resolve();
      else if (waitMs > POLL_BEFORE_MS + 1) setTimeout(step, Math.floor(waitMs - POLL_BEFORE_MS));
      else setImmediate(step);
    };
    step();
  });
}
