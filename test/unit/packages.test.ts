import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const list = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        resolved: z.string().optional(),
        hasInstallScript: z.boolean().optional(),
        optional: z.boolean().optional(),
        os: list.optional(),
        cpu: list.optional(),
        bin: z.record(z.string(), z.string()).optional(),
      }),
    ),
  })
  .parse(JSON.parse(read('package-lock.json')));
const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
const nodes = packages.filter(([, { bin }]) => bin !== undefined && 'node' in bin);

for (const os of ['linux', 'darwin']) {
  for (const cpu of ['x64', 'arm64']) {
    test(`npm ci brings exactly one Node to ${os} on ${cpu}`, () => {
      // One that names no platform would be taken on each of them.
      const fitting = nodes.filter(([, each]) => (each.os?.includes(os) ?? true) && (each.cpu?.includes(cpu) ?? true));
      assert.equal(fitting.length, 1, fitting.map(([path]) => path).join(', '));
      assert.equal(fitting[0]?.[1].optional, true, 'another platform must be able to do without it');
    });
  }
}

test('exactly one Node is installed here, and the tests run on it', () => {
  const folders = readdirSync(new URL('../../node_modules', import.meta.url));
  const installed = folders.filter((name) =>
    existsSync(new URL(`../../node_modules/${name}/bin/node`, import.meta.url)),
  );
  assert.equal(installed.length, 1, installed.join(', '));
  assert.match(process.version, /^v22\./);
});

test('no package runs code when it is installed, and the lock file names no registry', () => {
  const scripts = packages.filter(([, { hasInstallScript }]) => hasInstallScript === true);
  assert.deepEqual(scripts, []);
  const resolved = packages.filter((each) => each[1].resolved !== undefined);
  assert.deepEqual(resolved, []);
  const { scripts: own } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')));
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prestart'])
    assert.equal(own[name], undefined, name);
});
