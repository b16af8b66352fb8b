import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { ask, ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, NotStarted, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const run = promisify(execFile);
const noOpenssl: string | false = await run('openssl', ['version']).then(
  () => false,
  () => 'no openssl command to make a certificate with',
);

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider((request, response) => {
    const { model, stream } = JSON.parse(request.body.toString());
    if (model === 'fails') {
      const message = 'Incorrect API key provided: sk-of-the-provider';
      sendJson(response, 401, { error: { message } });
      return;
    }
    if (!stream) {
      sendJson(response, 200, completion('hello'));
      return;
    }
    startEvents(response);
    response.end(chunkEvent({ content: 'streamed' }) + DONE_EVENT);
  });
  gateway = await startGateway({ server: { threads: 2 }, manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

const oneThread = process.platform === 'linux' ? false : 'only Linux spreads connections over the listeners of a port';

test('two relay threads share one port and both serve', { skip: oneThread }, async () => {
  const threads = () => gateway.records({ 'http.response.status_code': 200 }).map((record) => record['sluice.thread']);
  // Each on a connection of its own: the system spreads connections, not requests.
  for (let turn = 0; turn < 40; turn += 1) {
    const client = new ChatStream(gateway, { model: 'p/m', messages });
    assert.equal(await client.ended(), 'whole');
  }
  await eventually('all are in the log', () => threads().length === 40);
  assert.deepEqual([...new Set(threads())].sort(), [0, 1]);
  assert.equal(await gateway.metric('sluice_in_flight'), 0);
});

test('ready means that the base URL was printed and /readyz answers 200', async () => {
  assert.equal((await fetch(`${gateway.operatorUrl}/readyz`)).status, 200);
  assert.equal((await fetch(`${gateway.operatorUrl}/livez`)).status, 200);
});

test('the document of the API is served on both ports, without a key', async () => {
  const documents = await Promise.all(
    [gateway.url, `${gateway.url}/v1`, gateway.operatorUrl].map(async (base) => {
      const response = await fetch(`${base}/openapi.json`);
      assert.equal(response.status, 200);
      return response.text();
    }),
  );
  assert.equal(new Set(documents).size, 1);
  assert.ok(JSON.parse(documents[0]!).paths['/chat/completions']);
});

test('a second gateway on the same port fails to start and says so', async () => {
  const { port } = new URL(gateway.url);
  await assert.rejects(startGateway({ server: { listen: { host: '127.0.0.1', port: Number(port) } } }), (error) => {
    assert.ok(error instanceof NotStarted);
    assert.equal(error.exitCode, 1);
    assert.match(error.output, new RegExp(`127\\.0\\.0\\.1:${port}.*in use`));
    assert.doesNotMatch(error.output, /\n\s+at /, 'a sentence, not a stack');
    return true;
  });
  const response = await ask(gateway, { model: 'p/m', messages });
  assert.equal(response.status, 200);
});

test('a port that another program holds is told, the operator’s port too', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const taken = { host: '127.0.0.1', port: address.port };
  for (const server of [{ listen: taken }, { operator: taken }]) {
    await assert.rejects(startGateway({ server }), (error) => {
      assert.ok(error instanceof NotStarted);
      assert.equal(error.exitCode, 1);
      assert.match(error.output, new RegExp(`${taken.port}`));
      assert.match(error.output, /in use/);
      return true;
    });
  }
});

test('the listener speaks TLS where it is configured', { skip: noOpenssl }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rm(folder, { recursive: true }));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    ...subject,
    '-keyout',
    keyFile,
    '-out',
    certFile,
    '-days',
    '2',
  ]);
  const secure = await startGateway({
    server: { listen: { host: '127.0.0.1', port: 0, tls: { cert_file: certFile, key_file: keyFile } } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
  t.after(secure[Symbol.asyncDispose]);
  assert.match(secure.url, /^https:/);
  const whole = new ChatStream(secure, { model: 'p/m', messages });
  assert.equal(await whole.ended(), 'whole');
  assert.equal(whole.text(), JSON.stringify(completion('hello')));
  const streamed = new ChatStream(secure, { model: 'p/m', messages, stream: true });
  assert.equal(await streamed.ended(), 'whole');
  assert.equal(streamed.text(), chunkEvent({ content: 'streamed' }) + DONE_EVENT);
  // A certificate that nobody vouches for is refused by a client that looks.
  await assert.rejects(
    new Promise((resolve, reject) => httpsRequest(secure.url, resolve).on('error', reject).end()),
    /self-signed/,
  );
  assert.equal(await secure.stop(), 0);
});

test('TLS files that cannot be read stop the start with a message', async () => {
  const tls = { cert_file: '/nowhere/cert.pem', key_file: '/nowhere/key.pem' };
  await assert.rejects(startGateway({ server: { listen: { host: '127.0.0.1', port: 0, tls } } }), (error) => {
    assert.ok(error instanceof NotStarted);
    assert.equal(error.exitCode, 1);
    assert.match(error.output, /\/nowhere\/cert\.pem/);
    return true;
  });
});

test('no secret and no word of a conversation stands in the output', async () => {
  const secret = 'sk-wrong-but-secret';
  const content = 'nobody but the model may read this';
  const said = [{ role: 'user', content }];
  const headers = { 'x-request-id': 'told-to-the-log', 'x-tfy-metadata': '{"note":"of the client"}' };
  await (await ask(gateway, { model: 'p/m', messages: said }, { headers })).text();
  await (await ask(gateway, { model: 'p/fails', messages: said })).text();
  await (await ask(gateway, { model: 'p/m', messages: said, stream: 'wrong' })).text();
  await (await ask(gateway, { model: 'p/m', messages: said }, { key: secret })).text();
  await recordOf(gateway, 'told-to-the-log');
  const output = gateway.output() + (await gateway.metrics());
  for (const hidden of [KEY, secret, 'sk-of-the-provider', content, 'of the client', 'hello']) {
    assert.ok(!output.includes(hidden), hidden);
  }
});
