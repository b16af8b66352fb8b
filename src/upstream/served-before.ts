/** The property of a connection's error that says whether the connection had brought bytes before. */
const HAD_SERVED = Symbol('the connection had served before');

export function servedBefore(error: Error, served: boolean): Error {
  return Object.defineProperty(error, HAD_SERVED, { value: served, configurable: true });
}

export function hadServed(error: Error): boolean {
  return Reflect.get(error, HAD_SERVED) === true;
}
