/** The floor for a gateway of these parts: bare-relay.ts in a process of its own. */
import { fileURLToPath } from 'node:url';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';

const MAIN = fileURLToPath(new URL('bare-relay.ts', import.meta.url));
const READY_MS = 5000;

export const bare: Peer = {
  name: 'bare',
  summary: 'uWebSockets.js and undici with a few lines between them, no policies',
  async start({ mockUrl, folder }) {
    const port = await freePort();
    const args = [MAIN, String(port), mockUrl];
    const child = startChild({ name: 'bare', folder, command: process.execPath, args });
    await untilReady(child, READY_MS, answers(`http://127.0.0.1:${port}/v1/models`));
    return {
      name: 'bare',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      pid: child.pid,
      headers: { authorization: 'Bearer sk-load' },
      modelName: (mockModel) => mockModel,
      relaysBytes: true,
      checksKeys: false,
      notes: ['bare: no policies, no deadlines'],
    };
  },
};
