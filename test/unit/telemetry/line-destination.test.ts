import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { bufferedDestination } from '../../../src/telemetry/line-destination.ts';

const { O_NONBLOCK, O_RDWR } = constants;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Full, and with both ends ours. A write into it waits for its reader, as one to a terminal does, or is told that it is full. */
function fullPipe(t: TestContext, flags = 0) {
  const path = join(folderOf(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const into = openSync(path, O_RDWR | flags);
  const other = openSync(path, O_RDWR | O_NONBLOCK);
  t.after(() => {
    for (const end of [into, other]) closeSync(end);
  });
  assert.throws(() => {
    for (;;) writeSync(other, '.'.repeat(4096));
  }, /EAGAIN/);
  const buffer = Buffer.alloc(1024 * 1024);
  /** Until `end` comes, or nothing comes for long. */
  const readUntil = async (end: string): Promise<string> => {
    let text = '';
    for (let nothing = 0; nothing < 20_000 && !text.endsWith(end); nothing += 1) {
      try {
        text += buffer.toString('latin1', 0, readSync(other, buffer));
        nothing = 0;
      } catch {
        await turn();
      }
    }
    return text.replace(/^\.+/, '');
  };
  return { into, readUntil };
}

test('a line that came during a write of more than a second is written as soon as any other', async (t) => {
  const { into, readUntil } = fullPipe(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const destination = bufferedDestination(into);
  const { promise: firstHasLeft, resolve } = Promise.withResolvers<void>();
  destination.write('first\n', resolve);
  t.mock.timers.tick(1000);
  destination.write('second\n');
  t.mock.timers.tick(1000);
  assert.equal(await readUntil('first\n'), 'first\n');
  await firstHasLeft;
  t.mock.timers.tick(1000);
  assert.equal(await readUntil('second\n'), 'second\n');
});

test('a pipe that was full is asked again soon, whatever came meanwhile', async (t) => {
  const { into, readUntil } = fullPipe(t, O_NONBLOCK);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const destination = bufferedDestination(into);
  destination.write('first\n');
  t.mock.timers.tick(1000);
  // While the pipe is being asked.
  destination.write('second\n');
  for (let turns = 0; turns < 5000; turns += 1) await turn();
  assert.equal(await readUntil('.'), '');
  t.mock.timers.tick(64);
  assert.equal(await readUntil('second\n'), 'first\nsecond\n');
});

test('lines after one that a full disk took in part are whole', (t) => {
  const path = join(folderOf(t), 'log');
  const module = JSON.stringify(new URL('../../../src/telemetry/line-destination.ts', import.meta.url).href);
  // The largest file that this process may make is a disk of that size.
  const script = `
    import { openSync, readFileSync, truncateSync } from 'node:fs';
    import { bufferedDestination } from ${module};
    const destination = bufferedDestination(openSync(process.argv[1], 'a'));
    for (let n = 0; n < 500; n += 1) destination.write(JSON.stringify({ n, text: 'x'.repeat(1000) }) + '\\n');
    await destination.flush();
    const before = readFileSync(process.argv[1], 'utf8');
    truncateSync(process.argv[1]);
    for (let n = 500; n < 510; n += 1) destination.write(JSON.stringify({ n }) + '\\n');
    await destination.flush();
    console.log(JSON.stringify({ before, dropped: destination.dropped }));`;
  const node = [process.execPath, '--input-type=module', '-e', script, path];
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -f 100; exec "$0" "$@"', ...node], { encoding: 'utf8' });
  const { before, dropped } = JSON.parse(stdout);
  const [torn, ...after] = readFileSync(path, 'utf8').trimEnd().split('\n');
  assert.deepEqual(
    after.map((line) => JSON.parse(line).n),
    Array.from({ length: 10 }, (_, index) => 500 + index),
  );
  assert.equal(torn, '');
  assert.ok(!before.endsWith('\n'), 'a line was torn');
  assert.equal(before.split('\n').length - 1 + dropped, 500);
});
