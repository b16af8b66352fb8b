import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Configuration } from '../../../src/config/configuration.ts';
import { ConfigurationPieces, packConfiguration } from '../../../src/config/packed-configuration.ts';
import { packKeys } from '../../../src/config/packed-keys.ts';
import type { Steps } from '../../../src/core/steps.ts';
import type { Snapshot } from '../../../src/pipeline/pipeline-options.ts';
import { Reconfiguration } from '../../../src/relay-thread/reconfiguration.ts';

const configuration = (name: string) => ({ keys: packKeys([]), server: { dataDir: name } }) as unknown as Configuration;
const message = (number: number, name: string) =>
  ({ type: 'reconfigure', number, configuration: packConfiguration(configuration(name)) }) as const;

/** Each snapshot takes many turns; that of `faulty` cannot be made. */
function* make({ server }: Configuration): Steps<Snapshot> {
  for (let step = 0; step < 20; step += 1) {
    const until = performance.now() + 1;
    while (performance.now() < until);
    yield;
  }
  if (server.dataDir === 'faulty') throw new Error('no such plug');
  return { settings: server } as Snapshot;
}

function relayThread() {
  const taken: Configuration[] = [];
  const told: number[] = [];
  const errors: object[] = [];
  const silent = () => undefined;
  const reconfiguration = new Reconfiguration({
    log: { debug: silent, info: silent, warn: silent, error: (fields) => errors.push(fields) },
    pieces: new ConfigurationPieces(),
    make,
    send: (each) => each.type === 'configured' && told.push(each.number),
    take: (next, snapshot) => {
      assert.equal(snapshot.settings, next.server);
      taken.push(next);
    },
  });
  const names = () => taken.map(({ server }) => server.dataDir);
  return { reconfiguration, taken, names, told, errors };
}

test('a reload is answered once it is in force, and not before', async () => {
  const { reconfiguration, names, told } = relayThread();
  reconfiguration.begin(message(1, 'a'));
  await turn();
  assert.deepEqual(told, []);
  while (told.length === 0) {
    assert.deepEqual(names(), []);
    await turn();
  }
  assert.deepEqual([names(), told], [['a'], [1]]);
});

test('a newer reload takes the place of one that is not ready, and answers for both', async () => {
  const { reconfiguration, names, told } = relayThread();
  reconfiguration.begin(message(1, 'a'));
  for (let turns = 0; turns < 3; turns += 1) await turn();
  reconfiguration.begin(message(2, 'b'));
  while (told.length === 0) await turn();
  assert.deepEqual([names(), told], [['b'], [2]]);
});

test('keys that come while a reload is made are those in force behind it', async () => {
  const { reconfiguration, taken, told } = relayThread();
  const keys = packKeys([{ name: 'new', keySha256: '00'.repeat(32), subject: 'user:a', teams: [], metadata: {} }]);
  reconfiguration.begin(message(1, 'a'));
  await turn();
  reconfiguration.keysCame(keys);
  while (told.length === 0) await turn();
  assert.equal(taken[0]?.keys, keys);
  // The next reload brings its own.
  reconfiguration.begin(message(2, 'b'));
  while (told.length === 1) await turn();
  assert.equal(taken[1]?.keys.count, 0);
});

test('a configuration that cannot be put in force is told to the log, and nobody waits for it', async () => {
  const { reconfiguration, names, told, errors } = relayThread();
  reconfiguration.begin(message(1, 'faulty'));
  while (told.length === 0) await turn();
  assert.deepEqual([names(), told, errors.length], [[], [1], 1]);
});
