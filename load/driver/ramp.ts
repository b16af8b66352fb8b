/** Calls `action` `count` times, spread over `durationMs` in steps of 10 ms: for starts that need no exact moment. */
const STEP_MS = 10;

export function ramp(durationMs: number, count: number, action: (index: number) => void): void {
  const startMs = performance.now();
  let index = 0;
  const step = (): void => {
    const share = durationMs === 0 ? 1 : Math.min(1, (performance.now() - startMs + STEP_MS) / durationMs);
    const due = Math.min(count, Math.ceil(share * count));
    while (index < due) action(index++);
    if (index < count) setTimeout(step, STEP_MS);
  };
  step();
}
