import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GatewayError } from '../../../src/core/errors.ts';
import { SWEEP_MS } from '../../../src/core/sweeper.ts';
import { headerCredential } from '../../../src/providers/base/credential.ts';
import { mountAt, mountsOf } from '../../../src/providers/base/mount.ts';
import { tokenCredential } from '../../../src/providers/base/token-credential.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import { chunkEvent, completion, DONE_EVENT, USAGE_EVENT } from '../../support/provider.ts';
import { exampleMounts } from '../../support/targets.ts';
import { closeRelays, limits, Relayed, timeouts } from './local-provider.ts';

afterEach(closeRelays);

const hello = chunkEvent({ role: 'assistant', content: 'Hello' });
const finish = chunkEvent({}, 'stop');
const stream = hello + chunkEvent({ content: ' world' }) + finish;
const cut = () => new GatewayError('upstream_cut');

function errorIn(text: string): { message: string; code: string } {
  const event = text.slice(text.lastIndexOf('data: ') + 6);
  return JSON.parse(event).error;
}

test('usage of a stream is asked for, metered, and taken out again', () => {
  const relayed = new Relayed();
  const asked = JSON.parse(relayed.attempt.request.body.toString());
  assert.deepEqual(asked.stream_options, { include_usage: true });
  assert.equal(asked.model, 'model');
  relayed.attempt
    .events()
    .send(stream + USAGE_EVENT + DONE_EVENT)
    .end();
  assert.equal(relayed.sink.text(), stream + DONE_EVENT);
  assert.equal(relayed.sink.ending, 'ended');
  assert.equal(relayed.results.length, 1);
  assert.equal(relayed.result?.error, undefined);
  assert.equal(relayed.result?.meter.usage?.outputTokens, 7);
  assert.equal(relayed.sweeper.size, 0);
});

test('a provider that cannot give usage in streams is not asked for it', () => {
  const relayed = new Relayed({ target: { abilities: { usageInStream: false, developerRole: true } } });
  assert.equal(JSON.parse(relayed.attempt.request.body.toString()).stream_options, undefined);
  relayed.attempt
    .events()
    .send(stream + USAGE_EVENT + DONE_EVENT)
    .end();
  assert.equal(relayed.sink.text(), stream + USAGE_EVENT + DONE_EVENT, 'then no event was caused by us');
});

test('a provider that does not know the role developer gets it as system', () => {
  for (const [developerRole, role] of [
    [true, 'developer'],
    [false, 'system'],
  ] as const) {
    const relayed = new Relayed({
      body: { messages: [{ role: 'developer', content: 'be short' }] },
      target: { abilities: { usageInStream: true, developerRole } },
    });
    assert.equal(JSON.parse(relayed.attempt.request.body.toString()).messages[0].role, role);
  }
});

/** As vLLM and Mistral say it. */
const REFUSED_OPTIONS = JSON.stringify({
  object: 'error',
  message: {
    detail: [{ type: 'extra_forbidden', loc: ['body', 'stream_options'], msg: 'Extra inputs are not permitted' }],
  },
});
const asksUsage = (relayed: Relayed) => 'stream_options' in JSON.parse(relayed.attempt.request.body.toString());

test('a provider that refuses to be asked for usage is asked again without it, and from then on not at all', () => {
  for (const [status, words] of [
    [422, REFUSED_OPTIONS],
    [400, '{"error":{"message":"Unrecognized request argument supplied: stream_options"}}'],
    [400, '{"error":{"message":"Unknown parameter","param":"stream_options"}}'],
  ] as const) {
    // A target of its own: what is learned is learned of a target.
    const own = { abilities: { usageInStream: true, developerRole: true } };
    const relayed = new Relayed({ target: own });
    assert.ok(asksUsage(relayed));
    relayed.attempt.head(status).send(words).end();
    assert.equal(relayed.attempts.length, 2);
    assert.equal(asksUsage(relayed), false);
    relayed.attempt
      .events()
      .send(stream + USAGE_EVENT + DONE_EVENT)
      .end();
    assert.equal(
      relayed.sink.text(),
      stream + USAGE_EVENT + DONE_EVENT,
      'nothing was caused by us, so nothing is taken out',
    );
    assert.equal(relayed.result?.error, undefined);
    assert.equal(relayed.result?.attempts, 2);

    const later = new Relayed({ sameSteps: relayed });
    assert.equal(asksUsage(later), false);
  }
});

