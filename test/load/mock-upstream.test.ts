import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Stats } from '../../load/mock-upstream/stats.ts';

const MAIN = fileURLToPath(new URL('../../load/mock-upstream/main.ts', import.meta.url));

let mock: ChildProcess;
let url = '';

before(async () => {
  mock = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const [line] = (await once(mock.stdout!, 'data')) as [Buffer];
  url = /http:\S+/.exec(line.toString())?.[0] ?? '';
});

after(async () => {
  mock.kill('SIGTERM');
  await once(mock, 'exit');
});

function ask(body: object, options: { headers?: Record<string, string>; path?: string; signal?: AbortSignal } = {}) {
  const { headers, path = '/v1/chat/completions', signal } = options;
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal });
}

async function stats(): Promise<Stats> {
  return (await fetch(`${url}/stats`)).json() as Promise<Stats>;
}

async function reset(): Promise<void> {
  await (await fetch(`${url}/stats/reset`, { method: 'POST' })).text();
}

/** The data lines of a stream, in order. */
function events(text: string): string[] {
  assert.ok(text.endsWith('\n\n'));
  const parts = text.slice(0, -2).split('\n\n');
  return parts.map((part) => /^data: ([^\n]+)$/.exec(part)?.[1] ?? assert.fail(`not an event: ${part}`));
}

type Chunk = { choices: { delta: { content?: string } }[]; usage?: object };

function words(text: string): (string | undefined)[] {
  return events(text).map((data) => (JSON.parse(data) as Chunk).choices[0]?.delta.content);
}

test('a whole mock answer is JSON with usage, under any base path', async () => {
  for (const path of ['/chat/completions', '/v1/chat/completions', '/some/base/v2/chat/completions']) {
    const response = await ask({ model: 'mock-tokens-7-8' }, { path });
    assert.equal(response.status, 200);
    const body = (await response.json()) as { object: string; model: string; usage: object };
    assert.equal(body.object, 'chat.completion');
    assert.equal(body.model, 'mock-tokens-7-8');
    assert.deepEqual(body.usage, { prompt_tokens: 7, completion_tokens: 8, total_tokens: 15 });
  }
});

