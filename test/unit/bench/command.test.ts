import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCommand } from '../../../bench/command.ts';
import { UsageError } from '../../../bench/harness/find-subjects.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const known = ['codec/json-peek', 'codec/sse-parser', 'pipeline', 'relay/stream-passthrough'];

test('the bench command without a name measures everything', () => {
  const command = readCommand([], known);
  assert.equal(command.kind, 'run');
  assert.deepEqual('subjects' in command && command.subjects, known);
});

test('a bench name may be whole, its last part, or a folder, and a bench that is named twice is measured once', () => {
  const chosen = (...names: string[]) => {
    const command = readCommand(names, known);
    return 'subjects' in command ? command.subjects : undefined;
  };
  assert.deepEqual(chosen('codec/json-peek'), ['codec/json-peek']);
  assert.deepEqual(chosen('json-peek'), ['codec/json-peek']);
  assert.deepEqual(chosen('codec', 'json-peek', 'pipeline'), ['codec/json-peek', 'codec/sse-parser', 'pipeline']);
});

test('an unknown bench name is an error that lists the known ones', () => {
  assert.throws(
    () => readCommand(['jsonpeek'], known),
    (error) =>
      error instanceof UsageError &&
      /"jsonpeek"/.test(error.message) &&
      known.every((name) => error.message.includes(name)),
  );
});

test('compare takes two revisions and any number of names', () => {
  const command = readCommand(['compare', 'HEAD~1', '.', 'pipeline', '--rounds', '8', '--time-ms', '50'], known);
  assert.equal(command.kind, 'compare');
  assert.ok(command.kind === 'compare');
  assert.deepEqual(command.revisions, ['HEAD~1', '.']);
  assert.deepEqual(command.subjects, ['pipeline']);
  assert.deepEqual([command.rounds, command.options.timeMs], [8, 50]);
});

test('a bench command that makes no sense is refused before anything is measured', () => {
  const refused: [string[], RegExp][] = [
    [['compare'], /two revisions/],
    [['compare', 'HEAD'], /two revisions/],
    [['compare', 'HEAD', '.', 'nothing'], /no bench "nothing"/],
    [['compare', 'HEAD', '.', '--rounds', '1'], /--rounds/],
    [['compare', 'HEAD', '.', '--rounds', 'many'], /--rounds/],
    [['pipeline', '--rounds', '3'], /for compare/],
    [['--time-ms', '0'], /--time-ms/],
    [['list', 'codec'], /no names/],
    [['--fast'], /--fast/],
  ];
  for (const [args, message] of refused) {
    assert.throws(
      () => readCommand(args, known),
      (error) => error instanceof UsageError && message.test(error.message),
      args.join(' '),
    );
  }
});

test('the bench list prints the names, and a wrong name exits with 2 and the names on standard error', () => {
  const run = (...args: string[]) => [...['--no-warnings', 'bench/run.ts'], ...args];
  const listed = execFileSync(process.execPath, run('list'), { cwd: root, encoding: 'utf8' });
  assert.ok(listed.split('\n').includes('codec/json-peek'));
  const wrong = spawnSync(process.execPath, run('jsonpeek'), { cwd: root, encoding: 'utf8' });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /no bench "jsonpeek".*codec\/json-peek/);
});
