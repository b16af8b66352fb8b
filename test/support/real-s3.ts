import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3_KEYS, S3_REGION } from './s3-server.ts';
import { freePort } from './server-process.ts';

/** A program of others that speaks S3: versitygw (https://github.com/versity/versitygw). */
const program = process.env['SLUICE_S3_SERVER'];
export const realS3Skip = program === undefined ? 'SLUICE_S3_SERVER names no versitygw, an S3 server' : false;

export interface RealS3 extends AsyncDisposable {
  readonly origin: string;
  /** The folder of its one bucket, on the disk. */
  readonly folder: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startRealS3(): Promise<RealS3> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-s3-real-'));
  const folder = join(root, 'kept/bucket');
  const sidecar = join(root, 'metadata');
  await mkdir(folder, { recursive: true });
  await mkdir(sidecar);
  const port = await freePort();
  const { accessKeyId, secretAccessKey } = S3_KEYS;
  const keys = ['--access', accessKeyId, '--secret', secretAccessKey, '--region', S3_REGION];
  const args = [...keys, '--port', `127.0.0.1:${port}`, 'posix', '--sidecar', sidecar, join(root, 'kept')];
  let child: ReturnType<typeof spawn> | undefined;
  const origin = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    child = spawn(program ?? '', args, { stdio: 'ignore' });
    await once(child, 'spawn');
    for (let tried = 0; !(await answers(origin)); tried += 1) {
      if (tried === 100 || child.exitCode !== null) throw new Error(`${program} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await start();
  return {
    origin,
    folder,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(root, { recursive: true });
    },
  };
}

/** Whatever it says of a stranger. */
function answers(origin: string): Promise<boolean> {
  return fetch(origin).then(
    () => true,
    () => false,
  );
}
