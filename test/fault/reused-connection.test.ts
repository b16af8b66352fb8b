import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { completion } from '../support/provider.ts';
import { type RawProvider, startRawProvider, wholeAnswer } from '../support/raw-provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

/** Requests that reached the provider, by the `user` they carry. */
const seen: string[] = [];
let provider: RawProvider;
let gateway: RunningGateway;
let careful: RunningGateway;

before(async () => {
  provider = await startRawProvider((socket, body, requestOfConnection) => {
    const { model, user } = JSON.parse(body);
    seen.push(user);
    const dies = requestOfConnection > 1 || model === 'always-dies';
    if (model === 'good' || !dies) socket.write(wholeAnswer(completion('hello')));
    // An idle connection that the provider closes in the moment in which the next request comes.
    else if (model === 'closes' || model === 'always-dies') socket.end();
    else if (model === 'resets') socket.resetAndDestroy();
    else if (model === 'after-a-byte') socket.end('H');
    else if (model === 'after-the-head') {
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{');
    }
  });
  const manifests = [...'abcdefghi'].map((name) =>
    // A credential of its own is a pool of its own, so that each test has its own connections.
    openAccount(name, `${provider.origin}/v1`, { auth_data: { type: 'api-key', api_key: `key-${name}` } }),
  );
  [gateway, careful] = await Promise.all([
    startGateway({ manifests }),
    startGateway({ server: { retry_reused_connection: false }, manifests }),
  ]);
});
disposeAfter(() => [gateway, careful, provider]);

/** Leaves one idle connection of this account behind. */
async function warm(at: RunningGateway, account: string): Promise<void> {
  const response = await ask(at, { model: `${account}/good`, messages, user: 'warm' });
  assert.equal(response.status, 200);
  await response.text();
}

const triesOf = (user: string) => seen.filter((each) => each === user).length;

describe('a reused connection that turns out dead', { concurrency: true }, () => {
  for (const [account, model, stream] of [
    ['a', 'closes', false],
    ['b', 'closes', true],
    ['c', 'resets', false],
    ['d', 'resets', true],
  ] as const) {
    const kind = `${model}, ${stream ? 'streamed' : 'whole'}`;
    test(`a request on a reused connection that dies is answered by one second try (${kind})`, async () => {
      await warm(gateway, account);
      const headers = { 'x-request-id': account };
      const response = await ask(gateway, { model: `${account}/${model}`, messages, user: kind, stream }, { headers });
      assert.equal(response.status, 200);
      await response.text();
      assert.equal(triesOf(kind), 2);
      assert.equal((await recordOf(gateway, account))['sluice.attempts'], 2);
    });
  }

  test('a request on a fresh connection that dies is not tried again', async () => {
    const response = await ask(gateway, { model: 'e/always-dies', messages, user: 'fresh' });
    assert.equal(response.status, 502);
    assert.equal(triesOf('fresh'), 1);
  });

  test('a request gets one second try and no third', async () => {
    await warm(gateway, 'f');
    const response = await ask(gateway, { model: 'f/always-dies', messages, user: 'twice' });
    assert.equal(response.status, 502);
    assert.equal(triesOf('twice'), 2);
  });

  for (const [account, model] of [
    ['g', 'after-a-byte'],
    ['h', 'after-the-head'],
  ] as const) {
    test(`a connection that dies ${model} of the answer is never tried again`, async () => {
      await warm(gateway, account);
      const response = await ask(gateway, { model: `${account}/${model}`, messages, user: model });
      assert.equal(response.status, 502);
      assert.equal(triesOf(model), 1);
    });
  }

  test('a request gets no second try where retry_reused_connection is off', async () => {
    await warm(careful, 'i');
    const response = await ask(careful, { model: 'i/closes', messages, user: 'careful' });
    assert.equal(response.status, 502);
    assert.equal(triesOf('careful'), 1);
  });
});