test('a refusal that the client caused is the client’s: of its own stream_options, and of anything else', () => {
  const asked = new Relayed({ body: { stream_options: { include_usage: true } } });
  asked.attempt.head(422).send(REFUSED_OPTIONS).end();
  assert.equal(asked.attempts.length, 1);
  assert.equal(asked.sink.status, 422);
  for (const [status, words] of [
    [400, '{"error":{"message":"prompt is too long"}}'],
    [500, REFUSED_OPTIONS],
  ] as const) {
    const other = new Relayed();
    other.attempt.head(status).send(words).end();
    assert.equal(other.attempts.length, 1);
  }
});

test('an answer to a request that asked for usage is stripped of it, whatever was learned of the target meanwhile', () => {
  const early = new Relayed();
  const late = new Relayed({ sameSteps: early });
  late.attempt.head(422).send(REFUSED_OPTIONS).end();
  early.attempt
    .events()
    .send(stream + USAGE_EVENT + DONE_EVENT)
    .end();
  assert.equal(early.sink.text(), stream + DONE_EVENT);
});

test('a stream that is cut at any byte ends with an error event and a cut, or before its first content with 502', () => {
  const whole = stream + USAGE_EVENT + DONE_EVENT;
  const untouched = stream + DONE_EVENT;
  const events = untouched.split(/(?<=\n\n)/);
  for (let at = 0; at < whole.length; at += 1) {
    const relayed = new Relayed();
    relayed.attempt.events().send(whole.slice(0, at));
    relayed.attempt.handler.failed(cut());
    const text = relayed.sink.text();
    assert.equal(relayed.results.length, 1);
    assert.equal(relayed.result?.error?.code, 'upstream_cut');
    if (at < hello.length) {
      assert.equal(relayed.sink.status, 502, `cut at ${at}`);
      assert.equal(JSON.parse(text).error.code, 'upstream_cut');
      assert.equal(relayed.sink.ending, 'ended');
      continue;
    }
    assert.equal(relayed.sink.status, 200, `cut at ${at}`);
    assert.equal(relayed.sink.ending, 'cut', `cut at ${at}`);
    assert.equal(errorIn(text).code, 'upstream_cut');
    const before = text.slice(0, text.lastIndexOf('data: '));
    const wholeEvents = events.slice(0, before.split('\n\n').length - 1).join('');
    assert.equal(before, wholeEvents, `cut at ${at}`);
    assert.ok(relayed.result?.cut);
  }
});

test('a whole answer that is cut at any byte is 502, and nothing of it reaches the client', () => {
  const whole = JSON.stringify(completion('hi'));
  for (let at = 0; at <= whole.length; at += 1) {
    const relayed = new Relayed({ body: { stream: false } });
    relayed.attempt.head(200, { 'content-type': 'application/json' }).send(whole.slice(0, at));
    relayed.attempt.handler.failed(cut());
    assert.equal(relayed.sink.status, 502);
    assert.equal(JSON.parse(relayed.sink.text()).error.code, 'upstream_cut');
  }
});

test('a large whole answer that is cut after its beginning was passed on is cut, without an event', () => {
  const relayed = new Relayed({ body: { stream: false } });
  const part = JSON.stringify(completion('x'.repeat(200_000))).slice(0, 150_000);
  relayed.attempt.head(200, { 'content-type': 'application/json' }).send(part);
  relayed.attempt.handler.failed(cut());
  assert.equal(relayed.sink.text(), part);
  assert.equal(relayed.sink.ending, 'cut');
});

