import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfiguration } from '../../../src/config/load.ts';
import { type GatewayParts, RunningGateway } from '../../../src/main-thread/running-gateway.ts';

const loaded = loadConfiguration({ paths: [], environment: {}, kinds: [], wellKnown: [] });
assert.ok('configuration' in loaded);
const read = { ...loaded, manifests: 1, files: ['a.yaml'] };

/** A gateway without threads; each reading waits for `finish`. */
function gatewayOf(result: Awaited<ReturnType<GatewayParts['reader']['read']>>) {
  const readings: (() => void)[] = [];
  const told: string[] = [];
  const say = (_facts: object, text: string) => void told.push(text);
  const parts = {
    inForce: { configuration: read.configuration, draining: false, prices: undefined },
    reader: {
      read: () => new Promise<typeof result>((resolve) => readings.push(() => resolve(result))),
    },
    port: 1,
    operatorUrl: '',
    madeKey: undefined,
    consoleToken: undefined,
    observation: {
      log: { info: say, warn: say, error: say },
      metrics: { configLoaded: () => told.push('loaded'), configFailed: () => told.push('failed') },
    },
    relayThreads: { broadcast: ({ type }: { type: string }) => told.push(type) },
    services: [],
  };
  return { gateway: new RunningGateway(parts as unknown as GatewayParts), readings, told };
}

const turn = () => new Promise(setImmediate);

test('requests for a reload during a reload lead to one more, and only one', async () => {
  const { gateway, readings } = gatewayOf(read);
  const first = gateway.reload();
  await turn();
  const others = [gateway.reload(), gateway.reload()];
  await turn();
  assert.equal(readings.length, 1);
  readings[0]!();
  assert.deepEqual((await first)?.files, ['a.yaml']);
  await turn();
  assert.equal(readings.length, 2);
  readings[1]!();
  await Promise.all(others);
  await turn();
  assert.equal(readings.length, 2);
});

test('a reload whose reading failed leaves the configuration in force, and says so in log and metric', async () => {
  const { gateway, readings, told } = gatewayOf({ unread: 'it could not be read within 60 s' });
  const before = gateway.configuration;
  const reloaded = gateway.reload();
  await turn();
  readings[0]!();
  assert.equal(await reloaded, undefined);
  assert.equal(gateway.configuration, before);
  assert.deepEqual(told, ['failed', 'the configuration was not read; the old configuration stays in force']);
});

test('a reload of a gateway that ends is silent', async () => {
  const { gateway, readings, told } = gatewayOf({ unread: undefined });
  const reloaded = gateway.reload();
  await turn();
  readings[0]!();
  assert.equal(await reloaded, undefined);
  assert.deepEqual(told, []);
});
