import { constants, getPriority, setPriority } from 'node:os';

/**
 * Before a command that reads everything there is (a million rows take a core for a minute): a gateway on the same machine gets
 * the cores first.
 */
export function giveWay(): void {
  try {
    setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
  } catch {
    // A sandbox may forbid it; then the system shares the cores as it does between all others.
  }
}
