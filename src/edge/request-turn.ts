let turn = 1;
let armed = false;

/**
 * A number for this turn of the loop. Until the addon's callback for a packet and the ticks and microtasks behind it are
 * done, the addon itself has corked that socket, and would go on to the next request of the packet if this one were
 * answered. `isOver` says that the turn has ended, so that this can no longer happen.
 */
export function currentTurn(): number {
  if (!armed) {
    armed = true;
    setImmediate(next);
  }
  return turn;
}

/** If not, the turn will have ended for a callback that is given to setImmediate now. */
export function isOver(then: number): boolean {
  return then !== turn;
}

function next(): void {
  armed = false;
  turn += 1;
}
