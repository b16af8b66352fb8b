import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { brokenOff } from '../support/broken-off.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT } from '../support/provider.ts';
import { chatRequest, RawClient } from '../support/raw-client.ts';
import { EVENTS_HEAD, httpChunk, type RawProvider, startRawProvider, wholeAnswer } from '../support/raw-provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const hello = chunkEvent({ role: 'assistant', content: 'hello' });
const json = JSON.stringify(completion('hello'));
const jsonHead = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const eventsUntilClose = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n';

/** By model: bytes to write, then the connection is closed (`fin`), reset, or kept. */
const scripts: Record<string, { bytes: string; afterwards: 'fin' | 'reset' | 'keep' }> = {
  'stream-fin': { bytes: EVENTS_HEAD + httpChunk(hello), afterwards: 'fin' },
  'stream-reset': { bytes: EVENTS_HEAD + httpChunk(hello), afterwards: 'reset' },
  'stream-half-event': { bytes: EVENTS_HEAD + httpChunk(hello + hello.slice(0, 40)), afterwards: 'fin' },
  'stream-half-chunk': { bytes: EVENTS_HEAD + httpChunk(hello).slice(0, -9), afterwards: 'fin' },
  'stream-bad-chunk': { bytes: `${EVENTS_HEAD + httpChunk(hello)}zz\r\nrubbish`, afterwards: 'keep' },
  'stream-error-event': {
    bytes: `${EVENTS_HEAD + httpChunk('data: {"error":{"message":"no room","code":429}}\n\n')}0\r\n\r\n`,
    afterwards: 'keep',
  },
  'stream-to-close': { bytes: `${eventsUntilClose}${hello}`, afterwards: 'fin' },
  'stream-to-close-whole': { bytes: eventsUntilClose + hello + chunkEvent({}, 'stop') + DONE_EVENT, afterwards: 'fin' },
  'events-head-only': { bytes: EVENTS_HEAD, afterwards: 'fin' },
  'json-short': { bytes: `${jsonHead}content-length: ${json.length}\r\n\r\n${json.slice(0, 30)}`, afterwards: 'fin' },
  'json-reset': { bytes: `${jsonHead}content-length: ${json.length}\r\n\r\n${json.slice(0, 30)}`, afterwards: 'reset' },
  'json-chunked-short': {
    bytes: `${jsonHead}transfer-encoding: chunked\r\n\r\n${httpChunk(json.slice(0, 30))}`,
    afterwards: 'fin',
  },
  'json-to-close-short': { bytes: `${jsonHead}\r\n${json.slice(0, 30)}`, afterwards: 'fin' },
  'json-to-close-whole': { bytes: `${jsonHead}\r\n${json}`, afterwards: 'fin' },
  'nothing-fin': { bytes: '', afterwards: 'fin' },
  'nothing-reset': { bytes: '', afterwards: 'reset' },
  'half-head': { bytes: 'HTTP/1.1 200 OK\r\ncontent-', afterwards: 'fin' },
  'not-http': { bytes: 'SSH-2.0-OpenSSH_9.0\r\n\r\n', afterwards: 'keep' },
  'bad-header': { bytes: `HTTP/1.1 200 OK\r\nbad header: \x00\r\n\r\n`, afterwards: 'keep' },
  'huge-head': { bytes: `HTTP/1.1 200 OK\r\nx-filler: ${'x'.repeat(100_000)}\r\n\r\n`, afterwards: 'keep' },
  'error-cut': { bytes: 'HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{"error"', afterwards: 'fin' },
  'early-hints': {
    bytes: `HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${wholeAnswer(completion('hello'))}`,
    afterwards: 'keep',
  },
  'not-a-stream': { bytes: wholeAnswer(completion('hello')), afterwards: 'keep' },
};

const zipped = (status: string, type: string, text: string) => {
  const bytes = gzipSync(text).toString('latin1');
  const head = `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-encoding: gzip\r\n`;
  return { bytes: `${head}content-length: ${bytes.length}\r\n\r\n${bytes}`, afterwards: 'keep' as const };
};
scripts['zipped'] = zipped('200 OK', 'application/json', json);
scripts['zipped-stream'] = zipped('200 OK', 'text/event-stream', hello + DONE_EVENT);
scripts['zipped-error'] = zipped('400 Bad Request', 'application/json', '{"error":{"message":"no"}}');

