import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import type { Target } from '../../../src/providers/provider.ts';
import { HeldMemory } from '../../../src/relay/held-memory.ts';
import { StreamPassthrough, type StreamPassthroughOptions } from '../../../src/relay/stream-passthrough.ts';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';
import { pieces } from '../../support/cuttings.ts';
import { heldMemory } from '../../support/held-memory.ts';
import { chunkEvent, DONE_EVENT, USAGE_EVENT } from '../../support/provider.ts';
import { exampleTarget } from '../../support/targets.ts';
import { assertLinear } from '../growth.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

const KEEP = { choices: 1, usageEvent: 'keep' } as const;
const TAKE_OUT = { choices: 1, usageEvent: 'take-out' } as const;

function start(more: Partial<StreamPassthroughOptions> = {}) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = new StreamPassthrough({
    host,
    meter,
    wire: openAiChatWire,
    target: exampleTarget,
    form: openAiChat.answers,
    expected: KEEP,
    memory: heldMemory(),
    contentType: 'text/event-stream',
    holdBytes: 65_536,
    maxEventBytes: 1_048_576,
    ...more,
  });
  return { host, meter, mode, send: (text: string) => mode.chunk(Buffer.from(text)) };
}

const role = chunkEvent({ role: 'assistant', content: '' });
const hello = chunkEvent({ role: 'assistant', content: 'Hello' });
const finish = chunkEvent({}, 'stop');
const big = (bytes: number) => chunkEvent({ content: 'x'.repeat(bytes) });
const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };

test('bytes before the first content commit nothing, and reach the client in front of it', () => {
  const { host, send } = start();
  for (const event of [': waiting\n\n', role, ': waiting\n\n']) send(event);
  assert.equal(host.contentType, undefined);
  assert.equal(host.contentPieces, 0);
  send(hello);
  assert.equal(host.contentType, 'text/event-stream');
  assert.equal(host.output().toString(), `: waiting\n\n${role}: waiting\n\n${hello}`);
});

test('more comments than may be held commit the answer, and are no content', () => {
  const { host, send } = start({ holdBytes: 100 });
  const comment = ': waiting\n\n';
  for (let sent = 0; sent <= 100; sent += comment.length) send(comment);
  assert.equal(host.contentType, 'text/event-stream');
  assert.equal(host.contentPieces, 0);
});

