import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { objectOf, parseObject } from '../../../src/codec/json-value.ts';
import type { Link, LinkOwner } from '../../../src/mcp/upstream/link.ts';
import { ModernPeer } from '../../../src/mcp/upstream/modern-peer.ts';

const WANTED = { tools: true, prompts: false, resources: false, uris: [] };

/** A peer whose server grants these notifications and ends each stream of them at once. */
function ending(granted: object) {
  const asked: number[] = [];
  const link: Link & { owner: LinkOwner | undefined } = {
    owner: undefined,
    request: (id, json) => {
      asked.push(id);
      const subscriptionId = objectOf(parseObject(json))?.['id'];
      const params = { notifications: granted, _meta: { subscriptionId } };
      const method = 'notifications/subscriptions/acknowledged';
      link.owner?.message({ kind: 'notification', method, params: { ...params } }, id);
      link.owner?.over(id, undefined);
    },
    drop: () => undefined,
    send: () => Promise.resolve(),
    hear: () => undefined,
    close: () => undefined,
  };
  const client = { capabilities: {}, clientInfo: {}, logLevel: undefined };
  const bounds = () => ({ callMs: 1_000 });
  return {
    peer: new ModernPeer({ server: 'one', link, client, bounds, onLost: () => undefined, tellsCancel: false }),
    asked,
  };
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    mock.timers.tick(1_000);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }
}

test('a server that grants nothing of a subscription and ends it is not asked again', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { peer, asked } = ending({});
  const { heard } = peer.listen(WANTED, () => undefined);
  await heard;
  await pass(120);
  assert.equal(asked.length, 1);
  mock.timers.reset();
});

test('a server that ends each subscription at once is asked a few times, ever more rarely', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { peer, asked } = ending({ toolsListChanged: true });
  peer.listen(WANTED, () => undefined);
  await pass(5);
  assert.equal(asked.length, 3);
  await pass(600);
  assert.equal(asked.length, 7);
  mock.timers.reset();
});
