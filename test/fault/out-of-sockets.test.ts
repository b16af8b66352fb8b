import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, recordOf, startGateway } from '../support/gateway.ts';
import { completion, sendJson, startProvider } from '../support/provider.ts';
import { chatRequest, RawClient } from '../support/raw-client.ts';
import { openAccount } from '../support/scripted-provider.ts';

const skip =
  process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0
    ? false
    : 'the limit of another process is set with prlimit, of Linux';

function limitFiles(pid: number, files: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`]);
}

/** With this limit no further file can be opened. */
function filesInUse(pid: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`));
  let files = 0;
  while (open.has(String(files))) files += 1;
  return files;
}

test('a connection for which the gateway has no file descriptor is its own fault, 503, and not the provider’s', {
  skip,
}, async (t) => {
  const provider = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  const other = await startProvider((_request, response) => sendJson(response, 200, completion('hello')));
  const accounts = [openAccount('p', `${provider.origin}/v1`), openAccount('other', `${other.origin}/v1`)];
  const gateway = await startGateway({ manifests: accounts });
  t.after(async () => {
    await gateway[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });
  // Its own connection needs none any more, nor does the journal: it has a segment open.
  assert.equal((await ask(gateway, { model: 'other/m', messages })).status, 200);
  const client = await RawClient.open(gateway);
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await client.answer();
  const enough = 20_000;
  limitFiles(gateway.pid, filesInUse(gateway.pid));
  const before = client.text().length;
  client.send(chatRequest({ model: 'p/m', messages }, ['x-request-id: without-files']));
  const text = (await client.until((received) => received.slice(before).endsWith('}'))).slice(before);
  limitFiles(gateway.pid, enough);
  client.leave();
  assert.match(text, /^HTTP\/1\.1 503 /);
  assert.match(text, /^retry-after: 1\r$/m);
  const { error } = JSON.parse(text.slice(text.indexOf('{')));
  assert.equal(error.code, 'out_of_sockets');
  assert.match(error.message, /EMFILE/);
  const record = await recordOf(gateway, 'without-files');
  assert.equal(record['error.type'], 'out_of_sockets');
  await eventually('it serves again', async () => (await ask(gateway, { model: 'p/m', messages })).status === 200);
});
