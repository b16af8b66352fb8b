import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The reason to `skip`: false where certificates can be made. */
export const noOpenssl: string | false = await run('openssl', ['version']).then(
  () => false,
  () => 'no openssl command to make a certificate with',
);

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate that signs itself, for these names (`DNS:provider.test`, `IP:127.0.0.1`); its files go with the test. */
export async function selfSigned(test: TestContext, ...names: string[]): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  test.after(() => rm(folder, { recursive: true, force: true }));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const words = 'req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -addext';
  const more = [`subjectAltName=${names.join(',')}`, '-keyout', keyFile, '-out', certFile];
  await run('openssl', [...words.split(' '), ...more]);
  return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8'), certFile, keyFile };
}
