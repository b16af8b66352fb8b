/** An item carries its own place in the line, so that it leaves the middle at no cost. */
export interface Waiting {
  ahead: Waiting | undefined;
  behind: Waiting | undefined;
  inLine: boolean;
}

/** A line of waiting items. An item that leaves it leaves nothing behind. */
export class WaitingLine<T extends Waiting> {
  length = 0;
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  push(item: T): void {
    item.inLine = true;
    item.ahead = this.#last;
    if (this.#last) this.#last.behind = item;
    else this.#first = item;
    this.#last = item;
    this.length += 1;
  }

  /** First come, first served. */
  shift(): T | undefined {
    const first = this.#first;
    if (first) this.remove(first as T);
    return first as T | undefined;
  }

  /** Last come, first taken. */
  pop(): T | undefined {
    const last = this.#last;
    if (last) this.remove(last as T);
    return last as T | undefined;
  }

  /** The waiting items, in order. */
  items(): T[] {
    const items: T[] = [];
    for (let item = this.#first; item; item = item.behind) items.push(item as T);
    return items;
  }

  remove(item: T): void {
    if (!item.inLine) return;
    if (item.ahead) item.ahead.behind = item.behind;
    else this.#first = item.behind;
    if (item.behind) item.behind.ahead = item.ahead;
    else this.#last = item.ahead;
    item.ahead = undefined;
    item.behind = undefined;
    item.inLine = false;
    this.length -= 1;
  }
}