test('the next target answers before the first content, and the client sees nothing of the first one', () => {
  for (const fail of [
    (relayed: Relayed) => relayed.attempt.handler.failed(new GatewayError('connect_failed')),
    (relayed: Relayed) => relayed.attempt.head(500).send('{"error":{"message":"no"}}').end(),
    (relayed: Relayed) => relayed.attempt.head(401).send('{"error":{"message":"no"}}').end(),
    (relayed: Relayed) => relayed.attempt.events().send(': wait\n\ndata: {"error":{"code":503}}\n\n').end(),
    (relayed: Relayed) => relayed.attempt.events().send('data: {"error":{"code":503}}\n').end(),
    (relayed: Relayed) => relayed.attempt.events().send(hello.slice(0, 20)).handler.failed(cut()),
  ]) {
    const relayed = new Relayed({ targets: ['first', 'second'] });
    fail(relayed);
    assert.equal(relayed.attempts.length, 2, String(fail));
    relayed.attempt
      .events()
      .send(stream + DONE_EVENT)
      .end();
    assert.equal(relayed.sink.text(), stream + DONE_EVENT);
    assert.equal(relayed.sink.headers['x-tfy-resolved-model'], 'second/model');
    assert.equal(relayed.result?.attempts, 2);
    assert.equal(relayed.result?.target.id, 'second/model');
    assert.equal(relayed.result?.error, undefined);
  }
});

test('a bug on the way to the next target costs the exchange, and does not leave it open', () => {
  let asked = 0;
  const relayed = new Relayed({
    targets: ['first', 'second'],
    target: {
      local: (_request, handler) => {
        asked += 1;
        if (asked === 2) throw new Error('a bug');
        queueMicrotask(() => handler.failed(new GatewayError('connect_failed')));
        return { pause: () => {}, resume: () => {}, abort: () => {} };
      },
    },
  });
  return Promise.resolve().then(() => {
    assert.equal(relayed.result?.error?.code, 'internal_error');
    assert.equal(relayed.sink.status, 500);
    assert.equal(relayed.sweeper.size, 0);
  });
});

test('no target is tried again after the first content', () => {
  const relayed = new Relayed({ targets: ['first', 'second'] });
  relayed.attempt.events().send(hello);
  relayed.attempt.handler.failed(cut());
  assert.equal(relayed.attempts.length, 1);
  assert.equal(relayed.sink.ending, 'cut');
});

test('the client’s own fault is not tried at the next target', () => {
  const relayed = new Relayed({ targets: ['first', 'second'] });
  relayed.attempt
    .head(400)
    .send('{"error":{"message":"Bad request of yours","type":"t","param":"n","code":"c"}}')
    .end();
  assert.equal(relayed.attempts.length, 1);
  assert.equal(relayed.sink.status, 400);
  const { error } = JSON.parse(relayed.sink.text());
  assert.deepEqual(error, { message: 'Bad request of yours', type: 't', code: 'c', param: 'n' });
});

test('a refused credential is told to the owner of the relay, also where another target answers', () => {
  const relayed = new Relayed({ targets: ['first', 'second'] });
  relayed.attempt.head(401).send('{"error":{"message":"no"}}').end();
  relayed.attempt
    .events()
    .send(stream + DONE_EVENT)
    .end();
  assert.equal(relayed.result?.error, undefined);
  assert.deepEqual(relayed.refusedCredentials, ['first/model']);

  const alone = new Relayed();
  alone.attempt.head(402, { 'x-should-retry': 'true' }).send('{"error":{"message":"pay"}}').end();
  assert.deepEqual(alone.refusedCredentials, ['main/model']);
  assert.equal(alone.sink.headers['x-should-retry'], 'false', 'SDKs shall not try again by themselves');
});

test('an error in a stream that quotes our credential reaches the client without it, wherever it stands', () => {
  const SECRET = 'sk-upstream-SECRET-4711';
  const credential = headerCredential(['authorization', `Bearer ${SECRET}`]);
  const mounts = mountsOf([mountAt({ wire: openAiChatWire, url: 'https://provider.example', credential })]);
  const quoting = `data: ${JSON.stringify({ error: { message: `bad key ${SECRET}`, type: SECRET, code: SECRET } })}\n\n`;
  for (const sent of [quoting, hello + quoting, stream + quoting, stream + quoting + DONE_EVENT]) {
    const relayed = new Relayed({ target: { mounts } });
    relayed.attempt.events().send(sent).end();
    assert.ok(!relayed.sink.text().includes('SECRET'), relayed.sink.text());
    assert.match(relayed.sink.text(), /bad key \[redacted\]/);
    assert.ok(!JSON.stringify(relayed.result?.error?.context).includes('SECRET'));
  }
});

