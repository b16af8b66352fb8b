/** Clients that ask and never read: the kernel's buffers fill up, then the subject has to stop its provider. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobResult, NonReaders } from './job.ts';
import { requestBytes } from './raw-client.ts';
import { Tally } from './tally.ts';

export async function nonReaders(job: NonReaders, onAllOpen: () => void): Promise<JobResult> {
  const tally = new Tally();
  const { hostname, port } = new URL(job.request.url);
  const bytes = requestBytes(job.request);
  const sockets = await Promise.all(
    Array.from({ length: job.clients }, async () => {
      const socket = connect({ host: hostname, port: Number(port) });
      // Paused before it connects: not one byte is taken from the kernel.
      socket.pause();
      socket.on('error', (error) => tally.error((error as NodeJS.ErrnoException).code ?? error.message));
      await new Promise<void>((resolve) => {
        socket.once('close', () => resolve());
        socket.write(bytes, () => resolve());
      });
      return socket;
    }),
  );
  onAllOpen();
  await delay(job.holdMs);
  for (const socket of sockets) {
    if (socket.destroyed) tally.error('connection closed while the client was waiting');
    else tally.completed++;
    socket.destroy();
  }
  return tally.result();
}