test('the answer is whole with its own end: the client is told at once, and nothing behind it reaches it', () => {
  const stream = hello + finish + DONE_EVENT;
  for (const size of [1, 7, 1000]) {
    const { host, mode, send } = start();
    for (const piece of pieces(Buffer.from(`${stream}: bye\n\ndata: {"error":{}}\n\n`), size)) mode.chunk(piece);
    assert.ok(host.finished, `pieces of ${size}`);
    send(hello);
    mode.ended();
    assert.equal(host.output().toString(), stream);
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('an answer without its own end is whole only where HTTP ends cleanly behind a finish reason of every choice', () => {
  const ofChoice = (index: number, reason: string | null) =>
    `data: ${JSON.stringify({ choices: [{ index, delta: { content: 'a' }, finish_reason: reason }] })}\n\n`;
  const cases: [text: string, choices: number, whole: boolean][] = [
    [hello + finish, 1, true],
    [hello + finish.replace('"finish_reason":"stop"', '"finish_reason": "stop"'), 1, true],
    [hello + finish + USAGE_EVENT, 1, true],
    [hello, 1, false],
    [hello + chunkEvent({}, ''), 1, false],
    [chunkEvent({ content: '"finish_reason":"stop" and [DONE]' }), 1, false],
    [`${hello}more data: [DONE]\n\n`, 1, false],
    [hello + finish.trimEnd(), 1, false],
    [`${hello + finish.trimEnd()}\n`, 1, false],
    [ofChoice(0, 'stop') + ofChoice(1, null), 1, false],
    [ofChoice(0, 'stop'), 2, false],
    [ofChoice(0, 'stop') + ofChoice(0, 'stop'), 2, false],
    [ofChoice(1, 'stop') + ofChoice(0, 'length'), 2, true],
    ['', 1, false],
    [': comment\n\n', 1, false],
    ['data: [DONE]\n\n', 1, true],
  ];
  for (const [text, choices, whole] of cases) {
    for (const size of [1, 1000]) {
      const { host, mode } = start({ expected: { choices, usageEvent: 'keep' } });
      for (const chunk of pieces(Buffer.from(text), size)) mode.chunk(chunk);
      mode.ended();
      assert.equal(host.error?.code, whole ? undefined : 'upstream_cut', `${size} ${text}`);
      assert.equal(host.finished, whole);
      assert.deepEqual(host.behindTheEnd, []);
    }
  }
});

test('a last event that lacks its empty line gets it where the answer is whole, and is dropped where it is half', () => {
  const cases: [text: string, passed: string | undefined][] = [
    [hello + DONE_EVENT.trimEnd(), hello + DONE_EVENT],
    [hello + finish + USAGE_EVENT.trimEnd(), hello + finish + USAGE_EVENT],
    [hello + finish + USAGE_EVENT.slice(0, 50), hello + finish],
    [hello + hello.slice(0, 50), undefined],
  ];
  for (const [text, passed] of cases) {
    const { host, mode, send } = start();
    send(text);
    mode.ended();
    assert.equal(host.finished, passed !== undefined, text);
    assert.equal(host.output().toString(), passed ?? hello);
  }
});

test('the bytes passed on end with a whole event at every moment, however the stream is cut', () => {
  const stream = hello + big(3_000) + finish + USAGE_EVENT + DONE_EVENT;
  for (const expected of [KEEP, TAKE_OUT]) {
    for (const size of [1, 7, 100]) {
      const { host, mode } = start({ expected });
      for (const piece of pieces(Buffer.from(stream), size)) {
        mode.chunk(piece);
        const passed = host.output().toString();
        assert.ok(passed === '' || passed.endsWith('}\n\n') || passed.endsWith(DONE_EVENT), passed.slice(-50));
        assert.equal(mode.unfinishedLine, false);
      }
      assert.ok(host.finished);
    }
  }
});

test('an error event fails the answer wherever it stands, with its words; what is before it reaches the client', () => {
  const words = { message: 'no room', code: 429 };
  const errors = [
    `data: ${JSON.stringify({ error: words })}\n\n`,
    `data: ${JSON.stringify({ id: 'gen-1', object: 'chat.completion.chunk', error: words, choices: [] })}\n\n`,
    chunkEvent({ content: '' }, 'error', { error: words }),
    `event: error\ndata: ${JSON.stringify(words)}\n\n`,
    `data: ${JSON.stringify({ object: 'error', ...words })}\n\n`,
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, error: words, finish_reason: 'error' }] })}\n\n`,
    `data:${JSON.stringify({ error: words })}\r\n\r\n`,
  ];
  for (const error of errors) {
    for (const before of ['', ': wait\n\n', role, hello, hello + finish]) {
      for (const size of [3, 10_000]) {
        const { host, mode } = start();
        for (const piece of pieces(Buffer.from(before + error + hello + DONE_EVENT), size)) mode.chunk(piece);
        mode.ended();
        assert.equal(host.error?.code, 'upstream_rate_limited', error);
        assert.match(host.error?.message ?? '', /no room/);
        const isCommitted = before.includes('Hello');
        assert.equal(host.contentType, isCommitted ? 'text/event-stream' : undefined, before);
        assert.equal(host.output().toString(), isCommitted ? before : '');
        assert.deepEqual(host.behindTheEnd, []);
      }
    }
  }
});

test('an error event that lacks its empty line is an error too', () => {
  for (const expected of [KEEP, TAKE_OUT]) {
    const { host, mode, send } = start({ expected });
    send('data: {"error":{"message":"busy","code":503}}\n');
    mode.ended();
    assert.equal(host.error?.code, 'upstream_overloaded');
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('words like an error event, an error that is null, and lines that are no JSON of their own are no error event', () => {
  const stream =
    `data: {"errors":1}\n\n${hello}data: text\ndata: {"error":{"message":"x"}}\n\ndata: {"error":null}\n\n` +
    chunkEvent({ content: 'an "error": {"code": 429}' }) +
    chunkEvent({ content: 'error' }, null, { error: null }) +
    finish;
  const { host, mode, send } = start();
  send(hello);
  send(stream);
  mode.ended();
  assert.equal(host.error, undefined);
  assert.equal(host.output().toString(), hello + stream);
});

test('only the event with empty choices and a usage is taken out, wherever it stands in a chunk', () => {
  const filterResults = 'data: {"choices":[],"prompt_filter_results":[]}\n\n';
  const stream = filterResults + hello + finish;
  for (const chunks of [
    [stream + USAGE_EVENT + DONE_EVENT],
    [stream, USAGE_EVENT, DONE_EVENT],
    [stream, USAGE_EVENT + DONE_EVENT],
    [stream + USAGE_EVENT, DONE_EVENT],
    [stream + USAGE_EVENT.slice(0, 30), USAGE_EVENT.slice(30) + DONE_EVENT],
  ]) {
    const { host, meter, send } = start({ expected: TAKE_OUT });
    for (const chunk of chunks) send(chunk);
    assert.equal(host.output().toString(), stream + DONE_EVENT);
    assert.equal(meter.usage?.outputTokens, 7);
  }
});

test('a usage on an event with choices stays, and so does a usage that is null', () => {
  const stream =
    chunkEvent({ content: 'a' }, null, { usage: null }) +
    'data: {"choices":[],"usage":null}\n\n' +
    chunkEvent({}, 'stop', { usage });
  const { host, meter, send } = start({ expected: TAKE_OUT });
  send(stream + DONE_EVENT);
  assert.equal(host.output().toString(), stream + DONE_EVENT);
  assert.equal(meter.usage?.inputTokens, 5);
});

test('two usage events one after the other are both read and both taken out', () => {
  const { host, meter, send } = start({ expected: TAKE_OUT });
  const second = USAGE_EVENT.replace('"completion_tokens":7', '"completion_tokens":9');
  send(hello + USAGE_EVENT + second + DONE_EVENT);
  assert.equal(host.output().toString(), hello + DONE_EVENT);
  assert.equal(meter.usage?.outputTokens, 9);
});

test('a usage in the content or in a nested object is not taken for the usage', () => {
  const stream =
    chunkEvent({ content: '"usage":{"prompt_tokens":999}' }) + chunkEvent({ content: 'x' }, null, { more: { usage } });
  for (const expected of [KEEP, TAKE_OUT]) {
    const { host, meter, send } = start({ expected });
    send(stream + DONE_EVENT);
    assert.equal(host.output().toString(), stream + DONE_EVENT);
    assert.equal(meter.usage, undefined);
  }
});

test('usage whose JSON is spread over two data lines is read', () => {
  const { meter, send } = start();
  send('data: {"choices":[],\ndata: "usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n');
  assert.equal(meter.usage?.outputTokens, 7);
});

test('line ends of every kind, mixed too, pass as soon as their event is whole and hide no usage', () => {
  for (const [one, two] of [
    ['\n', '\n'],
    ['\r\n', '\r\n'],
    ['\r', '\r'],
    ['\n', '\r\n'],
    ['\r\n', '\n'],
  ]) {
    const nl = one! + two!;
    const event = (json: string) => `data: ${json}${nl}`;
    const stream = event('{"choices":[{"delta":{"content":"a"}}]}') + event('{"choices":[{"delta":{"content":"b"}}]}');
    const usageEvent = event(`{"choices":[],"usage":${JSON.stringify(usage)}}`);
    for (const expected of [KEEP, TAKE_OUT]) {
      for (const size of [1, 1000]) {
        const { host, meter, mode } = start({ expected });
        const how = JSON.stringify({ nl, expected, size });
        for (const chunk of pieces(Buffer.from(stream), size)) mode.chunk(chunk);
        assert.equal(host.output().toString(), stream, how);
        assert.equal(host.contentPieces, 2, how);
        for (const chunk of pieces(Buffer.from(usageEvent), size)) mode.chunk(chunk);
        assert.equal(host.output().toString(), expected === TAKE_OUT ? stream : stream + usageEvent, how);
        assert.equal(meter.usage?.outputTokens, 7, how);
      }
    }
  }
});

test('events with content are counted one by one, comments, roles and usage not at all', () => {
  const { host, send } = start();
  send(': waiting\n\n');
  send(role + hello + hello + hello);
  assert.equal(host.contentPieces, 3);
  send(hello + hello.slice(0, 10));
  send(hello.slice(10));
  assert.equal(host.contentPieces, 5);
  send(`${': waiting\n\n'.repeat(10)}${hello}${USAGE_EVENT}`);
  assert.equal(host.contentPieces, 6);
});

test('only the event that a read cuts is copied', () => {
  for (const expected of [KEEP, TAKE_OUT]) {
    const { host, mode } = start({ expected });
    const first = Buffer.from(hello.repeat(100) + hello.slice(0, 20));
    const second = Buffer.from(hello.slice(20) + hello.repeat(100) + USAGE_EVENT.slice(0, 5));
    const third = Buffer.from(USAGE_EVENT.slice(5) + DONE_EVENT);
    for (const read of [first, second, third]) mode.chunk(read);
    const output = hello.repeat(201) + (expected === TAKE_OUT ? '' : USAGE_EVENT) + DONE_EVENT;
    assert.equal(host.output().toString(), output);
    const copied = host.written.filter(({ buffer }) => ![first, second].some((read) => read.buffer === buffer));
    assert.ok(host.written.some((bytes) => bytes.buffer === first.buffer && bytes.length === 100 * hello.length));
    assert.ok(host.written.some((bytes) => bytes.buffer === second.buffer && bytes.length === 100 * hello.length));
    assert.ok(Buffer.concat(copied).length <= hello.length + USAGE_EVENT.length + DONE_EVENT.length);
  }
});

test('a large event is held until it is whole, counted in the shared memory, and given back with what follows', () => {
  const taken: number[] = [];
  const shared = {
    holdBody: (bytes: number) => taken.push(bytes) > 0,
    releaseBody: (bytes: number) => taken.push(-bytes),
  };
  const { host, mode, send } = start({ memory: new HeldMemory(shared, 1), maxEventBytes: 16_777_216 });
  send(hello);
  const event = Buffer.from(big(8_000_000));
  for (const piece of pieces(event.subarray(0, -1), 65_536)) mode.chunk(piece);
  assert.equal(host.output().toString(), hello, 'nothing of it was passed on');
  const held = taken.reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(held > 7_900_000 && held < 8_200_000, String(held));
  mode.chunk(event.subarray(-1));
  assert.equal(host.writtenBytes, hello.length + event.length);
  send(finish);
  assert.equal(
    taken.reduce((sum, bytes) => sum + bytes, 0),
    0,
  );
});

test('the bytes of a large event are content before it is whole: a slow image is no silence', () => {
  const { host, mode, send } = start();
  send(hello);
  const before = host.contentPieces;
  for (const piece of pieces(Buffer.from(big(200_000)), 10_000).slice(0, -1)) mode.chunk(piece);
  assert.ok(host.contentPieces > before + 10);
  assert.equal(host.output().toString(), hello);
});

test('an event that may not be held passes in pieces, and the next ones are read again', () => {
  const full = { holdBody: () => false, releaseBody: () => assert.fail('nothing was taken') };
  const stream = hello + big(200_000) + big(70_000) + finish;
  for (const more of [{ maxEventBytes: 65_536 }, { memory: new HeldMemory(full, 1) }]) {
    for (const expected of [KEEP, TAKE_OUT]) {
      for (const size of [1, 7, 1000, 65_536, 1_000_000]) {
        const { host, meter, mode } = start({ expected, ...more });
        for (const chunk of pieces(Buffer.from(stream + USAGE_EVENT + DONE_EVENT), size)) mode.chunk(chunk);
        const output = stream + (expected === KEEP ? USAGE_EVENT : '') + DONE_EVENT;
        assert.ok(host.output().equals(Buffer.from(output)), `${size}`);
        assert.ok(host.finished);
        assert.equal(meter.usage?.outputTokens, 7, `${size}`);
      }
    }
  }
});

test('only of an event that passes in pieces the client may have a part, and whoever writes next is told', () => {
  const { mode, send, host } = start({ maxEventBytes: 65_536 });
  send(hello);
  const event = big(100_000);
  send(event.slice(0, 60_000));
  assert.equal(mode.unfinishedLine, false);
  send(event.slice(60_000, 90_000));
  assert.equal(mode.unfinishedLine, true);
  mode.ended();
  assert.equal(host.error?.code, 'upstream_cut');
});

test('usage on a large event is read, and its finish reason counts', () => {
  const image = { images: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(300_000)}` } }] };
  const { host, meter, mode, send } = start();
  send(chunkEvent(image, null, { usage }));
  assert.equal(meter.usage?.outputTokens, 7);
  assert.equal(host.contentPieces, 1);
  send(chunkEvent(image, 'stop'));
  mode.ended();
  assert.ok(host.finished);
});

