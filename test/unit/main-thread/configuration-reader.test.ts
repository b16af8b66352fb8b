import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { everyKey } from '../../../src/config/packed-keys.ts';
import { ConfigurationReader } from '../../../src/main-thread/configuration-reader.ts';
import { manifestFolder } from '../config/manifest-folder.ts';

const ENTRY = new URL('../../../src/config-thread/config-thread.ts', import.meta.url);

const keys = (count: number) =>
  `type: sluice/api-keys\nkeys:\n${Array.from({ length: count }, (_, at) => `  - {name: k${at}, key: "sk-${at}-0123456789abcdef", subject: "user:u${at}"}\n`).join('')}`;

test('the thread that asks for a reading of thousands of keys does a small part of its work', async (t) => {
  const folder = manifestFolder(t, { 'a.yaml': keys(1) });
  const reader = new ConfigurationReader({ paths: [folder], environment: process.env, overrides: {} }, ENTRY);
  t.after(() => reader.close());
  // The thread begins, and loads its code.
  const first = await reader.read();
  assert.ok('configuration' in first, JSON.stringify(first));
  writeFileSync(join(folder, 'a.yaml'), keys(5_000));
  const [own, all] = [process.threadCpuUsage(), process.cpuUsage()];
  const read = await reader.read();
  const [ownMs, allMs] = [cpuMs(process.threadCpuUsage(own)), cpuMs(process.cpuUsage(all))];
  assert.ok('configuration' in read, JSON.stringify(read));
  assert.equal(read.configuration.keys.count, 5_000);
  assert.ok(ownMs < allMs / 5, `${ownMs} ms of ${allMs} in all`);
});

test('a configuration comes from its thread as it was read, with its faults and the places of its keys', async (t) => {
  const folder = manifestFolder(t, { 'a.yaml': `type: sluice/server\nthreads: 3\n---\n${keys(2)}` });
  const reader = new ConfigurationReader({ paths: [folder], environment: {}, overrides: { port: 5 } }, ENTRY);
  t.after(() => reader.close());
  const read = await reader.read();
  assert.ok('configuration' in read, JSON.stringify(read));
  const { server } = read.configuration;
  assert.deepEqual([server.threads, server.listen.port, read.manifests], [3, 5, 2]);
  assert.deepEqual([...everyKey(read.configuration.keys)].map(({ subject }) => subject).sort(), ['user:u0', 'user:u1']);
  assert.equal(read.restartKeys.find(({ path }) => path === 'threads')?.line, 2);
  writeFileSync(join(folder, 'a.yaml'), 'type: sluice/server\nthreads: many\n');
  const refused = await reader.read();
  assert.ok('faults' in refused);
  assert.deepEqual([refused.faults[0]?.path, refused.faults[0]?.line], ['threads', 2]);
});

test('a reading whose thread fails says why, and one after the end says nothing', async () => {
  const failing = new URL('./failing-thread.ts', import.meta.url);
  const reader = new ConfigurationReader({ paths: [], environment: {}, overrides: {} }, failing);
  assert.deepEqual(await reader.read(), { unread: 'it could not be read (the disk is gone)' });
  await reader.close();
  assert.deepEqual(await reader.read(), { unread: undefined });
});

function cpuMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}
