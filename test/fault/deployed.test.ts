import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { execForm, installInto, stagesOf, textOf, unitSettings } from '../support/deploy-files.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { HeldStreams, portIsFree } from '../support/held-streams.ts';

type Command = readonly [string, ...string[]];

/** The gateway is process 1 of a container. Where this user may not make a namespace of processes, it is any process. */
const NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;
const mayMakeNamespaces = spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), 'true']).status === 0;

/** The compiled code, as both are installed. */
let folder: string;
let streams: HeldStreams;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-deployed-'));
  await installInto(folder);
  streams = await HeldStreams.start();
});
after(async () => {
  await streams?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function asCommand(words: readonly string[]): Command {
  const [program, ...rest] = words;
  assert.ok(program);
  return [program, ...rest];
}

const imageStage = async () => stagesOf(await textOf('Dockerfile')).at(-1) ?? [];

async function ofTheImage(): Promise<Command> {
  const stage = await imageStage();
  const [node, ...rest] = [...execForm(stage, 'ENTRYPOINT'), ...execForm(stage, 'CMD')];
  assert.equal(node, 'node');
  const command = [process.execPath, ...rest.map((word) => word.replace(/^\/app\//, `${folder}/`))];
  return asCommand(mayMakeNamespaces ? [...NAMESPACE, ...command] : command);
}

async function ofTheUnit(): Promise<Command> {
  const words = (unitSettings(await textOf('deploy/systemd/sluice.service')).get('Service.ExecStart') ?? '').split(' ');
  // The test names a configuration of its own in their place.
  assert.deepEqual(words.splice(-2), ['--config', '/etc/sluice']);
  return asCommand(words.map((word) => word.replace(/^\/opt\/sluice\//, `${folder}/`)));
}

/** The gateway itself, where a namespace is around it. */
function pidOf(gateway: RunningGateway): number {
  if (!gateway.process.spawnargs.includes('--pid')) return gateway.pid;
  return Number(execFileSync('pgrep', ['-P', String(gateway.pid)], { encoding: 'utf8' }));
}

const RECIPES: { name: string; command(): Promise<Command> }[] = [
  { name: 'the command of the image', command: ofTheImage },
  { name: 'the command of the systemd unit', command: ofTheUnit },
];

for (const { name, command } of RECIPES) {
  describe(name, () => {
    test(`${name} drains at SIGTERM: an open stream ends whole, it exits with 0, the port is free`, async (t) => {
      const gateway = await startGateway({ command: await command(), manifests: [streams.account] });
      t.after(gateway[Symbol.asyncDispose]);
      const client = await streams.open(gateway, name);
      process.kill(pidOf(gateway), 'SIGTERM');
      await streams.endsWhole(gateway, client, name);
      assert.equal(await gateway.exited, 0);
      assert.equal(await portIsFree(gateway), true);
    });

    test(`${name} ends at once at a second SIGINT, long before drain_ms`, async (t) => {
      const gateway = await startGateway({ command: await command(), manifests: [streams.account] });
      t.after(gateway[Symbol.asyncDispose]);
      const client = await streams.open(gateway, `${name}, twice`);
      const pid = pidOf(gateway);
      process.kill(pid, 'SIGINT');
      await eventually('it takes no connection', () => portIsFree(gateway));
      process.kill(pid, 'SIGINT');
      const code = await gateway.exited;
      assert.ok(code === 130 || gateway.process.signalCode === 'SIGINT', `code ${code}`);
      assert.equal(await client.ended(), 'cut');
      assert.equal(await portIsFree(gateway), true);
    });
  });
}

test('the health check of the image holds while the gateway is ready, and fails while it drains and when it is gone', async (t) => {
  const [node, ...rest] = execForm(await imageStage(), 'HEALTHCHECK');
  assert.equal(node, 'node');
  const gateway = await startGateway({ manifests: [streams.account] });
  t.after(gateway[Symbol.asyncDispose]);
  const words = rest.map((word) => word.replace('http://127.0.0.1:8788', gateway.operatorUrl));
  assert.notDeepEqual(words, rest);
  const check = () => spawnSync(process.execPath, words).status;
  assert.equal(check(), 0);
  const client = await streams.open(gateway, 'health');
  gateway.process.kill('SIGTERM');
  await eventually('it takes no connection', () => portIsFree(gateway));
  assert.equal(check(), 1);
  await streams.endsWhole(gateway, client, 'health');
  assert.equal(await gateway.exited, 0);
  assert.equal(check(), 1);
});