test('headers of the attempt that answered reach the client, and those of a failed one do not', () => {
  const relayed = new Relayed({ targets: ['first', 'second'] });
  relayed.attempt.head(429, { 'retry-after': '7', 'x-ratelimit-limit': '1' }).end();
  relayed.attempt
    .head(200, {
      'content-type': 'text/event-stream',
      'x-ratelimit-limit': '2',
      'x-request-id': 'up-2',
      'set-cookie': 'a',
    })
    .send(stream)
    .end();
  const { headers } = relayed.sink;
  assert.equal(headers['x-ratelimit-limit'], '2');
  assert.equal(headers['retry-after'], undefined);
  assert.equal(headers['x-upstream-request-id'], 'up-2');
  assert.equal(headers['x-request-id'], 'request-1');
  assert.equal(headers['set-cookie'], undefined);
});

test('headers of an attempt that was answered do not stay for a later one that never was', () => {
  const relayed = new Relayed({ targets: ['first', 'second'] });
  relayed.attempt.head(429, { 'retry-after': '7' }).end();
  relayed.attempt.handler.failed(new GatewayError('connect_failed'));
  assert.equal(relayed.sink.status, 502);
  assert.equal(relayed.sink.headers['retry-after'], undefined);
});

test('a provider’s retry-after reaches the client with its refusal', () => {
  const relayed = new Relayed();
  relayed.attempt
    .head(429, { 'retry-after': '7', 'x-ratelimit-reset': '8s' })
    .send('{"error":{"message":"slow"}}')
    .end();
  assert.equal(relayed.sink.status, 429);
  assert.equal(relayed.sink.headers['retry-after'], '7');
  assert.equal(relayed.sink.headers['x-ratelimit-reset'], '8s');
  assert.match(JSON.parse(relayed.sink.text()).error.message, /slow/);
});

test('a client that leaves stops the attempt, and nothing is written any more', () => {
  const relayed = new Relayed();
  relayed.attempt.events().send(hello);
  relayed.exchange.abort('client');
  assert.ok(relayed.attempt.aborted);
  assert.equal(relayed.result?.error?.code, 'client_closed');
  assert.equal(relayed.result?.status, 499);
  assert.equal(relayed.results.length, 1);
  assert.equal(relayed.sweeper.size, 0);
  relayed.attempt.handler.chunk(Buffer.from(hello));
  relayed.attempt.handler.failed(cut());
  assert.equal(relayed.sink.text(), hello);
  assert.equal(relayed.results.length, 1);
});

test('each reason to break off has its own error code', () => {
  for (const [reason, code] of [
    ['client', 'client_closed'],
    ['drain', 'draining'],
    ['write-timeout', 'write_timeout'],
  ] as const) {
    const relayed = new Relayed();
    relayed.exchange.abort(reason);
    assert.equal(relayed.result?.error?.code, code);
  }
});

test('a full client pauses the provider, and a drained one lets it go on', () => {
  const relayed = new Relayed();
  relayed.sink.takes = 100;
  relayed.attempt.events().send(hello);
  assert.ok(relayed.attempt.paused);
  relayed.sink.takes = Number.POSITIVE_INFINITY;
  relayed.sink.onDrained?.();
  assert.equal(relayed.attempt.paused, false);
});

test('JSON in place of a stream becomes the events of a stream, whatever it calls itself', () => {
  for (const label of ['application/json', 'text/event-stream', 'text/plain', undefined]) {
    for (const include_usage of [true, false]) {
      const relayed = new Relayed({ body: { stream_options: { include_usage } } });
      const headers: Record<string, string> = label === undefined ? {} : { 'content-type': label };
      relayed.attempt
        .head(200, headers)
        .send(JSON.stringify(completion('hi')))
        .end();
      assert.equal(relayed.sink.headers['content-type'], 'text/event-stream', label);
      const [said, finished, ...rest] = relayed.sink.text().split('\n\n');
      assert.match(said ?? '', /"delta":\{"role":"assistant","content":"hi"\},"finish_reason":null/);
      assert.match(finished ?? '', /"finish_reason":"stop"/);
      assert.deepEqual(rest.slice(-2), ['data: [DONE]', '']);
      assert.equal(rest.length, include_usage ? 3 : 2);
      assert.equal(relayed.sink.ending, 'ended');
      assert.equal(relayed.result?.meter.usage?.outputTokens, 7);
    }
  }
});

