import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('heap-program.ts', import.meta.url));

interface Rest {
  readonly majors: number;
  readonly wasCompiled: boolean;
  readonly isCompiled: boolean;
  readonly outsideMib: number;
}

interface Heap {
  readonly majors: number;
  readonly youngMib: number;
  readonly residentMib: number;
}

async function run<T = Heap>(how: 'steady' | 'collected' | 'rested' | 'as V8 has it', ...flags: string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, PROGRAM, how], { timeout: 60_000 });
  return JSON.parse(stdout);
}

test('short-lived memory does not have a small heap collected again and again, and the heap begins with room', async () => {
  const plain = await run('as V8 has it');
  const steady = await run('steady');
  assert.ok(steady.majors <= 1, `${steady.majors} collections of all, ${plain.majors} without`);
  assert.ok(plain.majors >= 3, `V8 itself collects all ${plain.majors} times: what this guards against is gone`);
  assert.ok(steady.youngMib >= 16 && plain.youngMib < 16, `${steady.youngMib} and ${plain.youngMib} MiB`);
});

test('the garbage of a start is given back to the system, and the heap is as steady afterwards', async () => {
  const { majors, youngMib, residentMib } = await run('collected');
  assert.ok(residentMib < 4, `${residentMib} MiB of the young generation are resident`);
  assert.ok(majors <= 1, `${majors} collections of all`);
  assert.ok(youngMib >= 16, `${youngMib} MiB`);
});

test('a rest in which all is collected forgets nothing that was compiled', async () => {
  const { outsideMib: _charged, ...rest } = await run<Rest>('rested', '--allow-natives-syntax');
  assert.deepEqual({ ...rest, majors: rest.majors > 0 }, { majors: true, wasCompiled: true, isCompiled: true });
});

test('a collection in steps leaves the thread charged for no memory that it does not hold', async () => {
  const { majors, outsideMib } = await run<Rest>('rested', '--allow-natives-syntax');
  assert.ok(majors > 0);
  assert.ok(outsideMib < 8, `${outsideMib} MiB outside of the heap`);
});

test('a V8 flag of the command line stays as it was given', async () => {
  const { youngMib } = await run('steady', '--min_semi_space_size=4');
  assert.ok(youngMib < 16, `${youngMib} MiB`);
});
