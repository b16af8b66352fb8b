import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { serverOf, temporaryFolder, textOf, unitSettings } from '../../support/deploy-files.ts';
import { sluice } from '../../support/sluice-command.ts';

const run = promisify(execFile);
const text = await textOf('deploy/systemd/sluice.service');
const settings = unitSettings(text);
const noSystemd = spawnSync('systemd-analyze', ['--version']).status !== 0 && 'no systemd-analyze on this machine';

test('the systemd unit waits longer for a stop than a gateway drains by default, and signals the gateway alone', () => {
  const stopMs = Number(settings.get('Service.TimeoutStopSec')) * 1000;
  assert.ok(stopMs > serverOf('type: sluice/server\n').timeouts.drain_ms);
  assert.equal(settings.get('Service.KillMode'), 'mixed');
  // Node tells systemd nothing of its own: `notify` would wait for ever.
  assert.equal(settings.get('Service.Type'), 'exec');
});

test('the command of the systemd unit has options that sluice serve has, and starts the file that the build makes', async () => {
  const words = (settings.get('Service.ExecStart') ?? '').split(' ');
  assert.deepEqual(words.slice(1, 3), ['/opt/sluice/dist/main.js', 'serve']);
  const { stdout } = await sluice(['serve', '--help']);
  for (const option of words.filter((word) => word.startsWith('--'))) assert.ok(stdout.includes(`${option} `), option);
});

test('systemd finds no fault in the unit, and rates what it may do below 2 of 10', { skip: noSystemd }, async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'sluice.service');
  // The program has to be there, which on this machine it is elsewhere.
  await writeFile(file, text.replace('/opt/sluice/node_modules/.bin/node', process.execPath));
  const { stdout, stderr } = await run('systemd-analyze', ['verify', '--recursive-errors=no', file]);
  assert.equal(stdout + stderr, '');
  await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file]);
});
