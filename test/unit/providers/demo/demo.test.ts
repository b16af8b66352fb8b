import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { demoAccount } from '../../../../src/providers/demo/index.ts';
import type { AttemptControl, AttemptHandler } from '../../../../src/providers/provider.ts';
import { fromStream, fromWhole } from '../../../support/chat-answer.ts';

const target = demoAccount().target('chat');
assert.ok(target?.local);
const { local } = target;

interface Played {
  status: number;
  contentType: unknown;
  body: Buffer;
}

function play(body: unknown, onChunk: (control: AttemptControl, count: number) => void = () => {}): Promise<Played> {
  return new Promise((resolve, reject) => {
    const played: Played = { status: 0, contentType: '', body: Buffer.alloc(0) };
    let count = 0;
    const handler: AttemptHandler = {
      started(status, headers) {
        played.status = status;
        played.contentType = headers['content-type'];
      },
      chunk(bytes) {
        count += 1;
        played.body = Buffer.concat([played.body, bytes]);
        onChunk(control, count);
      },
      ended: () => resolve(played),
      failed: reject,
    };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const control = local(
      { path: '/chat/completions', contentType: 'application/json', body: Buffer.from(text) },
      handler,
    );
    assert.equal(played.status, 0, 'nothing comes before the caller holds the control');
  });
}

const ask = (extra: object = {}) => ({
  model: 'chat',
  messages: [{ role: 'user', content: 'What is a sluice?' }],
  ...extra,
});

test('the demo’s answer says that it is a demo and quotes the question, whole and streamed', async () => {
  const whole = await play(ask());
  assert.equal(whole.status, 200);
  assert.equal(whole.contentType, 'application/json');
  const answer = fromWhole(whole.body);
  assert.match(answer.content, /demo/);
  assert.match(answer.content, /“What is a sluice\?”/);
  assert.equal(answer.finish, 'stop');
  const streamed = await play(ask({ stream: true, stream_options: { include_usage: true } }));
  assert.equal(streamed.contentType, 'text/event-stream');
  const { id: _, ...told } = fromStream(streamed.body);
  const { id: __, ...expected } = answer;
  assert.deepEqual(told, expected);
});

test('the demo gives the same answer to the same request', async () => {
  assert.deepEqual(fromWhole((await play(ask())).body), fromWhole((await play(ask())).body));
});

test('usage in a demo stream comes only where it was asked for', async () => {
  const { body } = await play(ask({ stream: true, max_tokens: 2 }));
  assert.ok(!body.includes('usage'));
  assert.equal(fromStream(body).usage, undefined);
});

test('max_tokens ends the demo’s answer, and the finish reason says so', async () => {
  const { content, finish, usage } = fromWhole((await play(ask({ max_tokens: 3 }))).body);
  assert.equal(content.trim().split(/\s+/).length, 3);
  assert.equal(finish, 'length');
  assert.deepEqual(usage, { prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 });
});

test('a paused demo answer stands still, and a resumed one goes on and loses nothing', async () => {
  let paused = false;
  const played = await play(ask({ stream: true }), (control, count) => {
    assert.ok(!paused, 'nothing comes while paused');
    if (count !== 3) return;
    paused = true;
    control.pause();
    setTimeout(() => {
      paused = false;
      control.resume();
    }, 100);
  });
  assert.match(fromStream(played.body).content, /as this one does\.$/);
});

test('an aborted demo answer sends nothing more', async () => {
  let calls = 0;
  const count = () => {
    calls += 1;
  };
  const handler = { started: count, chunk: () => {}, ended: count, failed: count };
  const control = local(
    { path: '/chat/completions', contentType: 'application/json', body: Buffer.from(JSON.stringify(ask())) },
    handler,
  );
  control.abort();
  control.resume();
  // There is no event to wait for: that nothing happens is the point.
  await wait(50);
  assert.equal(calls, 0);
});

test('a body that is no JSON object is refused by the demo as OpenAI would', async () => {
  for (const body of ['{', '[]']) {
    const { status, body: answer } = await play(body);
    assert.equal(status, 400);
    assert.equal(JSON.parse(answer.toString()).error.type, 'invalid_request_error');
  }
});

test('the demo reads parts of a message, and quotes a long question in part', async () => {
  const content = [
    { type: 'text', text: 'x'.repeat(5000) },
    { type: 'image_url', image_url: { url: 'data:,' } },
  ];
  const answer = fromWhole((await play({ messages: [{ role: 'user', content }] })).body);
  assert.ok(answer.content.includes('x…”') && answer.content.length < 1000);
});

test('the demo has one model for each operation that it answers', () => {
  assert.equal(demoAccount().target('gpt-4o'), undefined);
  assert.deepEqual(
    demoAccount().listed.map(({ id }) => id),
    ['chat', 'embedding', 'moderation', 'image', 'speech', 'transcription', 'rerank'].map((name) => `demo/${name}`),
  );
});
