import { after } from 'node:test';

/** Ends these parts, one after the other, when the tests of this file or suite are over. A part that never started is undefined. */
export function disposeAfter(parts: () => readonly (AsyncDisposable | undefined)[]): void {
  after(async () => {
    for (const part of parts()) await part?.[Symbol.asyncDispose]();
  });
}
