import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

/** A port that takes no further connection: whoever connects waits, without an answer or a refusal. */
export interface UnacceptingListener extends AsyncDisposable {
  readonly port: number;
}

const source = `
  const { createServer } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    // From here on its loop stands still, so nothing is accepted.
    setImmediate(() => Atomics.wait(new Int32Array(workerData), 0, 0));
  });
`;

/** Without leaving the machine: a listener whose thread sleeps and whose backlog was filled. */
export async function startUnacceptingListener(): Promise<UnacceptingListener> {
  const flag = new SharedArrayBuffer(4);
  const worker = new Worker(source, { eval: true, workerData: flag });
  const [port] = await once(worker, 'message');
  const filling: Socket[] = [];
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    filling.push(socket);
    const connected = await Promise.race([
      once(socket, 'connect').then(() => true),
      // Loopback connects in microseconds: this long means that the backlog is full.
      new Promise<false>((resolve) => setTimeout(resolve, 300, false)),
    ]);
    if (!connected) break;
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of filling) socket.destroy();
      Atomics.store(new Int32Array(flag), 0, 1);
      Atomics.notify(new Int32Array(flag), 0);
      await worker.terminate();
    },
  };
}
