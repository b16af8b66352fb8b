export interface LineResult {
  /** From 0. */
  readonly line: number;
  readonly failed: boolean;
  /** A line of the output or of the error file, without its end. */
  readonly result: Uint8Array;
}

/**
 * Results that were told together are kept together, in one row and one buffer, which can be transferred between threads: a
 * row and a text for each would cost more than running the line (load: batch-10k).
 */
export interface ResultBlock {
  /**
   * Three numbers a result: line, 1 where it failed or else 0, bytes. They have a fixed size, and threads copy them
   * at once.
   */
  readonly index: Uint32Array<ArrayBuffer>;
  /** The results, one behind the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const FIELDS = 3;

export function resultBlock(results: readonly LineResult[]): ResultBlock {
  const index = new Uint32Array(results.length * FIELDS);
  let length = 0;
  for (const [place, { line, failed, result }] of results.entries()) {
    index[place * FIELDS] = line;
    index[place * FIELDS + 1] = failed ? 1 : 0;
    index[place * FIELDS + 2] = result.length;
    length += result.length;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { result } of results) {
    bytes.set(result, at);
    at += result.length;
  }
  return { index, bytes };
}

/** Their bytes are those of the block. */
export function resultsIn({ index, bytes }: { index: ArrayLike<number>; bytes: Uint8Array }): LineResult[] {
  const results: LineResult[] = [];
  let at = 0;
  for (let entry = 0; entry < index.length; entry += FIELDS) {
    const end = at + index[entry + 2]!;
    results.push({ line: index[entry]!, failed: index[entry + 1] === 1, result: bytes.subarray(at, end) });
    at = end;
  }
  return results;
}
