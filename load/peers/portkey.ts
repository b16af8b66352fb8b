/**
 * Portkey's gateway from the npm registry, put into load/.peers/ the first time it is asked for: never a dependency
 * of ours. It runs on the Node that runs us, as its README starts it, with our mock as the OpenAI host.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';

const PACKAGE = '@portkey-ai/gateway';
const VERSION = '1.15.2';
/**
 * The lowest version it declares. With the newest (1.19.19), 1.19.5 and 1.14.4 every streamed answer is a 500
 * ("immutable" headers) on Node 20 and 22; with this one streams work.
 */
const OVERRIDES = { '@hono/node-server': '1.3.3' };
const FOLDER = fileURLToPath(new URL('../.peers/portkey', import.meta.url));
const MAIN = `${FOLDER}/node_modules/${PACKAGE}/build/start-server.js`;
const INSTALL_MS = 120_000;
const READY_MS = 20_000;

export const portkey: Peer = {
  name: 'portkey',
  summary: `${PACKAGE} ${VERSION}, installed on demand, no policies`,
  async start({ mockUrl, folder }) {
    await install();
    const port = await freePort();
    const args = [MAIN, '--headless', `--port=${port}`];
    const child = startChild({ name: 'portkey', folder, command: process.execPath, args });
    await untilReady(child, READY_MS, answers(`http://127.0.0.1:${port}/`));
    return {
      name: 'portkey',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      pid: child.pid,
      headers: {
        authorization: 'Bearer sk-load',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `${mockUrl}/v1`,
      },
      modelName: (mockModel) => mockModel,
      relaysBytes: false,
      checksKeys: false,
      notes: [`portkey: ${VERSION}, no policies; its answers are checked by status only`],
    };
  },
};

/** Install scripts stay off: what runs is the bundle as published. */
async function install(): Promise<void> {
  if (existsSync(MAIN)) return;
  mkdirSync(FOLDER, { recursive: true });
  const manifest = { private: true, dependencies: { [PACKAGE]: VERSION }, overrides: OVERRIDES };
  writeFileSync(`${FOLDER}/package.json`, JSON.stringify(manifest, null, 2));
  process.stderr.write(`installing ${PACKAGE} ${VERSION} into load/.peers/\n`);
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
  await promisify(execFile)('npm', args, { cwd: FOLDER, timeout: INSTALL_MS });
}
