/** What Node defines on the global object by a getter, and the way of a request reads. */
const READ_OFTEN = ['performance', 'Buffer'] as const;

/**
 * Makes them plain values of this thread's global object. V8 puts a plain value into the code that it compiles, but asks
 * a getter each time: some thirty calls in a whole answer (load: chat-whole).
 */
export function plainGlobals(): void {
  for (const name of READ_OFTEN) {
    const { enumerable = false } = Object.getOwnPropertyDescriptor(globalThis, name) ?? {};
    Object.defineProperty(globalThis, name, {
      value: globalThis[name],
      enumerable,
      configurable: true,
      writable: true,
    });
  }
}