test('bytes that are no events at all pass as they are', () => {
  const { host, send } = start({ expected: TAKE_OUT });
  const nonsense = 'data: {"usage": {"prompt_tokens": 1\n\nnonsense "usage": {"prompt_tokens": 1}\n\ndata: 1\n\n\n\n\n';
  send(hello);
  send(nonsense);
  send(hello);
  assert.equal(host.output().toString(), hello + nonsense + hello);
});

test('a stream in which many events are no JSON is a failure: no client reads it', () => {
  const { host, send } = start();
  send(hello + 'data: {"erx"}\n\n'.repeat(1_000));
  assert.equal(host.error?.code, 'upstream_stream_error');
  assert.match(host.error?.message ?? '', /not JSON/);
  assert.ok(host.writtenBytes < 1_000);
  const pinged = start();
  pinged.send(hello + 'data:\n\n: x\n\n'.repeat(1_000));
  assert.equal(pinged.host.error, undefined);
});

test('single bytes of one long event take no longer each, the longer it is', () => {
  const run = (bytes: number): (() => void) => {
    const chunks = pieces(Buffer.from(hello + big(bytes)), 1);
    return () => {
      const { mode } = start({ expected: TAKE_OUT });
      for (const chunk of chunks) mode.chunk(chunk);
    };
  };
  assertLinear(run(400_000), run(100_000));
});

