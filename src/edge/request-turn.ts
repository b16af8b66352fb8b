let turn = 1;
let armed = false;

/**
 * A number for this turn of the loop. Until the addon's callback for a packet has returned, ticks and microtasks behind it
 * included, the addon has corked that socket itself, and would go on to the next request of the packet if this one were
 * answered. `isOver` tells that this cannot be any more.
 */
export function currentTurn(): number {
  if (!armed) {
    armed = true;
    setImmediate(next);
  }
  return turn;
}

/** If not, it is for what is given to setImmediate from now on. */
export function isOver(then: number): boolean {
  return then !== turn;
}

function next(): void {
  armed = false;
  turn += 1;
}
