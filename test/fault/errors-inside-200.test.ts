import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, selfHosted, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, startProvider } from '../support/provider.ts';
import { byModel } from '../support/scripted-provider.ts';

const error = { message: 'no room at the provider', code: 429, type: 'quota' };
const hello = chunkEvent({ role: 'assistant', content: 'hello '.repeat(50) });
const inChunk = chunkEvent({ content: '' }, 'error', { error });
const json = 'application/json';
const events = 'text/event-stream';

/** By name: what the provider says in its 200, and the status that the client sees where nothing went out before. */
const answers: Record<string, { type: string; body: string; status: number; words: RegExp }> = {
  whole: { type: json, body: JSON.stringify({ error }), status: 429, words: /no room/ },
  'whole-behind-id': {
    type: json,
    body: JSON.stringify({ id: 'x', error, choices: [] }),
    status: 429,
    words: /no room/,
  },
  'finish-reason': {
    type: json,
    body: JSON.stringify(completion('half')).replace('"stop"', '"error"'),
    status: 502,
    words: /finished with the reason/,
  },
  'event-first': { type: events, body: `data: ${JSON.stringify({ error })}\n\n`, status: 429, words: /no room/ },
  'event-behind-id': { type: events, body: `: wait\n\n${inChunk}${DONE_EVENT}`, status: 429, words: /no room/ },
  page: {
    type: 'text/html',
    body: '<html><title>Bad gateway of theirs</title></html>',
    status: 502,
    words: /of theirs/,
  },
  'without-the-key': { type: json, body: '{"detail":"no room in detail"}', status: 502, words: /no room/ },
  'by-its-type': { type: json, body: '{"type":"error","message":"no room by type"}', status: 502, words: /no room/ },
  'in-a-list': { type: json, body: JSON.stringify([{ error }]), status: 429, words: /no room/ },
  'an-object-that-says-nothing': { type: json, body: '{}', status: 502, words: /no choices/ },
  'no-whole-json': { type: json, body: `{"choices":[{"message":{"content":"hel`, status: 502, words: /not whole JSON/ },
  'event-without-the-key': { type: events, body: 'data: {"error_msg":"no room 7"}\n\n', status: 502, words: /no room/ },
  'event-in-a-list': { type: events, body: `data: ${JSON.stringify([{ error }])}\n\n`, status: 429, words: /no room/ },
  'event-of-text': { type: events, body: 'event: error\ndata: no room as text\n\n', status: 502, words: /no room/ },
  empty: { type: json, body: '', status: 502, words: /empty/ },
};
/** Behind content: the status has gone out. */
const middle = { type: events, body: hello + inChunk + hello + DONE_EVENT };

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  const all = { ...answers, middle };
  provider = await startProvider(
    byModel(
      Object.fromEntries(
        Object.entries(all).map(([name, { type, body }]) => [
          name,
          (_request, response) => response.writeHead(200, { 'content-type': type }).end(body),
        ]),
      ),
    ),
  );
  const cost = { metric: 'per_1000_tokens', value: { input: 1, output: 2 } };
  gateway = await startGateway({ manifests: [selfHosted('lab', provider.origin, Object.keys(all), { cost })] });
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY, maxRetries: 0 });
});
disposeAfter(() => [gateway, provider]);

/** What the SDK raises, with the pieces of content that came before. */
async function raisedBy(model: string, stream: boolean, id: string): Promise<{ raised: unknown; pieces: number }> {
  const headers = { 'x-request-id': id };
  const request = { model: `lab/${model}`, messages: [{ role: 'user' as const, content: 'hi' }] };
  let pieces = 0;
  try {
    if (!stream) await client.chat.completions.create(request, { headers });
    else {
      for await (const chunk of await client.chat.completions.create({ ...request, stream: true }, { headers })) {
        if (chunk.choices[0]?.delta.content) pieces += 1;
      }
    }
  } catch (raised) {
    return { raised, pieces };
  }
  return { raised: undefined, pieces };
}

for (const [name, { status, words }] of Object.entries(answers)) {
  for (const stream of [true, false]) {
    test(`a failure inside a 200 has its own status and words, and costs nothing: ${name}, ${stream ? 'streamed' : 'whole'}`, async () => {
      const id = `${name}-${stream}`;
      const { raised, pieces } = await raisedBy(name, stream, id);
      assert.ok(raised instanceof APIError, String(raised));
      assert.equal(raised.status, status);
      assert.match(raised.message, words);
      assert.equal(pieces, 0);
      const record = await recordOf(gateway, id);
      assert.equal(record['sluice.outcome'], 'error');
      assert.match(String(record['error.message']), words);
      assert.equal(record['sluice.usage.source'], undefined);
      assert.equal(record['sluice.cost.usd'], undefined);
    });
  }
}

test('a failure behind content is an error event that the SDK raises, recorded as cut, and costs nothing', async () => {
  const { raised, pieces } = await raisedBy('middle', true, 'middle');
  assert.ok(raised instanceof APIError, String(raised));
  assert.match(raised.message, /no room/);
  assert.equal(pieces, 1);
  const record = await recordOf(gateway, 'middle');
  assert.deepEqual([record['sluice.outcome'], record['error.type']], ['cut', 'upstream_rate_limited']);
  assert.match(String(record['error.message']), /no room/);
  assert.equal(record['sluice.usage.source'], undefined);
  assert.equal(record['sluice.cost.usd'], undefined);
});
