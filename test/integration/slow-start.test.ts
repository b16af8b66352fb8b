import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { eventually } from '../support/gateway.ts';
import { startSluice } from '../support/sluice-command.ts';

const LATE_KEY = 'sk-test-that-came-late';

test('a configuration that changes while the gateway waits for its database is in force when it is ready', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-slow-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  await mkdir(dataDir);
  // The process that opens it has to wait.
  const holder = new DatabaseSync(join(dataDir, 'sluice.db'));
  holder.exec('begin exclusive');
  const file = join(folder, 'sluice.yaml');
  const operator = { host: '127.0.0.1', port: 0 };
  const server = { type: 'sluice/server', listen: { port: 0 }, operator, threads: 1, data_dir: dataDir };
  const write = (...keys: string[]) =>
    writeFile(
      file,
      [server, { type: 'sluice/api-keys', keys: keys.map((key) => ({ name: key, key, subject: 'user:a@b.c' })) }]
        .map((manifest) => stringify(manifest))
        .join('---\n'),
    );
  await write('sk-test-early');
  const child = startSluice(['serve', '--config', file]);
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      output += bytes;
    });
  }
  // The warning of its literal key.
  await eventually('the first configuration was read', () => output.includes('warning:'), 60_000);
  await write('sk-test-early', LATE_KEY);
  // Unheard it would end the process.
  child.kill('SIGHUP');
  holder.close();
  await eventually('it is ready', () => output.includes('Sluice is ready'), 60_000);
  const [, url = ''] = /ready: (\S+)/.exec(output) ?? [];
  const status = async () =>
    (await fetch(`${url}/models`, { headers: { authorization: `Bearer ${LATE_KEY}` } })).status;
  await eventually('the late key works', async () => (await status()) === 200);
  assert.equal(child.exitCode, null);
});
