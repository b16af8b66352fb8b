import { parentPort, workerData } from 'node:worker_threads';
import { GatewayError } from '../../../src/core/errors.ts';
import { tokenCredential } from '../../../src/providers/base/token-credential.ts';
import type { FromRelayThread, RelayThreadData, ToRelayThread } from '../../../src/threads/messages.ts';

/** Holds tokens as a relay thread does, and says after each message what it would sign a request with. */
const data = workerData as RelayThreadData;
const tokens = new Map(data.tokens.map((token) => [token.id, token]));
const credential = tokenCredential({ tokens, id: 'main 1', account: 'main' }, ({ token = '' }) => ['x-token', token]);
const send = (message: FromRelayThread): void => parentPort!.postMessage(message);

function say(): void {
  const signed = credential.sign({ method: 'POST', origin: '', path: '/', headers: [], body: undefined });
  send({ type: 'log', line: `${data.thread}: ${signed instanceof GatewayError ? signed.code : signed.join(' ')}` });
}

parentPort!.on('message', (message: ToRelayThread) => {
  if (message.type === 'tokens') {
    tokens.clear();
    for (const token of message.tokens) tokens.set(token.id, token);
    say();
  } else if (message.type === 'drain') {
    send({ type: 'drained' });
    parentPort!.close();
  }
});
say();
send({ type: 'listening', port: 1 });
