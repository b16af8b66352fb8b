import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { HeldStreams, portIsFree } from '../support/held-streams.ts';

let streams: HeldStreams;
before(async () => {
  streams = await HeldStreams.start();
});
after(() => streams?.[Symbol.asyncDispose]());

/** `npm start` in a process group of its own, as a terminal and a supervisor start it. */
const startWithNpm = (command: readonly [string, ...string[]] = ['npm', 'start', '--']): Promise<RunningGateway> =>
  startGateway({ command, manifests: [streams.account] });

/** Its one child, since the script of `start` replaces the shell. */
async function pidOfGateway(npm: RunningGateway): Promise<number> {
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(npm.pid)]);
  return Number(stdout);
}

/** Each way in which a stop reaches `npm start`. */
const WAYS: { name: string; signal(gateway: RunningGateway): void }[] = [
  { name: 'a SIGTERM to npm alone, as a container sends it', signal: (npm) => process.kill(npm.pid, 'SIGTERM') },
  { name: 'a SIGTERM to all of its group, as systemd sends it', signal: (npm) => process.kill(-npm.pid, 'SIGTERM') },
  { name: 'a SIGINT to all of its group, as a terminal sends it', signal: (npm) => process.kill(-npm.pid, 'SIGINT') },
];

describe('npm start', () => {
  for (const { name, signal } of WAYS) {
    test(`a stop of npm by ${name} drains the gateway: an open stream ends whole, npm exits with 0, the port is free`, async (t) => {
      const gateway = await startWithNpm();
      t.after(gateway[Symbol.asyncDispose]);
      const client = await streams.open(gateway, name);
      signal(gateway);
      await streams.endsWhole(gateway, client, name);
      assert.equal(await gateway.exited, 0);
      assert.equal(await portIsFree(gateway), true);
    });
  }

  test('a second Ctrl-C ends npm start at once, and npm says by which signal', async (t) => {
    const gateway = await startWithNpm();
    t.after(gateway[Symbol.asyncDispose]);
    const client = await streams.open(gateway, 'twice');
    process.kill(-gateway.pid, 'SIGINT');
    await eventually('it takes no connection', () => portIsFree(gateway), 20_000);
    const ended = once(gateway.process, 'exit');
    // Where the machine is busy the kernel makes one signal of the terminal's and npm's copy of it. Then the second is
    // taken for that copy, within a second, and a third one ends it.
    await eventually('it has ended, long before drain_ms', () => {
      interruptAgain(gateway);
      return gateway.process.exitCode !== null || gateway.process.signalCode !== null;
    });
    const [code, signal] = await ended;
    assert.ok(code === 130 || signal === 'SIGINT', `code ${code}, signal ${signal}`);
    assert.equal(await client.ended(), 'cut');
    assert.equal(await portIsFree(gateway), true);
  });

  test('a gateway whose npm was killed drains instead of holding the port', async (t) => {
    const gateway = await startWithNpm();
    t.after(gateway[Symbol.asyncDispose]);
    const pid = await pidOfGateway(gateway);
    const client = await streams.open(gateway, 'orphan');
    process.kill(gateway.pid, 'SIGKILL');
    await streams.endsWhole(gateway, client, 'orphan');
    await eventually('the gateway has ended', () => !isAlive(pid));
  });
});

function interruptAgain(gateway: RunningGateway): void {
  try {
    process.kill(-gateway.pid, 'SIGINT');
  } catch {
    // All of the group has ended.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