test('a stream in place of a whole answer becomes one answer, whatever it calls itself', () => {
  for (const label of ['application/json', 'text/event-stream']) {
    const relayed = new Relayed({ body: { stream: false } });
    relayed.attempt.head(200, { 'content-type': label }).send(stream + USAGE_EVENT + DONE_EVENT);
    assert.equal(relayed.sink.ending, 'ended');
    assert.equal(relayed.sink.headers['content-type'], 'application/json');
    const { choices, usage, object } = JSON.parse(relayed.sink.text());
    assert.deepEqual(choices, [
      { index: 0, message: { role: 'assistant', content: 'Hello world' }, finish_reason: 'stop' },
    ]);
    assert.equal(object, 'chat.completion');
    assert.equal(usage.completion_tokens, 7);
    assert.equal(relayed.result?.meter.usage?.outputTokens, 7);
  }
});

test('a stream that nobody asked for and that is cut is 502, not half an answer', () => {
  for (const end of ['ended', 'failed'] as const) {
    const relayed = new Relayed({ body: { stream: false } });
    relayed.attempt.events().send(hello);
    if (end === 'ended') relayed.attempt.end();
    else relayed.attempt.handler.failed(cut());
    assert.equal(relayed.sink.status, 502);
    assert.equal(relayed.result?.error?.code, 'upstream_cut');
  }
});

test('a stream is a stream whatever it calls itself: it passes as it comes', () => {
  for (const label of ['Text/Event-Stream; charset=UTF-8', 'application/json', 'application/octet-stream', '']) {
    const relayed = new Relayed();
    relayed.attempt.head(200, { 'content-type': label }).send(hello);
    assert.equal(relayed.sink.text(), hello, label);
    assert.match(relayed.sink.headers['content-type'] ?? '', /^text\/event-stream/i);
    relayed.attempt.handler.failed(cut());
    assert.equal(errorIn(relayed.sink.text()).code, 'upstream_cut');
  }
});

test('HTML, other words and nothing at all are failures where an answer was due, and the next target is asked', () => {
  for (const [label, body, words] of [
    ['text/html', '<html><title>503 Backend fetch failed</title>', /503 Backend fetch failed/],
    ['application/json', '<html><title>503 Backend fetch failed</title>', /503 Backend fetch failed/],
    ['text/event-stream', '<html><title>Login</title>', /Login/],
    ['text/plain', 'no healthy upstream', /no healthy upstream/],
    ['application/json', '', /empty/],
    ['application/json', ' \n', /empty/],
    ['application/json', '{"error":{"message":"Rate limited","code":429}}', /Rate limited/],
    ['text/event-stream', '', /empty/],
    ['text/event-stream', 'no healthy upstream', /without its last event/],
  ] as const) {
    for (const stream of [true, false]) {
      const relayed = new Relayed({ body: { stream } });
      relayed.attempt.head(200, { 'content-type': label }).send(body).end();
      const how = `${label} ${body} ${stream}`;
      assert.equal(relayed.sink.status, body.includes('429') ? 429 : 502, how);
      assert.match(JSON.parse(relayed.sink.text()).error.message, words, how);
      const retried = new Relayed({ body: { stream }, targets: ['first', 'second'] });
      retried.attempt.head(200, { 'content-type': label }).send(body).end();
      assert.equal(retried.attempts.length, 2, how);
    }
  }
});

test('behind its own end the answer is whole, however long the provider keeps its connection or however it closes', () => {
  for (const afterwards of ['nothing', 'ended', 'failed'] as const) {
    const relayed = new Relayed();
    relayed.attempt.events().send(stream + DONE_EVENT);
    assert.equal(relayed.sink.ending, 'ended');
    assert.equal(relayed.result?.error, undefined);
    assert.equal(relayed.result?.cut, false);
    assert.equal(relayed.sweeper.size, 0);
    if (afterwards === 'ended') relayed.attempt.handler.ended();
    if (afterwards === 'failed') relayed.attempt.handler.failed(cut());
    assert.equal(relayed.results.length, 1);
    assert.equal(relayed.sink.text(), stream + DONE_EVENT);
  }
});

