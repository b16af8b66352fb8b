import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '../support/gateway.ts';
import { startSluice } from '../support/sluice-command.ts';

const run = promisify(execFile);
const noCurl: string | false = await run('curl', ['--version']).then(
  () => false,
  () => 'no curl command to run the printed request with',
);

/** No account of the person who runs the tests may count. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/_(API_)?KEY$|^SLUICE_|_TOKEN$/.test(name)),
);

let folder: string;
const started: ChildProcess[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-first-'));
});
after(async () => {
  for (const child of started) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** `sluice serve` with nothing but a free port and a data folder. */
async function start(...more: string[]): Promise<{ child: ChildProcess; output: string }> {
  const flags = ['--port', '0', '--threads', '1', '--data-dir', join(folder, 'data'), ...more];
  const child = startSluice(['serve', ...flags], { env: environment });
  started.push(child);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  await eventually(
    'it is ready',
    () => /Sluice is ready[\s\S]*}'\n/.test(output) && output.includes('No provider yet'),
    60_000,
  );
  return { child, output };
}

/** The printed command: from the line that begins with curl, as long as lines end in a backslash. */
function printedCommand(output: string): string {
  const lines = output.split('\n');
  const first = lines.findIndex((line) => line.startsWith('curl'));
  const command: string[] = [];
  for (const line of lines.slice(first)) {
    command.push(line);
    if (!line.endsWith('\\')) break;
  }
  return command.join('\n');
}

test('a first request works as it is printed without any configuration, and again after a restart', {
  skip: noCurl,
}, async () => {
  const keys: string[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const { child, output } = await start();
    assert.match(output, /http:\/\/127\.0\.0\.1:\d+\/v1/);
    assert.match(
      output,
      /^No provider yet: start with OPENAI_API_KEY set, say, or write a configuration: sluice init$/m,
    );
    const { stdout } = await run('sh', ['-c', printedCommand(output)]);
    assert.match(stdout, /^data: \{/);
    assert.match(stdout, /data: \[DONE\]\n\n$/);
    keys.push(/Bearer ([^"]+)"/.exec(output)?.[1] ?? 'none');
    child.kill('SIGTERM');
    await once(child, 'exit');
    assert.equal(child.exitCode, 0);
  }
  assert.equal(keys[0], keys[1], 'the key is kept');
  const kept = join(folder, 'data', 'default-key');
  assert.equal((await readFile(kept, 'utf8')).trim(), keys[0]);
  assert.equal((await stat(kept)).mode & 0o777, 0o600);
});

test('a listener that others can reach never makes a key', async () => {
  const file = join(folder, 'open.yaml');
  await writeFile(file, 'type: sluice/server\nlisten: {host: 0.0.0.0, port: 0}\ndata_dir: ./other\n');
  const flags = ['--config', file, '--port', '0', '--threads', '1'];
  const child = startSluice(['serve', ...flags], { env: environment });
  started.push(child);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await eventually('it is ready', () => /Sluice is ready/.test(output), 60_000);
  const url = /Sluice is ready: (\S+)\/v1/.exec(output)?.[1];
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer anything' } });
  assert.equal(response.status, 401);
  assert.doesNotMatch(output, /sk-sluice-/);
  await assert.rejects(stat(join(folder, 'other', 'default-key')), { code: 'ENOENT' });
});
