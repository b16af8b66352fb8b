import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { dialects } from '../../src/plugs.ts';
import { KEY, startGateway } from '../support/gateway.ts';
import { blocks, page } from '../support/pages.ts';

const DIALECTS = dialects();

const missing = ['bash', 'curl', 'base64'].filter((name) => spawnSync(name, ['--version']).status !== 0);
const skip = missing.length > 0 && `there is no ${missing.join(' and no ')}`;
const PAGE = page('docs/endpoints.md');
/** Whatever is refused ends the script. */
const STRICT = 'set -euo pipefail\ncurl() { command curl -f --no-progress-meter "$@"; }\n';

test('every request of the page of endpoints works as it stands, with the demo account', { skip }, async (t) => {
  const gateway = await startGateway();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-page-'));
  t.after(async () => {
    await gateway[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/default-key'), KEY);
  const script = STRICT + blocks(PAGE, 'sh').join('\n').replaceAll('http://127.0.0.1:8787', gateway.url);
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
  const shell = spawn('bash', ['-c', script], { cwd: folder, env: { ...process.env, PATH: path } });
  const [said, failed, [exitCode]] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'exit')]);
  assert.equal(exitCode, 0, `${failed}\n${said}`);
  assert.match(said, /"chat\.completion"/);
  assert.equal((await readFile(join(folder, 'sluice.png'))).toString('latin1', 1, 4), 'PNG');
  assert.equal((await readFile(join(folder, 'sos.wav'))).toString('latin1', 0, 4), 'RIFF');
});

test('the page of endpoints names every path of every dialect', () => {
  const patterns = DIALECTS.flatMap(({ routes }) => routes.map(({ pattern }) => pattern));
  for (const pattern of patterns) assert.ok(PAGE.includes(pattern), pattern);
});
