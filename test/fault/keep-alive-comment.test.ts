import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { brokenOff } from '../support/broken-off.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { byModel, gate, openAccount, startEvents } from '../support/scripted-provider.ts';

const COMMENT = ': keep-alive\n';
const answer = chunkEvent({ role: 'assistant', content: 'at last' }) + chunkEvent({}, 'stop') + DONE_EVENT;
const release = gate();
/** Longer than a few comments. */
const later = (what: () => void) => setTimeout(what, 600);

let provider: FakeProvider;
let gateway: RunningGateway;
before(async () => {
  provider = await startProvider(
    byModel({
      'on-signal': (_request, response) => {
        release.promise.then(() => {
          startEvents(response);
          response.end(answer);
        });
      },
      'head-first': (_request, response) => {
        startEvents(response);
        later(() => response.end(answer));
      },
      late: (_request, response) => later(() => sendJson(response, 200, completion('late'))),
      'late-stream': (_request, response) =>
        later(() => {
          startEvents(response);
          response.end(answer);
        }),
      'refuses-soon': (_request, response) => sendJson(response, 429, { error: { message: 'slow down' } }),
      'refuses-late': (_request, response) =>
        later(() => sendJson(response, 400, { error: { message: 'no such voice', type: 'invalid_request_error' } })),
      'dies-late': (_request, response) => later(() => response.destroy()),
      silent: () => {},
      pauses: (_request, response) => {
        startEvents(response);
        response.write(`id: 1\n${chunkEvent({ role: 'assistant', content: 'at ' })}`);
        later(() => response.end(`id: 2\n${chunkEvent({ content: 'last' }, 'stop')}${DONE_EVENT}`));
      },
      'pauses-within': (_request, response) => {
        startEvents(response);
        const event = chunkEvent({ role: 'assistant', content: 'w'.repeat(5000) });
        response.write(event.slice(0, 3000));
        later(() => response.end(event.slice(3000) + answer));
      },
    }),
  );
  gateway = await startGateway({
    server: { keepalive_comment_ms: 150, timeouts: { first_byte_ms: 1500 } },
    manifests: [openAccount('p', `${provider.origin}/v1`)],
  });
});
disposeAfter(() => [gateway, provider]);

/** The data of each event that openai-python would hand on: it dispatches at every empty line once an event had an id. */
function dispatched(text: string): string[] {
  const data: string[] = [];
  let lines: string[] = [];
  let hadId = false;
  for (const line of text.split('\n')) {
    if (line === '' && (lines.length > 0 || hadId)) {
      data.push(lines.join('\n'));
      lines = [];
    } else if (line.startsWith('data:')) lines.push(line.slice(5).trim());
    else if (line.startsWith('id:')) hadId = true;
  }
  return data.slice(0, -1);
}

const stream = (model: string, headers: Record<string, string> = {}) =>
  new ChatStream(gateway, { model, messages, stream: true }, { headers });
const withoutComments = (text: string) => text.replaceAll(COMMENT, '');

describe('a stream that waits long for its first token', { concurrency: true }, () => {
  test('keep-alive comments come again and again with the head of a stream, and then the answer untouched', async () => {
    const client = stream('p/on-signal');
    await client.until(COMMENT.repeat(3));
    const { status, headers } = await client.head();
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/event-stream');
    assert.equal(headers['x-tfy-resolved-model'], undefined, 'another target may still answer');
    const [first, second] = client.pieces;
    assert.ok(second!.at - first!.at >= 100, 'not faster than every 150 ms');
    release.open();
    assert.equal(await client.ended(), 'whole');
    assert.equal(withoutComments(client.text()), answer);
    assert.ok(client.text().endsWith(answer), 'no comment within or behind it');
  });

  test('the head of the provider alone does not stop keep-alive comments', async () => {
    const client = stream('p/head-first');
    await client.until(COMMENT.repeat(2));
    assert.equal(await client.ended(), 'whole');
    assert.equal(withoutComments(client.text()), answer);
  });

  test('an official SDK does not see keep-alive comments', async () => {
    const openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const chunks = await openai.chat.completions.create({ model: 'p/late-stream', messages: [], stream: true });
    let text = '';
    for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? '';
    assert.equal(text, 'at last');
  });

  test('a request that is no stream gets no keep-alive comment', async () => {
    const response = await ask(gateway, { model: 'p/late', messages });
    assert.equal(await response.text(), JSON.stringify(completion('late')));
  });

  test('the true status is kept until the first keep-alive comment goes out', async () => {
    const response = await ask(gateway, { model: 'p/refuses-soon', messages, stream: true });
    assert.equal(response.status, 429);
    assert.match((await errorOf(response)).message, /slow down/);
  });

  test('an error after a keep-alive comment comes as an event, and the connection is cut', async () => {
    const refused = await brokenOff(stream('p/refuses-late', { 'x-request-id': 'refused-late' }));
    assert.match(refused.message, /no such voice/);
    assert.equal(withoutComments(refused.before), '');
    const record = await recordOf(gateway, 'refused-late');
    assert.equal(record['error.type'], 'upstream_rejected');
    assert.equal((await brokenOff(stream('p/dies-late'))).code, 'upstream_cut');
  });

  test('the first-byte timeout runs on through keep-alive comments', async () => {
    const { code, before } = await brokenOff(stream('p/silent'));
    assert.equal(code, 'first_byte_timeout');
    assert.ok(before.startsWith(COMMENT));
  });
});

describe('a stream that is silent between tokens', { concurrency: true }, () => {
  test('comments come between tokens as well, and no client sees an event without data', async () => {
    const client = stream('p/pauses');
    await client.until('"at "');
    await client.until(COMMENT.repeat(2));
    assert.equal(await client.ended(), 'whole');
    const text = client.text();
    assert.equal(withoutComments(text).split('data: ').length, 4);
    const events = dispatched(text);
    assert.equal(events.length, 3);
    for (const event of events) assert.ok(event === '[DONE]' || JSON.parse(event).choices.length === 1);
    // The same with an empty line behind each comment is what this is about.
    assert.ok(dispatched(text.replaceAll(COMMENT, `${COMMENT}\n`)).includes(''));
  });

  test('the official SDK reads the text of a stream with comments and nothing else', async () => {
    const openai = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
    const chunks = await openai.chat.completions.create({ model: 'p/pauses', messages: [], stream: true });
    let text = '';
    let count = 0;
    for await (const chunk of chunks) {
      count += 1;
      text += chunk.choices[0]?.delta.content ?? '';
    }
    assert.deepEqual([text, count], ['at last', 2]);
  });

  test('an event that came in two parts is not torn by a comment', async () => {
    const client = stream('p/pauses-within');
    assert.equal(await client.ended(), 'whole');
    for (const event of dispatched(client.text())) if (event !== '[DONE]') JSON.parse(event);
    assert.ok(withoutComments(client.text()).endsWith(answer));
  });
});
