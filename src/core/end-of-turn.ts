/** A tick of Node’s costs a microsecond of making and taking apart, a microtask less, and a call behind a read nearly nothing. */
const turn = Promise.resolve();
let isReading = false;
let waiting: (() => void) | undefined;

/** Runs it at the end of this turn of the loop: it is the only one that is run so, and asks once a turn. */
export function atEndOfTurn(run: () => void): void {
  if (isReading) waiting = run;
  else turn.then(run);
}

/** Before a socket's bytes are handed on. What comes of them in the same call is this turn's. */
export function beginRead(): void {
  isReading = true;
}

export function endRead(): void {
  isReading = false;
  const run = waiting;
  if (run === undefined) return;
  waiting = undefined;
  run();
}