test('an event too long to be held and cut in its middle is closed before the error event, which stands alone', () => {
  const relayed = new Relayed({ settings: { limits: { ...limits, maxEventBytes: 65_536 } } });
  const long = chunkEvent({ content: 'x'.repeat(100_000) });
  relayed.attempt.events().send(hello).send(long.slice(0, 90_000));
  relayed.attempt.handler.failed(cut());
  const [first, half, error, ...rest] = relayed.sink.text().split('\n\n');
  assert.equal(`${first}\n\n`, hello);
  assert.equal(half, long.slice(0, 90_000));
  assert.equal(JSON.parse(error?.slice('data: '.length) ?? '').error.code, 'upstream_cut');
  assert.deepEqual(rest, ['']);
});

test('memory that large events take of the shared part is given back however the exchange ends', () => {
  for (const end of ['failed', 'client', 'event'] as const) {
    const relayed = new Relayed({ settings: { limits: { ...limits, maxEventBytes: 16_777_216 } } });
    const long = chunkEvent({ content: 'x'.repeat(1_000_000) });
    relayed.attempt.events().send(hello).send(long.slice(0, 900_000));
    assert.ok(relayed.sharedMemory.bodyBytes > 800_000);
    if (end === 'failed') relayed.attempt.handler.failed(cut());
    else if (end === 'client') relayed.exchange.abort('client');
    else relayed.attempt.send(long.slice(900_000) + finish + DONE_EVENT);
    assert.equal(relayed.sharedMemory.bodyBytes, 0, end);
  }
});

test('an answer that is compressed although nothing but identity was asked for is not passed off as plain', () => {
  for (const contentType of ['application/json', 'text/event-stream']) {
    const relayed = new Relayed();
    relayed.attempt
      .head(200, { 'content-type': contentType, 'content-encoding': 'gzip' })
      .send(gzipSync('{"choices":[]}'))
      .end();
    assert.equal(relayed.sink.status, 502, contentType);
    assert.equal(relayed.result?.error?.code, 'upstream_protocol');
  }
  const relayed = new Relayed({ body: { stream: false } });
  relayed.attempt
    .head(200, { 'content-type': 'application/json', 'content-encoding': 'identity' })
    .send('{"choices":[]}')
    .end();
  assert.equal(relayed.sink.status, 200);
});

test('a stream that waits for its first token gets comments, and then its answer', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
  const { bodyReadAt } = relayed.exchange;
  relayed.relay.sweep(bodyReadAt + 999);
  assert.equal(relayed.sink.started, false);
  relayed.relay.sweep(bodyReadAt + 1001);
  assert.equal(relayed.sink.status, 200);
  assert.equal(relayed.sink.headers['content-type'], 'text/event-stream');
  relayed.relay.sweep(bodyReadAt + 1900);
  relayed.relay.sweep(bodyReadAt + 2100);
  assert.equal(relayed.sink.text(), ': keep-alive\n: keep-alive\n');
  relayed.attempt.events().send(stream).end();
  assert.equal(relayed.sink.text(), `: keep-alive\n: keep-alive\n${stream}`);
  assert.equal(relayed.sink.ending, 'ended');
});

test('an error after a comment went out is an event and a cut', () => {
  for (const fail of [
    (relayed: Relayed) => relayed.attempt.handler.failed(new GatewayError('connect_failed')),
    (relayed: Relayed) => relayed.attempt.head(400).send('{"error":{"message":"no"}}').end(),
  ]) {
    const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
    relayed.relay.sweep(relayed.exchange.bodyReadAt + 1001);
    fail(relayed);
    assert.match(relayed.sink.text(), /^: keep-alive\ndata: \{"error":/);
    assert.equal(relayed.sink.ending, 'cut');
  }
});

test('another target may still answer after a comment went out', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 }, targets: ['first', 'second'] });
  relayed.relay.sweep(relayed.exchange.bodyReadAt + 1001);
  relayed.attempt.handler.failed(new GatewayError('connect_failed'));
  relayed.attempt.events().send(stream).end();
  assert.equal(relayed.sink.text(), `: keep-alive\n${stream}`);
});

test('after a comment went out an answer that is no stream becomes the events that the client waits for', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
  relayed.relay.sweep(relayed.exchange.bodyReadAt + 1001);
  relayed.attempt
    .head(200, { 'content-type': 'application/json' })
    .send(JSON.stringify(completion('hi')))
    .end();
  assert.match(relayed.sink.text(), /^: keep-alive\ndata: \{.*"content":"hi".*data: \[DONE\]\n\n$/s);
  assert.equal(relayed.sink.ending, 'ended');
});

