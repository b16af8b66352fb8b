import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, test } from 'node:test';
import { awsException, awsMessage } from '../support/aws-events.ts';
import { ask, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { signatureFault } from '../support/signed-request.ts';

/* Endpoints of SageMaker whose containers speak OpenAI's chat, in frames that are cut anywhere. */

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const STREAM = Buffer.from(
  chunkEvent({ role: 'assistant', content: 'Grüezi, ' }) +
    chunkEvent({ content: '世界 👋' }) +
    chunkEvent({}, 'stop') +
    USAGE_EVENT +
    DONE_EVENT,
);
const WHOLE = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'lmi',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Grüezi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
};

const part = (bytes: Buffer) =>
  awsMessage(
    { ':event-type': 'PayloadPart', ':content-type': 'application/octet-stream', ':message-type': 'event' },
    bytes,
  );

function parts(bytes: Buffer, size: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) cut.push(part(bytes.subarray(at, at + size)));
  return cut;
}

function sendFrames(response: ServerResponse, frames: readonly Buffer[]): void {
  response.writeHead(200, {
    'content-type': 'application/vnd.amazon.eventstream',
    'x-amzn-sagemaker-content-type': 'text/event-stream',
  });
  response.end(Buffer.concat(frames));
}

const broken = awsException('ModelStreamError', { Message: 'The connection was reset.', ErrorCode: 'StreamBroken' });

async function answer(request: ReceivedRequest, response: ServerResponse): Promise<void> {
  const fault = await signatureFault(request, KEYS, { region: 'eu-west-1', service: 'sagemaker' });
  const [, , endpoint = '', operation] = request.path.split('/').map(decodeURIComponent);
  const [name, size] = endpoint.split('-by-');
  if (fault) sendJson(response, 403, { message: fault });
  else if (name === 'refusing') {
    sendJson(response, 424, {
      ErrorCode: 'CLIENT_ERROR_FROM_MODEL',
      OriginalStatusCode: 400,
      OriginalMessage: JSON.stringify({ error: { message: 'max_tokens is too large.', param: 'max_tokens' } }),
      Message: 'Received client error (400) from primary with message ...',
    });
  } else if (name === 'gone') sendJson(response, 400, { Message: 'Endpoint gone of account 1 not found.' });
  else if (operation === 'invocations') sendJson(response, 200, WHOLE);
  else if (name === 'broken') sendFrames(response, [part(STREAM.subarray(0, 150)), broken]);
  else if (name === 'whole') sendFrames(response, parts(Buffer.from(JSON.stringify(WHOLE)), 20));
  else sendFrames(response, parts(STREAM, Number(size)));
}

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startProvider((request, response) => void answer(request, response));
  const auth_data = {
    type: 'access-key-based',
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
  };
  const type = 'provider-account/aws-sagemaker';
  gateway = await startGateway({
    manifests: [{ type, name: 'sm', region: 'eu-west-1', base_url: provider.origin, auth_data }],
  });
});
disposeAfter(() => [gateway, provider]);

const stream = { stream: true, stream_options: { include_usage: true } };
const asked = (endpoint: string, more: object = {}) => ask(gateway, { model: `sm/${endpoint}`, messages, ...more });

test('a whole answer of an endpoint passes, and the container is not told a model that it does not know', async () => {
  const response = await asked('lmi', { temperature: 0.5 });
  assert.deepEqual(await response.json(), WHOLE);
  const { path, body } = provider.requests.at(-1)!;
  assert.equal(path, '/endpoints/lmi/invocations');
  assert.deepEqual(JSON.parse(body.toString()), { messages, temperature: 0.5 });
});

for (const size of [1, 2, 3, 7, 50, 10_000]) {
  test(`a stream in payloads of ${size} bytes reaches the client as the bytes that are in them, with its usage`, async () => {
    const id = `sagemaker-${size}`;
    const response = await ask(
      gateway,
      { model: `sm/lmi-by-${size}`, messages, ...stream },
      { headers: { 'x-request-id': id } },
    );
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), STREAM);
    assert.equal(provider.requests.at(-1)!.path, `/endpoints/lmi-by-${size}/invocations-response-stream`);
    assert.equal((await recordOf(gateway, id))['gen_ai.usage.output_tokens'], 7);
  });
}

test('a container that answers a stream with one whole answer gives its client a stream all the same', async () => {
  const text = await (await asked('whole', stream)).text();
  assert.match(text, /"content":"Grüezi"/);
  assert.match(text, /data: \[DONE\]\n\n$/);
});

test('a client of Anthropic’s form gets the stream of an endpoint in its own form', async () => {
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sm/lmi-by-3', max_tokens: 20, messages, stream: true }),
  });
  const text = await response.text();
  assert.match(text, /event: message_stop/);
  const said = [...text.matchAll(/"text_delta","text":"([^"]*)"/g)].map(([, piece]) => piece).join('');
  assert.equal(said, 'Grüezi, 世界 👋');
  assert.equal(JSON.parse(provider.requests.at(-1)!.body.toString()).model, undefined);
});

test('a stream that its model breaks ends with the error that SageMaker tells', async () => {
  const text = await (await asked('broken', stream)).text();
  assert.match(text, /The connection was reset\./);
  assert.doesNotMatch(text, /\[DONE\]/);
});

test('a refusal of the container is told in its own words with its own status', async () => {
  const response = await asked('refusing');
  assert.equal(response.status, 400);
  assert.match((await errorOf(response)).message, /max_tokens is too large/);
  const gone = await asked('gone');
  assert.match((await errorOf(gone)).message, /Endpoint gone/);
});
