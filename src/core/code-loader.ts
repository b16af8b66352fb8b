import { createRequire } from 'node:module';
import type { LoadGate } from './load-gate.ts';

let gate: LoadGate | undefined;

/** From now on this thread loads code only where its gate lets it pass: it may be stopped at any time. */
export function loadThrough(given: LoadGate): void {
  gate = given;
}

/**
 * Loads code of ours when it is first needed, and waits for it, so that a thread holds only what it uses. `base`: the
 * `import.meta.url` of whoever loads; the file is named without its ending, which is `.ts` in a clone and `.js` in the
 * published package. Say its type at the call: import rules read it there.
 */
export function codeLoader(base: string) {
  const require = createRequire(base);
  const ending = base.slice(-3);
  return (file: string) => (gate === undefined ? require(file + ending) : gate.pass(() => require(file + ending)));
}
