import { parentPort } from 'node:worker_threads';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { tokenCredential } from '../../../src/providers/base/token-credential.ts';
import type { FromRelayThread, ToRelayThread } from '../../../src/threads/messages.ts';

/** Holds tokens as a relay thread does, and says after each message what it would sign a request with. */
const tokens = new Map<string, AccountToken>();
const credential = tokenCredential({ tokens, id: 'main 1', account: 'main' }, ({ token = '' }) => ['x-token', token]);
const send = (message: FromRelayThread): void => parentPort!.postMessage(message);
let thread = -1;

function know(all: readonly AccountToken[]): void {
  tokens.clear();
  for (const token of all) tokens.set(token.id, token);
  const signed = credential.sign({ method: 'POST', origin: '', path: '/', headers: [], body: undefined });
  send({ type: 'log', line: `${thread}: ${signed instanceof GatewayError ? signed.code : signed.join(' ')}` });
}

parentPort!.on('message', (message: ToRelayThread) => {
  if (message.type === 'begin') {
    thread = message.data.thread;
    know(message.data.tokens);
    send({ type: 'listening', port: 1 });
  } else if (message.type === 'tokens') know(message.tokens);
  else if (message.type === 'drain') {
    send({ type: 'drained' });
    parentPort!.close();
  }
});
