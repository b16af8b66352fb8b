import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ask, errorOf } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';

/* A Bedrock, which takes bytes alone, and a server of files on the loopback, which is not public but where it is named. */

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const MAX_BYTES = 4096;

interface Files {
  readonly origin: string;
  readonly asked: string[];
  readonly hanging: Set<string>;
  close(): void;
}

async function startFiles(): Promise<Files> {
  const asked: string[] = [];
  const hanging = new Set<string>();
  const answer: RequestListener = (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const { port } = server.address() as AddressInfo;
    const redirects: Record<string, string> = {
      '/moved': '/image',
      '/round': '/round',
      '/inside': `http://127.0.0.2:${port}/image`,
      '/metadata': 'http://169.254.169.254/latest/meta-data/',
      '/elsewhere': 'ftp://127.0.0.1/image',
    };
    const location = redirects[path];
    if (location !== undefined) response.writeHead(302, { location }).end();
    else if (path === '/image') response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(PNG);
    else if (path === '/notes.txt')
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('Hello');
    else if (path === '/large')
      response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(MAX_BYTES + 1));
    else if (path === '/hanging') {
      hanging.add(path);
      response.on('close', () => hanging.delete(path));
      response.writeHead(200, { 'content-type': 'image/png' }).write('x');
    } else response.writeHead(404).end();
  };
  const server = createServer(answer);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    asked,
    hanging,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('images and files by address, for a provider that takes bytes alone', () => {
  let files: Files;
  let provider: FakeProvider;
  let gateway: RunningGateway;

  before(async () => {
    files = await startFiles();
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
    const output = { message: { role: 'assistant', content: [{ text: 'seen' }] } };
    provider = await startProvider((_request, response) =>
      sendJson(response, 200, { output, stopReason: 'end_turn', usage }),
    );
    gateway = await startGateway({
      manifests: [
        {
          type: 'provider-account/aws-bedrock',
          name: 'aws',
          region: 'eu-west-1',
          base_url: provider.origin,
          auth_data: { type: 'api-key', api_key: 'bedrock-api-key-of-the-test' },
        },
      ],
      server: { media: { private_hosts: ['127.0.0.1'], max_files: 2, max_bytes: MAX_BYTES, timeout_ms: 2000 } },
    });
  });
  after(async () => {
    await gateway[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
    files.close();
  });

  const image = (url: string) => ({ type: 'image_url', image_url: { url } });
  const asking = (...parts: object[]) => ({
    model: 'aws/amazon.nova-pro-v1:0',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, ...parts] }],
  });
  const sent = () => JSON.parse(provider.requests.at(-1)?.body.toString() ?? '{}').messages[0].content;
  async function refusal(...parts: object[]): Promise<string> {
    const before = provider.requests.length;
    const answer = await ask(gateway, asking(...parts));
    const error = await errorOf(answer);
    assert.equal(answer.status, 400, error.message);
    assert.equal(error.code, 'media_not_fetched');
    assert.equal(provider.requests.length, before, 'nothing was sent');
    return error.message;
  }

  test('a file by address is sent as bytes, of the type that their first bytes tell, behind a redirect too', async () => {
    for (const path of ['/image', '/moved']) {
      assert.equal((await ask(gateway, asking(image(files.origin + path)))).status, 200);
      assert.deepEqual(sent().at(-1), { image: { format: 'png', source: { bytes: PNG.toString('base64') } } });
    }
    const file = { type: 'file', file: { file_data: `${files.origin}/notes.txt` } };
    assert.equal((await ask(gateway, asking(file))).status, 200);
    assert.deepEqual(sent().at(-1), {
      document: { format: 'txt', name: 'notes', source: { bytes: Buffer.from('Hello').toString('base64') } },
    });
  });

  test('a file that a request names twice is fetched once', async () => {
    files.asked.length = 0;
    const again = image(`${files.origin}/image`);
    assert.equal((await ask(gateway, asking(again, again, again))).status, 200);
    assert.deepEqual(files.asked, ['/image']);
    assert.equal(sent().length, 4);
  });

  test('nothing is fetched from an address that is not public, however it is written or redirected to', async () => {
    files.asked.length = 0;
    const { port } = new URL(files.origin);
    const hidden = ['127.0.0.2', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706434', '0x7f.2', '0.0.0.0'];
    for (const host of hidden) {
      assert.match(await refusal(image(`http://${host}:${port}/image`)), /not on the public net/, host);
    }
    assert.deepEqual(files.asked, []);
    assert.match(await refusal(image('http://169.254.169.254/latest/meta-data/')), /not on the public net/);
    assert.match(await refusal(image(`${files.origin}/inside`)), /127\.0\.0\.2 is not on the public net/);
    assert.match(await refusal(image(`${files.origin}/metadata`)), /not on the public net/);
    assert.match(await refusal(image(`${files.origin}/elsewhere`)), /is not http/);
    assert.match(await refusal(image(`${files.origin}/round`)), /more than 3 times/);
    assert.match(await refusal(image(`http://user:word@127.0.0.1:${port}/image`)), /user name/);
  });

  test('files are bounded in number, size and time, each by a setting that the error names', async () => {
    const many = ['/image', '/notes.txt', '/moved'].map((path) => image(files.origin + path));
    assert.match(await refusal(...many), /media\.max_files: 2/);
    assert.match(await refusal(image(`${files.origin}/large`)), /media\.max_bytes: 4096/);
    assert.match(await refusal(image(`${files.origin}/hanging`)), /media\.timeout_ms: 2000/);
    await eventually('the connection was closed', () => files.hanging.size === 0);
    assert.match(await refusal(image(`${files.origin}/absent`)), /answered 404/);
  });

  test('a file is no longer fetched when the client has left', async () => {
    const leaving = new AbortController();
    const asked = ask(gateway, asking(image(`${files.origin}/hanging`)), { signal: leaving.signal });
    await eventually('the file is asked for', () => files.hanging.size === 1);
    leaving.abort();
    await assert.rejects(asked);
    await eventually('its connection was closed', () => files.hanging.size === 0);
  });
});
