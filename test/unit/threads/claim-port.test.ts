import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { claimPort } from '../../../src/threads/claim-port.ts';

const HOST = '127.0.0.1';

// Where several gateways start beside each other, one of them was given the port that another had found a moment before.
test('a free port that a gateway found is given to nobody else until its relay threads listen', {
  skip: process.platform === 'linux' ? false : 'only some systems can share a port',
}, async () => {
  const claim = await claimPort(HOST, 0);
  assert.ok('port' in claim);
  assert.deepEqual(await claimPort(HOST, claim.port), { reason: 'the port is in use' });
  const relayThread = createServer().listen({ host: HOST, port: claim.port, reusePort: true });
  await once(relayThread, 'listening');
  claim.release();
  assert.deepEqual(await claimPort(HOST, claim.port), { reason: 'the port is in use' });
  relayThread.close();
  await once(relayThread, 'close');
  assert.ok('port' in (await claimPort(HOST, claim.port)));
});
