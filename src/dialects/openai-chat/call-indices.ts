import { isArray, isObject, stringOf } from '../../codec/json-value.ts';

/** Calls of one answer whose indices are remembered; further ones pass as they come. */
const MAX_CALLS = 128;

interface Calls {
  /** By index as the client knows it. */
  readonly ids: string[];
  /** The provider's index → the client's, of the call that it used it for last. */
  readonly current: Map<unknown, number>;
}

/**
 * Servers of open models give the parallel calls of an answer all the index 0, or none; clients join the pieces of a
 * call by its index and would make one call of them. A call begins with a new id and a name: it gets the next index
 * where the provider's is taken, and so do the pieces that follow it.
 */
export class CallIndices {
  /** Whether an index had to be changed. */
  repaired = false;
  /** Undefined: no tool was called. */
  #choices: Map<unknown, Calls> | undefined;

  /**
   * The index that the client is to see for each call of these choices, in order; undefined: they are as they should.
   */
  of(choices: readonly unknown[]): readonly number[] | undefined {
    const indices: number[] = [];
    let isChanged = false;
    for (const { calls, known } of this.#withCalls(choices)) {
      for (const call of calls) {
        const index = isObject(call) ? indexOf(call, known) : undefined;
        if (index === undefined || !isObject(call)) return undefined;
        indices.push(index);
        isChanged ||= call['index'] !== index;
      }
    }
    if (!isChanged) return undefined;
    this.repaired = true;
    return indices;
  }

  *#withCalls(choices: readonly unknown[]): Generator<{ calls: readonly unknown[]; known: Calls }> {
    for (const choice of choices) {
      const delta = isObject(choice) ? choice['delta'] : undefined;
      const calls = isObject(delta) ? delta['tool_calls'] : undefined;
      if (!isObject(choice) || !isArray(calls)) continue;
      const key = choice['index'];
      this.#choices ??= new Map();
      const known = this.#choices.get(key) ?? { ids: [], current: new Map() };
      if (this.#choices.size < MAX_CALLS) this.#choices.set(key, known);
      yield { calls, known };
    }
  }
}

/** Writes the indices that `of` gave into the calls of the same choices. */
export function setIndices(choices: readonly unknown[], indices: readonly number[]): void {
  let next = 0;
  for (const choice of choices) {
    const delta = isObject(choice) ? choice['delta'] : undefined;
    const calls = isObject(delta) ? delta['tool_calls'] : undefined;
    if (!isArray(calls)) continue;
    for (const call of calls) if (isObject(call)) Reflect.set(call, 'index', indices[next++]);
  }
}

function indexOf(call: Readonly<Record<string, unknown>>, { ids, current }: Calls): number | undefined {
  const given = call['index'];
  const id = stringOf(call['id']);
  const called = call['function'];
  const begins = id && isObject(called) && stringOf(called['name']);
  const before = current.get(given);
  if (!begins || (before !== undefined && ids[before] === id)) {
    if (before !== undefined) return before;
    // A piece of a call that nobody began: it belongs to the last one, or is the provider's to explain.
    return typeof given === 'number' ? given : Math.max(0, ids.length - 1);
  }
  if (ids.length >= MAX_CALLS) return undefined;
  const isFree = typeof given === 'number' && before === undefined && ids[given] === undefined && given < MAX_CALLS;
  const index = isFree ? given : ids.length;
  ids[index] = id;
  current.set(given, index);
  return index;
}
