import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { eventually, startGateway } from '../support/gateway.ts';
import { chunkEvent, startProvider } from '../support/provider.ts';
import { byModel, openAccount, startEvents } from '../support/scripted-provider.ts';

/** Processes of a container: the gateway is number 1 there, for which the kernel has no default action of a signal. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;
const missing = spawnSync(CONTAINER[0], [...CONTAINER.slice(1), 'true']).status !== 0;

test('the first SIGTERM drains a gateway that is process 1 of a container, and the second one ends it', {
  skip: missing && 'this user may not make a namespace of processes',
}, async (t) => {
  const open: ServerResponse[] = [];
  const provider = await startProvider(
    byModel({
      stream: (_request, response) => {
        startEvents(response);
        response.write(chunkEvent({ content: 'begun' }));
        open.push(response);
      },
    }),
  );
  t.after(provider[Symbol.asyncDispose]);
  const gateway = await startGateway({
    command: [...CONTAINER, process.execPath, 'src/main.ts', 'serve'],
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
  t.after(gateway[Symbol.asyncDispose]);
  const client = new ChatStream(gateway, { model: 'p/stream', messages, stream: true });
  await client.until('begun');
  const pid = Number(execFileSync('pgrep', ['-P', String(gateway.pid)], { encoding: 'utf8' }));
  process.kill(pid, 'SIGTERM');
  await eventually('it drains', async () => (await fetch(`${gateway.operatorUrl}/readyz`)).status === 503);
  assert.equal(gateway.process.exitCode, null);
  process.kill(pid, 'SIGTERM');
  assert.equal(await client.ended(), 'cut');
  assert.equal(await gateway.exited, 143);
});
