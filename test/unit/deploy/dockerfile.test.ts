import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  checkStrict,
  execForm,
  serverOf,
  stagesOf,
  temporaryFolder,
  textOf,
  valuesOf,
} from '../../support/deploy-files.ts';
import { root } from '../../support/pages.ts';

const [build = [], image = [], ...more] = stagesOf(await textOf('Dockerfile'));
const settings = await textOf('deploy/docker/sluice.yaml');

test('the Dockerfile has two stages, and the image is not the one with npm, compiler and sources', () => {
  assert.deepEqual(more, []);
  assert.match(valuesOf(build, 'FROM').join(), / AS build$/);
  assert.doesNotMatch(valuesOf(image, 'FROM').join(), /node|build/);
  assert.deepEqual(valuesOf(image, 'RUN'), []);
  assert.deepEqual(
    valuesOf(build, 'RUN')
      .slice(0, 3)
      .map((line) => line.trim()),
    ['npm ci', 'npm run build', 'npm ci --omit=dev'],
  );
});

test('the image runs as a user without a name and without rights, who owns the working folder alone', () => {
  const [user = ''] = valuesOf(image, 'USER');
  assert.match(user, /^[1-9]\d*:[1-9]\d*$/);
  const [folder = ''] = valuesOf(image, 'WORKDIR');
  const owned = valuesOf(image, 'COPY').filter((line) => line.includes('--chown='));
  assert.deepEqual(owned, [`--from=build --chown=${user} /out/state ${folder}`]);
});

test('everything that the Dockerfile copies is in the repository, and passes .dockerignore', async () => {
  const [first, ...passed] = (await textOf('.dockerignore')).split('\n').filter((line) => /^[^#]/.test(line));
  assert.equal(first, '*');
  const sources = [...build, ...image].flatMap(({ name, value }) =>
    name === 'COPY' && !value.startsWith('--from') ? value.split(' ').slice(0, -1) : [],
  );
  assert.ok(sources.length > 5);
  for (const source of sources) {
    const path = source.replace(/^\.\//, '');
    assert.ok(existsSync(join(root, path)), source);
    assert.ok(passed.includes(`!${path}`), source);
  }
  const needed = new Set(sources.map((each) => each.replace(/^\.\//, '')));
  assert.deepEqual(passed.map((line) => line.slice(1)).sort(), [...needed].sort());
});

test('the Dockerfile keeps the one binary of the HTTP addon that this Node loads', async (t) => {
  const folder = await temporaryFolder(t);
  const addon = 'node_modules/uWebSockets.js/dist/bin';
  await mkdir(join(folder, addon), { recursive: true });
  const names = (await readdir(join(root, addon))).filter((name) => name.endsWith('.node'));
  assert.ok(names.length > 1);
  for (const name of names) await writeFile(join(folder, addon, name), '');
  const prune = valuesOf(build, 'RUN')
    .join(' && ')
    .split(' && ')
    .find((command) => command.startsWith('find '));
  const command = (prune ?? '').replaceAll('/out/node', process.execPath);
  execFileSync('sh', ['-c', command], { cwd: folder });
  const loaded = execFileSync(
    process.execPath,
    ['-e', 'import("uWebSockets.js").then(() => console.log(process.report.getReport().sharedObjects.join("\\n")))'],
    { cwd: root, encoding: 'utf8' },
  );
  const [used = ''] = /uws_\w+\.node$/m.exec(loaded) ?? [];
  assert.deepEqual(await readdir(join(folder, addon)), [used]);
});

test('the configuration of the image passes check --strict, and opens the ports that the Dockerfile exposes', async (t) => {
  assert.deepEqual(await checkStrict(t, settings), { code: 0, said: '1 file, 0 faults, 0 warnings\n' });
  const { listen, operator } = serverOf(settings);
  assert.equal(listen.host, '0.0.0.0');
  assert.deepEqual(valuesOf(image, 'EXPOSE'), [`${listen.port} ${operator.port}`]);
  assert.match(execForm(image, 'HEALTHCHECK').join(' '), new RegExp(`http://127\\.0\\.0\\.1:${operator.port}/readyz`));
  const [, target = ''] =
    valuesOf(image, 'COPY')
      .find((line) => line.includes('sluice.yaml'))
      ?.split(' ') ?? [];
  const folder = target.replace('/sluice.yaml', '');
  assert.deepEqual(valuesOf(image, 'ENV'), [`SLUICE_CONFIG=${folder}`, 'MALLOC_ARENA_MAX=2']);
});