scripts['compressed'] = {
  bytes: `${jsonHead}content-encoding: compress\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
  afterwards: 'keep',
};
scripts['continue'] = { bytes: `HTTP/1.1 100 Continue\r\n\r\n${wholeAnswer(completion('hello'))}`, afterwards: 'keep' };

let provider: RawProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startRawProvider((socket, body) => {
    const { model } = JSON.parse(body);
    const script = scripts[model];
    assert.ok(script, model);
    socket.write(script.bytes, 'latin1');
    if (script.afterwards === 'fin') socket.end();
    // A reset throws away what was not sent yet: only after the other side has read it.
    else if (script.afterwards === 'reset') setTimeout(() => socket.resetAndDestroy(), 50);
  });
  gateway = await startGateway({ manifests: [openAccount('p', `${provider.origin}/v1`)] });
});
disposeAfter(() => [gateway, provider]);

describe('an upstream that dies in the middle of a stream', { concurrency: true }, () => {
  for (const model of ['stream-fin', 'stream-reset', 'stream-half-event', 'stream-bad-chunk']) {
    test(`an upstream that dies in the middle of a stream is told by an error event and a cut connection: ${model}`, async () => {
      const stream = new ChatStream(gateway, { model: `p/${model}`, messages, stream: true });
      const { code, before } = await brokenOff(stream);
      assert.ok(['upstream_cut', 'upstream_protocol'].includes(code), code);
      assert.ok(before.startsWith(hello), before);
    });
  }

  test('a stream whose upstream died never ends with the terminating chunk', async () => {
    const client = await RawClient.open(gateway);
    client.send(chatRequest({ model: 'p/stream-fin', messages, stream: true }));
    await client.closed;
    const text = client.text();
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.match(text, /"upstream_cut"/);
    assert.doesNotMatch(text, /\r\n0\r\n/);
  });

  test('a stream that ends with its connection before [DONE] is told as an error', async () => {
    const stream = new ChatStream(gateway, { model: 'p/stream-to-close', messages, stream: true });
    assert.equal((await brokenOff(stream)).code, 'upstream_cut');
    const whole = new ChatStream(gateway, { model: 'p/stream-to-close-whole', messages, stream: true });
    assert.equal(await whole.ended(), 'whole');
    assert.equal(whole.text(), hello + chunkEvent({}, 'stop') + DONE_EVENT);
  });

  test('a stream whose upstream died is recorded as cut', async () => {
    const headers = { 'x-request-id': 'cut-1' };
    await new ChatStream(gateway, { model: 'p/stream-fin', messages, stream: true }, { headers }).ended();
    const record = await recordOf(gateway, 'cut-1');
    assert.deepEqual([record['sluice.outcome'], record['error.type']], ['cut', 'upstream_cut']);
  });
});

describe('a failure before the commit point', { concurrency: true }, () => {
  for (const [model, status, code] of [
    ['json-short', 502, 'upstream_cut'],
    ['json-reset', 502, 'upstream_cut'],
    ['json-chunked-short', 502, 'upstream_cut'],
    ['json-to-close-short', 502, 'upstream_cut'],
    ['nothing-fin', 502, 'upstream_cut'],
    ['nothing-reset', 502, 'upstream_cut'],
    ['half-head', 502, 'upstream_cut'],
    ['not-http', 502, 'upstream_protocol'],
    ['bad-header', 502, 'upstream_protocol'],
    ['huge-head', 502, 'upstream_protocol'],
    // Only a part of its first event had come: nothing was passed on yet.
    ['stream-half-chunk', 502, 'upstream_cut'],
    ['events-head-only', 502, 'upstream_cut'],
    ['stream-error-event', 429, '429'],
  ] as const) {
    for (const stream of [false, true]) {
      test(`a failure before the commit point keeps its status: ${model}, ${status} (${stream ? 'streamed' : 'whole'})`, {
        timeout: 60_000,
      }, async () => {
        const response = await ask(gateway, { model: `p/${model}`, messages, stream });
        assert.equal(response.status, status);
        const error = await errorOf(response);
        assert.ok([code, 'upstream_rate_limited'].includes(error.code), error.code);
      });
    }
  }

  test('an error answer that is cut is a failure of the provider', { timeout: 60_000 }, async () => {
    const response = await ask(gateway, { model: 'p/error-cut', messages });
    assert.equal(response.status, 502);
  });
});

describe('unusual answers', { concurrency: true }, () => {
  test('an answer to a stream request that is no stream becomes one', async () => {
    const response = await ask(gateway, { model: 'p/not-a-stream', messages, stream: true });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.match(await response.text(), /^data: \{.*"content":"hello".*data: \[DONE\]\n\n$/s);
  });

  test('a compressed answer, which we asked not to get, reaches the client decoded and unlabelled', async () => {
    for (const [model, text] of [
      ['zipped', json],
      ['zipped-stream', hello + DONE_EVENT],
    ] as const) {
      const response = await ask(gateway, { model: `p/${model}`, messages, stream: model === 'zipped-stream' });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-encoding'), null);
      assert.equal(await response.text(), text);
    }
  });

  test('the words of a compressed error answer reach the client', async () => {
    const response = await ask(gateway, { model: 'p/zipped-error', messages });
    assert.equal(response.status, 400);
    assert.match((await errorOf(response)).message, /no/);
  });

  test('an answer in a coding that nobody here knows is never passed on as if it were plain', async () => {
    const response = await ask(gateway, { model: 'p/compressed', messages });
    assert.equal(response.status, 502);
    assert.equal((await errorOf(response)).code, 'upstream_protocol');
  });

  test('informational answers before the real one are for the connection only', async () => {
    for (const model of ['early-hints', 'continue']) {
      const response = await ask(gateway, { model: `p/${model}`, messages });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), json);
    }
  });

  test('a whole answer without a declared length is whole where its JSON is', async () => {
    const response = await ask(gateway, { model: 'p/json-to-close-whole', messages });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), json);
  });
});

test('nothing is in flight after all broken answers', async () => {
  await eventually('every place in flight is given back', async () => (await gateway.metric('sluice_in_flight')) === 0);
});
