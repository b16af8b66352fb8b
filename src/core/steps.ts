/** Work that may pause between its steps. A step is short, a millisecond at the most where it can be; leaving off is `return`. */
export type Steps<T> = Generator<void, T>;

/** All of it at once, where nobody waits: at a start, in a command. */
export function runToEnd<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** What one turn of the event loop may give to such work, in milliseconds: less than a neighbour can tell from the network. */
const SLICE_MS = 1;

/** Such work beside the requests of a thread: slices of a millisecond, with a turn of the event loop after each. */
export class SlicedWork {
  #steps: Steps<unknown> | undefined;

  /** Takes the place of what is under way, of which nothing more is heard. `done` and `failed` exclude each other. */
  begin<T>(steps: Steps<T>, done: (result: T) => void, failed: (error: unknown) => void): void {
    this.#steps?.return(undefined);
    this.#steps = steps;
    // The first slice in a turn of its own: the message that brought the work took its time already.
    setImmediate(() => this.#slice(steps, done, failed));
  }

  #slice<T>(steps: Steps<T>, done: (result: T) => void, failed: (error: unknown) => void): void {
    if (this.#steps !== steps) return;
    const until = performance.now() + SLICE_MS;
    try {
      do {
        const step = steps.next();
        if (!step.done) continue;
        this.#steps = undefined;
        done(step.value);
        return;
      } while (performance.now() < until);
    } catch (error) {
      this.#steps = undefined;
      failed(error);
      return;
    }
    setImmediate(() => this.#slice(steps, done, failed));
  }
}