test('a stream that falls silent between tokens gets comments, and none while it talks', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
  const from = relayed.exchange.bodyReadAt;
  relayed.attempt.events().send(hello);
  relayed.relay.sweep(from + 900);
  relayed.relay.sweep(from + 1800);
  assert.equal(relayed.sink.text(), hello, 'not so long after the last token');
  relayed.relay.sweep(from + 1901);
  assert.equal(relayed.sink.text(), `${hello}: keep-alive\n`);
  relayed.attempt.send(hello);
  relayed.relay.sweep(from + 2950);
  relayed.relay.sweep(from + 3900);
  assert.equal(relayed.sink.text(), `${hello}: keep-alive\n${hello}`);
  relayed.relay.sweep(from + 3960);
  assert.equal(relayed.sink.text(), `${hello}: keep-alive\n${hello}: keep-alive\n`);
});

test('a comment stands between events: never within one, and never behind the last', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
  const from = relayed.exchange.bodyReadAt;
  const text = chunkEvent({ content: 'x'.repeat(3000) });
  let at = 0;
  for (const piece of [hello, text.slice(0, 2000), text.slice(2000), 'data: [DO', 'NE]\n\n']) {
    if (at === 0) relayed.attempt.events();
    relayed.attempt.send(piece);
    at += 1100;
    relayed.relay.sweep(from + at);
    at += 1100;
    relayed.relay.sweep(from + at);
  }
  for (const event of relayed.sink.text().split('\n\n')) assert.match(event, /^(: keep-alive\n)*(data: .*)?$/);
  assert.equal(relayed.sink.text().replaceAll(': keep-alive\n', ''), `${hello}${text}data: [DONE]\n\n`);
  assert.ok(relayed.sink.text().endsWith('data: [DONE]\n\n'));
});

test('a client that takes nothing gets no comments on top', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 } });
  relayed.sink.takes = 0;
  relayed.attempt.events().send(hello);
  assert.equal(relayed.attempt.paused, true);
  relayed.relay.sweep(relayed.exchange.bodyReadAt + 60_000);
  assert.equal(relayed.sink.text(), hello);
});

test('a whole request gets no comments', () => {
  const relayed = new Relayed({ settings: { keepaliveCommentMs: 1000 }, body: { stream: false } });
  relayed.relay.sweep(relayed.exchange.bodyReadAt + 60_000);
  assert.equal(relayed.sink.started, false);
});

test('the first-byte timeout runs on through comments of the provider', () => {
  const relayed = new Relayed({ settings: { timeouts: { ...timeouts, firstByteMs: 1000 } } });
  relayed.attempt.events().send(': wait\n\n');
  relayed.relay.sweep(performance.now() + 2000);
  assert.ok(relayed.attempt.aborted);
  assert.equal(relayed.result?.error?.code, 'first_byte_timeout');
  assert.equal(relayed.sink.status, 504);
  assert.match(JSON.parse(relayed.sink.text()).error.message, /timeouts\.first_byte_ms: 1000/);
});

test('the next target has timeouts of its own after a timeout', () => {
  const relayed = new Relayed({
    settings: { timeouts: { ...timeouts, firstByteMs: 1000 } },
    targets: ['first', 'second'],
  });
  const [first] = relayed.attempts;
  relayed.relay.sweep(performance.now() + 1500);
  assert.ok(first?.aborted);
  assert.equal(relayed.attempts.length, 2);
  relayed.relay.sweep(performance.now() + SWEEP_MS);
  assert.equal(relayed.results.length, 0);
});

test('a stream that goes silent ends with an error event that names the timeout', () => {
  const relayed = new Relayed({ settings: { timeouts: { ...timeouts, idleMs: 1000 } } });
  relayed.attempt.events().send(hello);
  const now = performance.now();
  relayed.relay.sweep(now);
  relayed.relay.sweep(now + 1001);
  assert.equal(errorIn(relayed.sink.text()).code, 'idle_timeout');
  assert.match(errorIn(relayed.sink.text()).message, /timeouts\.idle_ms: 1000/);
  assert.equal(relayed.sink.ending, 'cut');
});

