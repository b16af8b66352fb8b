import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCommand, UsageError } from '../../load/settings.ts';

const RUN = fileURLToPath(new URL('../../load/run.ts', import.meta.url));
const KNOWN = { scenarios: ['chat-whole', 'overhead'], peers: ['direct', 'nginx', 'sluice'] };

function load(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

function refuses(args: string[], message: RegExp): void {
  assert.throws(
    () => readCommand(args, KNOWN),
    (error) => error instanceof UsageError && message.test(error.message),
  );
}

test('bad arguments are refused with what was found and what is allowed', () => {
  refuses([], /no scenario given; allowed: list, chat-whole, overhead/);
  refuses(['chat-hole'], /unknown scenario 'chat-hole'; allowed: list, chat-whole, overhead/);
  refuses(['chat-whole', 'overhead'], /one scenario at a time; also found 'overhead'/);
  refuses(['chat-whole', '--peers', 'nginx,kong'], /--peers 'kong'; allowed, joined by commas: direct, nginx, sluice/);
  refuses(['chat-whole', '--connections', '0'], /--connections '0'; allowed: a whole number from 1 to 16000/);
  refuses(['chat-whole', '--duration', '5s'], /--duration '5s'; allowed: a whole number from 1 to 600/);
  refuses(['chat-whole', '--speed', '5'], /--speed.*allowed: --peers --subjects --connections/);
});

test('direct and sluice take part in a load run unless told otherwise, with peers between them', () => {
  assert.deepEqual(readCommand(['chat-whole'], KNOWN).subjects, ['direct', 'sluice']);
  assert.deepEqual(readCommand(['chat-whole', '--peers', 'nginx'], KNOWN).subjects, ['direct', 'nginx', 'sluice']);
  assert.deepEqual(readCommand(['chat-whole', '--subjects', 'nginx'], KNOWN).subjects, ['nginx']);
});

test('a gateway of others is named with its command or its address', () => {
  const { gateways } = readCommand(
    ['overhead', '--gateway', 'one=run --port $PORT', '--gateway', 'two=http://h/v1'],
    KNOWN,
  );
  assert.deepEqual(gateways, [
    ['one', 'run --port $PORT'],
    ['two', 'http://h/v1'],
  ]);
  refuses(['overhead', '--gateway', 'nginx=run'], /--gateway 'nginx=run'; allowed: NAME=COMMAND or NAME=URL/);
  refuses(['overhead', '--gateway', 'run'], /--gateway 'run'; allowed/);
});

test('a bad argument ends the load command with status 2 and one line', async () => {
  const { code, stdout, stderr } = await load('nonsense');
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^load: unknown scenario 'nonsense'; allowed: list, [^\n]+\n$/);
});

test('the load command’s list names every scenario with one line', async () => {
  const { code, stdout } = await load('list');
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split('\n');
  const names = lines.map((line) => /^(\S+) {2,}\S/.exec(line)?.[1]);
  const asked = 'chat-whole chat-burst chat-paced many-streams slow-reader client-leaves large-image-body wrong-keys';
  for (const name of [...asked.split(' '), 'overhead']) assert.ok(names.includes(name), `${name} is not listed`);
});

test('a load run prints a table, writes JSON and exits by itself', {
  skip: process.platform === 'linux' ? false : 'CPU and memory are read from /proc',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'load-test-'));
  try {
    const file = join(folder, 'result.json');
    const bounds = ['--rounds', '1', '--requests', '100', '--connections', '2'];
    const { code, stdout, stderr } = await load('chat-whole', '--subjects', 'direct', ...bounds, '--json', file);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^chat-whole \(median of 1\)\n +requests\/s/m);
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      scenarios: { subjects: { subject: string; figures: Record<string, unknown> }[] }[];
    };
    const [direct] = report.scenarios[0]?.subjects ?? [];
    assert.equal(direct?.subject, 'direct');
    assert.equal(direct?.figures['cpuPerRequestUs'], null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
