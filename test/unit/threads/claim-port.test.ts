import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { claimPort } from '../../../src/threads/claim-port.ts';

const HOST = '127.0.0.1';
const IN_USE = /^the port is in use: .* choose another port with `--port N` or `listen\.port`$/;

async function refusalOf(port: number): Promise<string> {
  const claim = await claimPort(HOST, port);
  return 'reason' in claim ? claim.reason : `the port is free: ${claim.port}`;
}

// Where several gateways start beside each other, one of them was given the port that another had found a moment before.
test('a free port that a gateway found is given to nobody else until its relay threads listen', {
  skip: process.platform === 'linux' ? false : 'only some systems can share a port',
}, async () => {
  const claim = await claimPort(HOST, 0);
  assert.ok('port' in claim);
  assert.match(await refusalOf(claim.port), IN_USE);
  const relayThread = createServer().listen({ host: HOST, port: claim.port, reusePort: true });
  await once(relayThread, 'listening');
  claim.release();
  assert.match(await refusalOf(claim.port), IN_USE);
  relayThread.close();
  await once(relayThread, 'close');
  assert.ok('port' in (await claimPort(HOST, claim.port)));
});