test('the memory of a large body is given back with the first content, and not before', () => {
  const body = { messages: [{ role: 'user', content: 'x'.repeat(50_000) }] };
  const relayed = new Relayed({ body });
  relayed.attempt.events();
  assert.equal(relayed.exchange.released, false);
  relayed.attempt.send(hello);
  assert.ok(relayed.exchange.released);
  const small = new Relayed();
  small.attempt.events().send(hello);
  assert.equal(small.exchange.released, false);
});

test('bytes that a provider sends after its answer failed are ignored', () => {
  const relayed = new Relayed();
  relayed.attempt.events().send('data: {"error":{"code":429,"message":"busy"}}\n\n');
  assert.ok(relayed.attempt.aborted);
  assert.equal(relayed.sink.status, 429);
  relayed.attempt.handler.chunk(Buffer.from(hello));
  relayed.attempt.handler.ended();
  assert.equal(relayed.results.length, 1);
  assert.equal(relayed.sink.ending, 'ended');
});

test('an answer that ends before its head is upstream_protocol', () => {
  const relayed = new Relayed();
  relayed.attempt.end();
  assert.equal(relayed.result?.error?.code, 'upstream_protocol');
  assert.equal(relayed.sink.status, 502);
});

test('an error answer is read up to a bound, and its words reach the client', () => {
  const relayed = new Relayed();
  relayed.attempt.head(422);
  for (let i = 0; i < 100; i += 1) relayed.attempt.send('x'.repeat(10_000));
  relayed.attempt.end();
  assert.equal(relayed.sink.status, 422);
  assert.ok(relayed.sink.text().length < 10_000);
});

test('an error answer that is cut is still the provider’s refusal', () => {
  const relayed = new Relayed();
  relayed.attempt.head(404).send('{"error":{"message":"no such');
  relayed.attempt.handler.failed(cut());
  assert.ok([404, 502].includes(relayed.sink.status ?? 0));
  assert.equal(relayed.sink.ending, 'ended');
});

test('the head of an answer says how long the provider took', () => {
  const relayed = new Relayed({ body: { stream: false } });
  relayed.attempt.head(200, { 'content-type': 'application/json' }).send('{"choices":[]}').end();
  const upstreamMs = Number(relayed.sink.headers['upstream-ms']);
  assert.ok(upstreamMs > 0 && upstreamMs < 5_000);
});

test('a target whose form nobody can translate says so, and nothing is sent', () => {
  const { translation: _none, ...untranslated } = openAiChatWire;
  const relayed = new Relayed({ target: { mounts: exampleMounts({ ...untranslated, name: 'another-form' }) } });
  assert.equal(relayed.attempts.length, 0);
  assert.equal(relayed.sink.status, 400);
  assert.equal(relayed.result?.error?.code, 'unsupported_operation');
});

test('an account whose token has ended is 503 that names it, nothing is sent, and the next target is asked', () => {
  const place = { tokens: new Map(), id: 'main 1', account: 'main' };
  const credential = tokenCredential(place, () => []);
  const mounts = mountsOf([mountAt({ wire: openAiChatWire, url: 'https://provider.example', credential })]);
  const alone = new Relayed({ target: { mounts } });
  assert.equal(alone.attempts.length, 0);
  assert.equal(alone.sink.status, 503);
  assert.match(JSON.parse(alone.sink.text()).error.message, /Account `main` has no token yet/);
  assert.equal(alone.result?.dispatched, false);

  const two = new Relayed({ targets: ['first', 'second'], targetOf: { first: { mounts } } });
  two.attempt
    .events()
    .send(stream + DONE_EVENT)
    .end();
  assert.equal(two.result?.target.id, 'second/model');
  assert.match(two.result?.attemptsJson ?? '', /account_token_missing/);
});

test('a provider that failed is 502 with its words', () => {
  const relayed = new Relayed();
  relayed.attempt.head(500).send('{"error":{"message":"Segmentation fault"}}').end();
  assert.equal(relayed.sink.status, 502);
  assert.equal(relayed.result?.error?.code, 'upstream_failed');
  assert.match(relayed.sink.text(), /Segmentation fault/);
});

test('a full upstream queue refuses at once, with the setting to raise', () => {
  const relayed = new Relayed({
    target: { local: undefined },
    settings: { limits: { ...limits, maxUpstreamConnections: 0, maxUpstreamQueue: 0 } },
  });
  assert.equal(relayed.sink.status, 503);
  assert.match(relayed.sink.text(), /limits\.max_upstream_queue: 0/);
});
