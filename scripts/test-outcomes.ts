/**
 * A reporter of `node --test` for the program that began it: one message when the process of a file came to its end, one for
 * each fault. A process that dies, exits early or is ended at its timeout has no end of its own, so a file passed only
 * if it said so.
 */
export interface TestOutcome {
  /** Absolute. */
  readonly file: string;
  readonly passed: boolean;
  /** How long its tests took; undefined with a fault. */
  readonly ms?: number;
}

interface TestEvent {
  readonly type: string;
  readonly data?: { readonly file?: string; readonly success?: boolean; readonly duration_ms?: number };
}

// biome-ignore lint/correctness/useYield: what a reporter yields goes to its destination, and this one has none.
export default async function* tellOutcomes(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    const { file, success, duration_ms: ms } = data ?? {};
    if (file === undefined) continue;
    if (type === 'test:summary') tell({ file, passed: success === true, ms });
    else if (type === 'test:fail') tell({ file, passed: false });
  }
}

const tell = (outcome: TestOutcome): void => void process.send?.(outcome);
