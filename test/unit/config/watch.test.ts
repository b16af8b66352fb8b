import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { watchConfiguration } from '../../../src/config/watch.ts';
import { manifestFolder } from './manifest-folder.ts';

/** Resolves at the next change; the longest wait of a test is the bound of the runner. */
function watched(t: TestContext, paths: string[], recheckMs = 60_000) {
  let told = Promise.withResolvers<void>();
  let count = 0;
  const watch = watchConfiguration({
    paths,
    debounceMs: 10,
    recheckMs,
    onChange() {
      count += 1;
      told.resolve();
    },
  });
  // The watch keeps no process alive; a test that waits for it must.
  const alive = setInterval(() => undefined, 1000);
  t.after(() => {
    watch.close();
    clearInterval(alive);
  });
  return {
    watch,
    count: () => count,
    async change(action: () => void) {
      told = Promise.withResolvers<void>();
      action();
      await told.promise;
    },
  };
}

const bounded = { timeout: 60_000 };

test(
  'a watched file that is written, replaced by a rename, removed and made again is told each time',
  bounded,
  async (t) => {
    const folder = manifestFolder(t, { 'a.yaml': 'one' });
    const file = join(folder, 'a.yaml');
    const { change } = watched(t, [file]);
    await change(() => writeFileSync(file, 'second'));
    await change(() => {
      writeFileSync(join(folder, '.a.swp'), 'third, by an editor');
      renameSync(join(folder, '.a.swp'), file);
    });
    await change(() => rmSync(file));
    await change(() => writeFileSync(file, 'fourth'));
  },
);

test('a symbolic link swapped beside the watched files is told, as Kubernetes does it', bounded, async (t) => {
  const folder = manifestFolder(t, { '..1/a.yaml': 'one', '..2/a.yaml': 'two' });
  symlinkSync('..1', join(folder, '..data'));
  symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
  const { change } = watched(t, [folder, join(folder, 'a.yaml')]);
  await change(() => {
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  });
});

test('a new file in a watched folder is told', bounded, async (t) => {
  const folder = manifestFolder(t);
  const { change } = watched(t, [folder]);
  await change(() => writeFileSync(join(folder, 'b.yaml'), 'x'));
});

test('a change that no event tells is found by looking again', bounded, async (t) => {
  const folder = manifestFolder(t, { 'real/a.yaml': 'one' });
  mkdirSync(join(folder, 'linked'));
  symlinkSync('../real/a.yaml', join(folder, 'linked/a.yaml'));
  const { change } = watched(t, [join(folder, 'linked/a.yaml')], 20);
  await change(() => writeFileSync(join(folder, 'real/a.yaml'), 'changed behind the link'));
});

test('a change of another file in the same folder is not told', bounded, async (t) => {
  const folder = manifestFolder(t, { 'a.yaml': 'one', 'b.txt': 'x' });
  const { change, count } = watched(t, [join(folder, 'a.yaml')], 20);
  writeFileSync(join(folder, 'b.txt'), 'changed');
  await change(() => writeFileSync(join(folder, 'a.yaml'), 'changed too'));
  assert.equal(count(), 1);
});

test('files that a new configuration brings are watched from then on', bounded, async (t) => {
  const folder = manifestFolder(t, { 'a.yaml': 'one', 'secret/key': 'x' });
  const { watch, change } = watched(t, [join(folder, 'a.yaml')]);
  watch.update([join(folder, 'a.yaml'), join(folder, 'secret/key')]);
  await change(() => writeFileSync(join(folder, 'secret/key'), 'rotated'));
});

test(
  'a watched folder that does not exist is no failure, and its files are told when they appear',
  bounded,
  async (t) => {
    const folder = manifestFolder(t);
    const { change } = watched(t, [join(folder, 'later/a.yaml')], 20);
    await change(() => {
      mkdirSync(join(folder, 'later'));
      writeFileSync(join(folder, 'later/a.yaml'), 'x');
    });
  },
);

test(
  'a new file that changed while the configuration was read is told, and one that did not is not',
  bounded,
  async (t) => {
    const folder = manifestFolder(t, { 'a.yaml': 'one', secret: 'old', other: 'old' });
    const { watch, change, count } = watched(t, [join(folder, 'a.yaml')]);
    watch.update([join(folder, 'a.yaml'), join(folder, 'other')], Date.now() + 60_000);
    await change(() => watch.update([join(folder, 'a.yaml'), join(folder, 'secret')], Date.now() - 60_000));
    assert.equal(count(), 1);
  },
);
