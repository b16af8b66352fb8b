/** Tells work that runs elsewhere that nobody waits for it any more. Costs nothing where there is none. */
export class Abandonment {
  #controller: AbortController | undefined;
  #abandoned = false;

  /** Made only for whoever asks. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abandoned) this.#controller.abort();
    return this.#controller.signal;
  }

  abandon(): void {
    this.#abandoned = true;
    this.#controller?.abort();
  }
}
