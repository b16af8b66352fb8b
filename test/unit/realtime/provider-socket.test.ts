import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { openProviderSocket } from '../../../src/realtime/provider-socket.ts';
import { PROXY_FAULT } from '../../../src/upstream/tunnel.ts';

const MOUNT = {
  connection: { origin: 'http://provider.test', credential: '' },
  headers: [],
  forwards: [],
  credential: { sign: () => [] },
  path: () => '/v1/realtime',
};

/** What a client is told where no connection to the provider came about for this reason. */
async function failed(fault: Error): Promise<GatewayError> {
  const connect = (_options: object, connected: (error: Error, socket: null) => void) => connected(fault, null);
  const opened = await openProviderSocket({
    target: {} as never,
    mount: MOUNT as never,
    form: {} as never,
    overrides: undefined,
    pools: { connector: () => connect as never },
    protocols: [],
    forwardable: undefined,
    connectMs: 30_000,
    maxMessageBytes: 1024,
  });
  assert.ok(opened instanceof GatewayError);
  return opened;
}

function fault(code: string, more: object = {}): Error {
  return Object.assign(new Error('no connection'), { code, ...more });
}

test('a session that finds no connection fails by the code that any exchange would fail by', async () => {
  assert.equal((await failed(fault('UND_ERR_CONNECT_TIMEOUT'))).code, 'connect_timeout');
  assert.equal((await failed(fault('ECONNREFUSED'))).code, 'connect_failed');
  assert.equal((await failed(fault('ERR_TLS_CERT_ALTNAME_INVALID'))).code, 'connect_failed');
  assert.equal((await failed(fault('ECONNRESET'))).code, 'connect_failed');
});

test('a session that a proxy does not connect in time fails by a timeout, with the proxy’s part in words', async () => {
  const slow = 'the proxy did not answer within 10 ms';
  const error = await failed(fault('UND_ERR_CONNECT_TIMEOUT', { [PROXY_FAULT]: slow }));
  assert.equal(error.code, 'connect_timeout');
  assert.equal(error.context.detail, `(${slow})`);
});

test('a session for which the process has no file descriptor left blames the gateway, not the provider', async () => {
  const error = await failed(fault('EMFILE'));
  assert.equal(error.code, 'out_of_sockets');
  assert.equal(error.rule.blame, 'gateway');
});
