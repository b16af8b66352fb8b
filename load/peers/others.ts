/**
 * Gateways that a user has installed, named on the command line: `--gateway NAME=COMMAND`, or `--gateway NAME=URL` where one
 * is running. Nothing is fetched. A command runs in a shell, in the folder of the run, and is told by its environment:
 * PORT to listen on (loopback), MOCK_URL of the provider (`http://127.0.0.1:…`, OpenAI's API under /v1) and MODELS, the ids
 * that it will be asked for, joined by commas.
 */
import { connect } from 'node:net';
import { freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';

const READY_MS = 60_000;

export function otherGateway(name: string, commandOrUrl: string): Peer {
  const running = /^https?:\/\//.test(commandOrUrl);
  return {
    name,
    summary: running ? `what answers at ${commandOrUrl}` : commandOrUrl,
    async start({ mockUrl, models, folder }) {
      const shared = {
        name,
        headers: { authorization: 'Bearer sk-load' },
        modelName: (mockModel: string) => mockModel,
        relaysBytes: false,
        checksKeys: false,
      };
      const note = `${name}: as its user set it up; its answers are checked by status only`;
      if (running)
        return { ...shared, baseUrl: commandOrUrl, pid: undefined, notes: [`${note}; its CPU is not known`] };
      const port = await freePort();
      const env = { ...process.env, PORT: String(port), MOCK_URL: mockUrl, MODELS: models.join(',') };
      const args = ['-c', `exec ${commandOrUrl}`];
      const child = startChild({ name, folder, command: 'sh', args, cwd: folder, env });
      await untilReady(child, READY_MS, () => accepts(port));
      return { ...shared, baseUrl: `http://127.0.0.1:${port}/v1`, pid: child.pid, notes: [note] };
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}
