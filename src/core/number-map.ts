const FIRST_CAPACITY = 16;

/**
 * Work under way, by numbers above zero that were counted up. A Map that thousands enter and leave each second leaves
 * a chain of outgrown tables behind, each with what was in it when it was outgrown; once one of them is old the collector
 * carries all of them on (core/sweeper.ts). Here a removal moves what stands behind it, and nothing is left. Order is not
 * kept.
 */
export class NumberMap<T> {
  /** Zero: the place is free. */
  #keys: number[] = new Array<number>(FIRST_CAPACITY).fill(0);
  #values: (T | undefined)[] = new Array<T | undefined>(FIRST_CAPACITY).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): T | undefined {
    return this.#values[this.#placeOf(key)];
  }

  set(key: number, value: T): void {
    if ((this.#size + 1) * 2 > this.#keys.length) this.#grow();
    const place = this.#placeOf(key);
    if (this.#keys[place] === 0) this.#size += 1;
    this.#keys[place] = key;
    this.#values[place] = value;
  }

  /** What was there. */
  take(key: number): T | undefined {
    const keys = this.#keys;
    const values = this.#values;
    const last = keys.length - 1;
    let free = this.#placeOf(key);
    if (keys[free] === 0) return undefined;
    const taken = values[free];
    this.#size -= 1;
    // Linear probing: whatever could not stand at its own place because of this one moves up.
    for (let place = (free + 1) & last; keys[place] !== 0; place = (place + 1) & last) {
      const fromHome = (place - (keys[place]! & last)) & last;
      if (fromHome < ((place - free) & last)) continue;
      keys[free] = keys[place]!;
      values[free] = values[place];
      free = place;
    }
    keys[free] = 0;
    values[free] = undefined;
    return taken;
  }

  /** As they are now: what is removed meanwhile is told all the same. */
  entries(): [number, T][] {
    return this.#keys.flatMap((key, place): [number, T][] => (key === 0 ? [] : [[key, this.#values[place]!]]));
  }

  values(): T[] {
    return this.entries().map(([, value]) => value);
  }

  /** The place of the key, or the free one where it would stand. */
  #placeOf(key: number): number {
    const keys = this.#keys;
    const last = keys.length - 1;
    let place = key & last;
    while (keys[place] !== key && keys[place] !== 0) place = (place + 1) & last;
    return place;
  }

  #grow(): void {
    const entries = this.entries();
    const capacity = this.#keys.length * 2;
    this.#keys = new Array<number>(capacity).fill(0);
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
    this.#size = 0;
    for (const [key, value] of entries) this.set(key, value);
  }
}