test('a read of many events that look like nothing known takes no longer each, the more there are', () => {
  for (const line of ['event: message\ndata: {"a":1}\n\n', 'data: {"a":1}\n\n', 'data: 1\r\r', ': x\r\n\r\n']) {
    const run = (bytes: number) => {
      const read = Buffer.from(line.repeat(Math.ceil(bytes / line.length)));
      return () => {
        const { mode, send } = start();
        send(hello);
        mode.chunk(read);
      };
    };
    assertLinear(run(800_000), run(200_000), line);
  }
});

test('a stream is read the same, whatever its target streamed before', () => {
  const call = (index: number, more: object) => chunkEvent({ tool_calls: [{ index, ...more }] });
  const ofChoice = (index: number) =>
    `data: ${JSON.stringify({ choices: [{ index, delta: { content: 'a' }, finish_reason: null }] })}\n\n`;
  const begun = call(0, { id: 'call_1', function: { name: 'f', arguments: '' } });
  const streams = [
    role + hello + chunkEvent({ content: ' world' }) + finish + USAGE_EVENT + DONE_EVENT,
    role + chunkEvent({ content: '' }) + chunkEvent({ content: 'a' }) + chunkEvent({ content: 'b' }) + finish,
    chunkEvent({ reasoning_content: 'a' }) + chunkEvent({ reasoning_content: 'b' }) + finish + DONE_EVENT,
    begun + call(0, { function: { arguments: '{}' } }) + finish + DONE_EVENT,
    // Parallel calls that have one index.
    begun + begun.replace('call_1', 'call_2') + call(0, { function: { arguments: '{}' } }) + finish + DONE_EVENT,
    ofChoice(0) + ofChoice(1) + finish,
    ofChoice(1) + ofChoice(1) + finish,
    `${hello + hello}data: ${JSON.stringify({ error: { message: 'x'.repeat(hello.length) } })}\n\n`,
  ];
  const told = (stream: string, target: Target) => {
    const { host, meter, mode, send } = start({ target });
    send(stream);
    mode.ended();
    const { finished, contentPieces, behindTheEnd } = host;
    const output = host.output().toString();
    return { finished, contentPieces, behindTheEnd, output, error: host.error?.code, usage: meter.usage };
  };
  for (const before of streams) {
    for (const stream of streams) {
      const used = { ...exampleTarget };
      told(before, used);
      assert.deepEqual(told(stream, used), told(stream, { ...exampleTarget }), `${before}\n${stream}`);
    }
  }
});
