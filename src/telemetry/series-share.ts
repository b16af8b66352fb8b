/** What of all series is counted apart. */
export type SeriesKind = 'models' | 'statuses' | 'failures' | 'metadata';

/** What one caller holds. */
export interface SeriesShare<T = unknown> {
  readonly byModel: Map<string, T>;
  readonly held: Record<SeriesKind, number>;
}

/**
 * Shares the series out among callers. There are `max` of each kind, and no caller holds more than is left for all others: one
 * caller alone gets half of them, and whatever it invents, the next one finds room.
 */
export class SeriesShares<T> {
  readonly #max: number;
  readonly #bySubject = new Map<string, SeriesShare<T>>();
  readonly #held: Record<SeriesKind, number> = { models: 0, statuses: 0, failures: 0, metadata: 0 };

  constructor(max: number) {
    this.#max = max;
  }

  of(subject: string): SeriesShare<T> | undefined {
    return this.#bySubject.get(subject);
  }

  /** The first series of a caller begins its share, right before it is taken. */
  begin(subject: string): SeriesShare<T> {
    const share: SeriesShare<T> = { byModel: new Map(), held: { models: 0, statuses: 0, failures: 0, metadata: 0 } };
    this.#bySubject.set(subject, share);
    return share;
  }

  /** Without a share: of a caller that has none yet. */
  hasRoom(kind: SeriesKind, share: SeriesShare | undefined): boolean {
    return (share?.held[kind] ?? 0) < this.#max - this.#held[kind];
  }

  take(kind: SeriesKind, share: SeriesShare): void {
    share.held[kind] += 1;
    this.#held[kind] += 1;
  }

  *series(): Iterable<T> {
    for (const share of this.#bySubject.values()) yield* share.byModel.values();
  }
}
