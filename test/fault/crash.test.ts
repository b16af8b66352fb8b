import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { eventually, KEY, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';
import { sluiceOutput } from '../support/sluice-command.ts';

let provider: FakeProvider;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-crash-'));
  provider = await startProvider((request, response) => {
    if (!JSON.parse(request.body.toString()).stream) {
      sendJson(response, 200, completion('hello'));
      return;
    }
    startEvents(response);
    const timer = setInterval(() => response.write(chunkEvent({ content: 'word' })), 5);
    response.on('close', () => clearInterval(timer));
  });
});
after(async () => {
  await provider?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const start = () => startGateway({ folder, manifests: [openAccount('p', `${provider.origin}/v1`)] });

const command = (...words: string[]) => sluiceOutput([...words, '--data-dir', join(folder, 'data')]);

const digestOf = async (name: string) =>
  createHash('sha256')
    .update(await readFile(join(folder, 'data', name)))
    .digest('hex');

/** Until the gateway is gone: whole answers one after another, as fast as they come. */
async function hammer(gateway: { url: string }): Promise<number> {
  for (let answered = 0; ; answered += 1) {
    try {
      await (await ask(gateway, { model: 'p/m', messages })).text();
    } catch {
      // The connection died with the gateway: that is what is waited for.
      return answered;
    }
  }
}

test('after SIGKILL under load and a start, keys and data are intact and it serves as soon as before', async () => {
  const kept = await command('keys', 'create', '--subject', 'virtualaccount:kept');
  const revoked = await command('keys', 'create', '--subject', 'virtualaccount:gone');
  const signingKey = await digestOf('signing-key.pem');
  const payload = JSON.parse(Buffer.from(revoked.split('.')[1]!, 'base64url').toString());
  await command('keys', 'revoke', payload.jti);

  const startTimes: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const startedAt = performance.now();
    const gateway = await start();
    for (const key of [KEY, kept]) {
      const response = await ask(gateway, { model: 'p/m', messages }, { key });
      assert.equal(response.status, 200);
      await response.text();
    }
    startTimes.push(performance.now() - startedAt);
    assert.equal((await ask(gateway, { model: 'p/m', messages }, { key: revoked })).status, 401);

    const load = Array.from({ length: 8 }, () => hammer(gateway));
    const streams = Array.from(
      { length: 20 },
      () => new ChatStream(gateway, { model: 'p/m', messages, stream: true }, { key: kept }),
    );
    // A key that is made while the gateway dies must not harm it either.
    const made = command('keys', 'create', '--subject', `virtualaccount:round${round}`);
    await eventually('it is under load', async () => (await gateway.metric('ai_gateway_requests_total')) > 100, 20_000);
    for (const stream of streams) await stream.until('word');
    gateway.process.kill('SIGKILL');
    for (const answered of await Promise.all(load)) assert.ok(answered > 0);
    for (const stream of streams) assert.equal(await stream.ended(), 'cut');
    await gateway.exited;
    await made;

    const database = new DatabaseSync(join(folder, 'data', 'sluice.db'), { readOnly: true });
    assert.deepEqual({ ...database.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
    database.close();
    assert.equal(await digestOf('signing-key.pem'), signingKey);
  }
  const [unharmed = 0, ...afterKill] = startTimes;
  // Two seconds are promised; on a busy machine the first start, before which nothing was killed, takes longer as well.
  const allowedMs = Math.max(2_000, 2 * unharmed);
  assert.ok(Math.min(...afterKill) < allowedMs, `serving after ${startTimes.map(Math.round).join(', ')} ms`);
  const list = await command('keys', 'list');
  for (const subject of ['kept', 'gone', 'round0', 'round1', 'round2']) {
    assert.match(list, new RegExp(`virtualaccount:${subject}`));
  }
});