test('the mock answers Messages in Anthropic’s form, with the counts that its name says, whole and streamed', async () => {
  const path = '/v1/messages';
  const whole = await ask({ model: 'mock-tokens-7-8' }, { path });
  const { type, stop_reason, usage } = (await whole.json()) as Record<string, unknown>;
  assert.deepEqual([type, stop_reason, usage], ['message', 'end_turn', { input_tokens: 7, output_tokens: 8 }]);
  const text = await (await ask({ model: 'mock-burst-3', stream: true }, { path })).text();
  const types = [...text.matchAll(/^event: (\w+)\ndata: \{"type":"(\w+)"/gm)].map(([, name, same]) => {
    assert.equal(name, same);
    return name;
  });
  const deltas = Array(3).fill('content_block_delta');
  const ends = ['content_block_stop', 'message_delta', 'message_stop'];
  assert.deepEqual(types, ['message_start', 'content_block_start', ...deltas, ...ends]);
});

test('a mock stream has its content events in order, a finish event and [DONE], and the same bytes each time', async () => {
  const texts = [];
  for (let i = 0; i < 2; i++) texts.push(await (await ask({ model: 'mock-burst-100', stream: true })).text());
  assert.equal(texts[0], texts[1]);
  const data = events(texts[0]!);
  assert.equal(data.pop(), '[DONE]');
  assert.match(data.pop()!, /"finish_reason":"stop"/);
  assert.deepEqual(
    data.map((one) => (JSON.parse(one) as Chunk).choices[0]?.delta.content),
    Array.from({ length: 100 }, (_, index) => `w${index} `),
  );
});

test('flushed, joined and paced mock streams of one length differ in nothing but their model', async () => {
  const read = async (model: string) =>
    (await (await ask({ model, stream: true })).text()).replaceAll(model, 'the-model');
  const joined = await read('mock-burst-5');
  assert.equal(await read('mock-burst-5-flushed'), joined);
  assert.equal(await read('mock-paced-2ms-5'), joined);
});

test('usage comes in a mock stream only where it is asked for, in an event without choices just before [DONE]', async () => {
  const plain = events(await (await ask({ model: 'mock-burst-2', stream: true })).text());
  assert.ok(plain.every((data) => !data.includes('"usage"')));
  const body = { model: 'mock-burst-2', stream: true, stream_options: { include_usage: true } };
  const asked = events(await (await ask(body)).text());
  assert.deepEqual(asked.toSpliced(-2, 1), plain);
  const usage = JSON.parse(asked.at(-2)!) as Chunk;
  assert.deepEqual(usage.choices, []);
  assert.deepEqual(usage.usage, { prompt_tokens: 12, completion_tokens: 2, total_tokens: 14 });
  const never = events(await (await ask({ ...body, model: 'mock-burst-2-usage-off' })).text());
  assert.equal(never.length, plain.length);
});

test('a whole mock answer has exactly the size that its model says', async () => {
  const response = await ask({ model: 'mock-size-64kb' });
  assert.equal(response.headers.get('content-length'), '65536');
  JSON.parse(await response.text());
});

test('a mock that dies mid-stream has sent what it promised and does not end the stream', async () => {
  const response = await ask({ model: 'mock-die-after-5', stream: true });
  let text = '';
  await assert.rejects(async () => {
    for await (const piece of response.body!) text += Buffer.from(piece).toString();
  });
  assert.equal(words(text).length, 5);
  await assert.rejects(ask({ model: 'mock-die' }), TypeError);
});

test('an error in a mock stream is an event of its own, and the stream ends', async () => {
  const text = await (await ask({ model: 'mock-error-after-2', stream: true })).text();
  assert.equal(events(text).length, 3);
  assert.match(events(text)[2]!, /^\{"error":/);
});

test('a mock’s error status comes with a body and retry-after, and heals after as many requests as said', async () => {
  await reset();
  const failed = await ask({ model: 'mock-status-429-retry-3s-times-1' });
  assert.equal(failed.status, 429);
  assert.equal(failed.headers.get('retry-after'), '3');
  assert.equal(((await failed.json()) as { error: { type: string } }).error.type, 'rate_limit_error');
  assert.equal((await ask({ model: 'mock-status-429-retry-3s-times-1' })).status, 200);
});

test('the head of a mock stream can come long before its content', async () => {
  const leave = new AbortController();
  const response = await ask({ model: 'mock-head-60000ms', stream: true }, { signal: leave.signal });
  assert.equal(response.status, 200);
  leave.abort();
});

test('x-mock stands in for the model name, and a wrong name is refused', async () => {
  assert.equal((await ask({ model: 'any' }, { headers: { 'x-mock': 'status-500' } })).status, 500);
  const wrong = await ask({ model: 'mock-nonsense' });
  assert.equal(wrong.status, 400);
  assert.match(await wrong.text(), /unknown word 'nonsense'/);
});

test('the mock’s echo tells path, headers and body as they arrived', async () => {
  const sent = { model: 'mock-echo', messages: [{ role: 'user', content: 'früh' }] };
  const response = await ask(sent, { headers: { 'x-own': 'yes' }, path: '/base/chat/completions' });
  const answer = (await response.json()) as { choices: { message: { content: string } }[] };
  const seen = JSON.parse(answer.choices[0]!.message.content) as Record<string, unknown>;
  assert.equal(seen['path'], '/base/chat/completions');
  assert.deepEqual(JSON.parse(String(seen['body'])), sent);
  assert.equal(seen['bodyBytes'], Buffer.byteLength(JSON.stringify(sent)));
  assert.ok((seen['headers'] as string[][]).some(([name, value]) => name === 'x-own' && value === 'yes'));
});

test('the mock finds the model in front of and behind a body of megabytes', async () => {
  const filler = 'x'.repeat(3_000_000);
  for (const body of [
    { model: 'mock-status-418', filler },
    { filler, model: 'mock-status-418' },
  ]) {
    assert.equal((await ask(body)).status, 418);
  }
});

test('a client that leaves the mock is counted, with its label and the moment', async () => {
  await reset();
  const body = JSON.stringify({ model: 'mock-paced-5ms-1000', stream: true, user: 'leaver-1' });
  const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`POST /chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await once(socket, 'data');
  const leftUs = Number(process.hrtime.bigint() / 1000n);
  socket.destroy();
  let seen = await stats();
  while (seen.aborted === 0) seen = await stats();
  assert.equal(seen.open, 0);
  assert.equal(seen.aborts.length, 1);
  const [abort] = seen.aborts;
  assert.equal(abort?.user, 'leaver-1');
  assert.ok(abort!.atUs >= leftUs && abort!.atUs - leftUs < 1_000_000);
});

test('a peer that does not read stops the mock’s stream', async () => {
  await reset();
  const body = JSON.stringify({ model: 'mock-stream-100mb', stream: true });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.pause();
  socket.write(`POST /chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  let seen = await stats();
  while (seen.contentEvents === 0) seen = await stats();
  let before = -1;
  // It has stopped once two looks in a row show the same count; bounded by the length of the stream.
  while (seen.contentEvents !== before) {
    before = seen.contentEvents;
    for (let i = 0; i < 20; i++) seen = await stats();
  }
  assert.ok(seen.contentEvents < 1600, `${seen.contentEvents} events of 64 KB were taken`);
  assert.equal(seen.open, 1);
  socket.destroy();
});
