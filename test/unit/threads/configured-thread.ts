import { parentPort } from 'node:worker_threads';
import type { FromRelayThread, ToRelayThread } from '../../../src/threads/messages.ts';

/** Stands in for a relay thread: the second one never takes configuration 2, and ends with configuration 3. */
const port = parentPort!;
const send = (message: FromRelayThread): void => port.postMessage(message);
let thread = 0;
port.on('message', (message: ToRelayThread) => {
  if (message.type === 'begin') {
    ({ thread } = message.data);
    send({ type: 'listening', port: 1 });
  } else if (message.type === 'reconfigure') {
    if (thread === 0 || message.number === 1) send({ type: 'configured', number: message.number });
    else if (message.number === 3) process.exit();
  } else if (message.type === 'drain') {
    send({ type: 'drained' });
    port.close();
  }
});
