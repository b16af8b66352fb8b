import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import { streamError } from '../../../src/relay/stream-error.ts';
import { StreamPassthrough, type StreamPassthroughOptions } from '../../../src/relay/stream-passthrough.ts';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';
import { pieces } from '../../support/cuttings.ts';
import { chunkEvent, DONE_EVENT, USAGE_EVENT } from '../../support/provider.ts';
import { assertLinear } from '../growth.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

function start(more: Partial<StreamPassthroughOptions> = {}) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = new StreamPassthrough({
    host,
    meter,
    wire: openAiChatWire,
    contentType: 'text/event-stream',
    stripUsage: false,
    endsWithConnection: false,
    holdBytes: 65_536,
    ...more,
  });
  return { host, meter, mode, send: (text: string) => mode.chunk(Buffer.from(text)) };
}

const hello = chunkEvent({ role: 'assistant', content: 'Hello' });
const finish = chunkEvent({}, 'stop');
const big = (bytes: number, more: object = {}) => chunkEvent({ content: 'x'.repeat(bytes) }, null, more);
const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };

test('comments before the first content commit nothing, and reach the client in front of it', () => {
  const { host, send } = start();
  send(': waiting\n\n');
  send(': waiting\n\n');
  assert.equal(host.contentType, undefined);
  assert.equal(host.contentPieces, 0);
  send(hello);
  assert.equal(host.contentType, 'text/event-stream');
  assert.equal(host.output().toString(), `: waiting\n\n: waiting\n\n${hello}`);
});

test('more comments than may be held commit the answer', () => {
  const { host, send } = start({ holdBytes: 100 });
  const comment = ': waiting\n\n';
  for (let sent = 0; sent <= 100; sent += comment.length) send(comment);
  assert.equal(host.contentType, 'text/event-stream');
  assert.equal(host.contentPieces, 0, 'a comment is no content');
});

test('a stream of comments only ends as the provider ended it', () => {
  const { host, mode, send } = start();
  send(': nothing\n\n');
  mode.ended();
  assert.ok(host.finished);
  assert.equal(host.output().toString(), ': nothing\n\n');
});

test('an error event behind the first content passes as the provider wrote it', () => {
  const { host, mode, send } = start();
  const error = 'data: {"error":{"message":"gone","code":502}}\n\n';
  send(hello);
  send(error);
  mode.ended();
  assert.equal(host.output().toString(), hello + error);
});

test('an error event is found wherever it stands among the events of one read', () => {
  for (const nl of ['\n', '\r\n']) {
    const event = (text: string) => text.replaceAll('\n', nl);
    const error = 'data: {"error":{"message":"gone","code":429}}\n\n';
    const stream = event(hello + chunkEvent({ content: 'no "error": {' }) + error + hello);
    const { host, mode, send } = start();
    send(event(hello));
    send(stream);
    mode.ended();
    assert.deepEqual(
      host.remarked.map(({ code }) => code),
      ['upstream_rate_limited'],
    );
    assert.equal(host.output().toString(), event(hello) + stream);
  }
});

test('words like an error event, and lines that are no JSON of their own, are no error event', () => {
  const stream = `data: {"errors":1}\n\n${hello}data: text\ndata: {"error":{"message":"x"}}\n\ndata: {"error":null}\n\n`;
  const { host, mode, send } = start();
  send(hello);
  send(stream);
  mode.ended();
  assert.deepEqual(host.remarked, []);
  assert.equal(host.output().toString(), hello + stream);
});

test('many lines that look like errors take no longer than others', () => {
  for (const line of ['event: server_message\ndata: {"a":1}\n\n', 'data: {"erx"}\n\n', 'data: {"error":1}\n']) {
    const run = (bytes: number) => {
      const read = Buffer.from(`${line.repeat(Math.ceil(bytes / line.length))}\n\n`);
      return () => {
        const { mode, send } = start();
        send(hello);
        mode.chunk(read);
      };
    };
    assertLinear(run(60_000), run(15_000), line);
  }
});

test('nothing of a read is passed on behind an error that comes first in it', () => {
  const error = 'data: {"error":{"message":"busy"}}\n\n';
  for (const chunks of [
    [error.slice(0, 10), error.slice(10) + hello],
    [error.slice(0, 10), `${error.slice(10)}${hello}data: {`],
    [`${error}data: {`],
  ]) {
    const { host, mode, send } = start();
    for (const chunk of chunks) send(chunk);
    mode.ended();
    assert.equal(host.error?.code, 'upstream_stream_error');
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('a stream is complete with [DONE], whatever comments stand behind it, and not with words like it', () => {
  for (const [text, complete] of [
    [hello + DONE_EVENT, true],
    [`${hello}${DONE_EVENT}: bye\n\n`, true],
    [`${hello}data:[DONE]\r\n\r\n`, true],
    [`${hello}more data: [DONE]\n\n`, false],
    [hello + finish, false],
  ] as const) {
    const { mode, send } = start();
    send(text);
    assert.equal(mode.complete, complete, text);
  }
});

test('pieces that came together are counted one by one, and comments not at all', () => {
  const { host, mode, send } = start();
  send(': waiting\n\n');
  mode.chunk(Buffer.from(hello + hello + hello), 3);
  assert.equal(host.contentPieces, 3);
  mode.chunk(Buffer.from(hello + hello.slice(0, 10)), 2);
  mode.chunk(Buffer.from(hello.slice(10)), 1);
  assert.equal(host.contentPieces, 6);
  mode.chunk(Buffer.from(`${': waiting\n\n'.repeat(10)}${hello}`), 11);
  assert.equal(host.contentPieces, 7);
});

test('only the event that a read cuts is copied', () => {
  for (const stripUsage of [false, true]) {
    const { host, mode, send } = start({ stripUsage });
    const first = Buffer.from(hello.repeat(100) + hello.slice(0, 20));
    const second = Buffer.from(hello.slice(20) + hello.repeat(100) + USAGE_EVENT.slice(0, 5));
    const third = Buffer.from(USAGE_EVENT.slice(5) + DONE_EVENT);
    for (const read of [first, second, third]) mode.chunk(read);
    send(hello);
    mode.ended();
    const expected = hello.repeat(201) + (stripUsage ? '' : USAGE_EVENT) + DONE_EVENT + hello;
    assert.equal(host.output().toString(), expected);
    const copied = host.written.filter(({ buffer }) => ![first, second].some((read) => read.buffer === buffer));
    assert.ok(host.written.some((bytes) => bytes.buffer === first.buffer && bytes.length === 100 * hello.length));
    assert.ok(host.written.some((bytes) => bytes.buffer === second.buffer && bytes.length === 100 * hello.length));
    assert.ok(Buffer.concat(copied).length <= 3 * hello.length + USAGE_EVENT.length + DONE_EVENT.length);
  }
});

test('the word error inside the first content is no error', () => {
  for (const first of [
    chunkEvent({ content: 'an "error": {"code": 429}' }),
    chunkEvent({ content: 'x' }, null, { error: null }),
  ]) {
    const { host, send } = start();
    send(first);
    assert.equal(host.error, undefined);
    assert.equal(host.output().toString(), first);
  }
});

test('an error behind comments, named or not, in one chunk with them or not, is not an answer', () => {
  const error = '{"error":{"message":"busy","code":503}}';
  for (const chunks of [
    [`: wait\n\ndata: ${error}\n\n`],
    [': wait\n\n', `event: error\ndata: ${error}\n\n`],
    [`data:${error}\r\n\r\n`],
    pieces(Buffer.from(`data: ${error}\n\n`), 3).map(String),
  ]) {
    const { host, send } = start();
    for (const chunk of chunks) send(chunk);
    assert.equal(host.error?.code, 'upstream_overloaded');
    assert.equal(host.writtenBytes, 0);
  }
});

test('an error that is not followed by an empty line is an error too, and nothing comes behind it', () => {
  for (const stripUsage of [false, true]) {
    const { host, mode, send } = start({ stripUsage });
    send('data: {"error":{"message":"busy","code":503}}\n');
    mode.ended();
    assert.equal(host.error?.code, 'upstream_overloaded');
    assert.deepEqual(host.behindTheEnd, []);
  }
});

test('nothing is passed on behind an error, however long the chunk goes on', () => {
  const { host, send } = start();
  send(`data: {"error":{"message":"busy"}}\n\ndata: ${'x'.repeat(100_000)}`);
  assert.equal(host.error?.code, 'upstream_stream_error');
  assert.deepEqual(host.behindTheEnd, []);
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
    const { host, meter, mode, send } = start({ stripUsage: true });
    for (const chunk of chunks) send(chunk);
    mode.ended();
    assert.equal(host.output().toString(), stream + DONE_EVENT);
    assert.equal(meter.usage?.outputTokens, 7);
  }
});

test('a usage on an event with choices stays, and so does a usage that is null', () => {
  const stream =
    chunkEvent({ content: 'a' }, null, { usage: null }) +
    'data: {"choices":[],"usage":null}\n\n' +
    chunkEvent({}, 'stop', { usage });
  const { host, meter, mode, send } = start({ stripUsage: true });
  send(stream + DONE_EVENT);
  mode.ended();
  assert.equal(host.output().toString(), stream + DONE_EVENT);
  assert.equal(meter.usage?.inputTokens, 5);
});

test('two usage events one after the other are both read and both taken out', () => {
  const { host, meter, mode, send } = start({ stripUsage: true });
  const second = USAGE_EVENT.replace('"completion_tokens":7', '"completion_tokens":9');
  send(hello + USAGE_EVENT + second + DONE_EVENT);
  mode.ended();
  assert.equal(host.output().toString(), hello + DONE_EVENT);
  assert.equal(meter.usage?.outputTokens, 9);
});

test('a usage in the content or in a nested object is not taken for the usage', () => {
  const stream =
    chunkEvent({ content: '"usage":{"prompt_tokens":999}' }) + chunkEvent({ content: 'x' }, null, { more: { usage } });
  for (const stripUsage of [false, true]) {
    const { host, meter, mode, send } = start({ stripUsage });
    send(stream + DONE_EVENT);
    mode.ended();
    assert.equal(host.output().toString(), stream + DONE_EVENT);
    assert.equal(meter.usage, undefined);
  }
});

test('a usage on a last event without an empty line is read, and passed or taken out', () => {
  for (const stripUsage of [false, true]) {
    const { host, meter, mode, send } = start({ stripUsage });
    const last = USAGE_EVENT.trimEnd();
    send(hello);
    send(last);
    mode.ended();
    assert.equal(host.output().toString(), stripUsage ? hello : hello + last);
    assert.equal(meter.usage?.outputTokens, 7);
  }
});

test('a usage whose JSON is spread over two data lines is read', () => {
  const { meter, mode, send } = start();
  send('data: {"choices":[],\ndata: "usage":{"prompt_tokens":5,"completion_tokens":7}}\n\n');
  mode.ended();
  assert.equal(meter.usage?.outputTokens, 7);
});

test('line ends of every kind, mixed too, pass at once and hide no usage', () => {
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
    for (const stripUsage of [false, true]) {
      for (const size of [1, 1000]) {
        const { host, meter, mode } = start({ stripUsage });
        const how = JSON.stringify({ nl, stripUsage, size });
        for (const chunk of pieces(Buffer.from(stream), size)) mode.chunk(chunk);
        assert.equal(host.output().toString(), stream, how);
        for (const chunk of pieces(Buffer.from(usageEvent), size)) mode.chunk(chunk);
        mode.ended();
        assert.equal(host.output().toString(), stripUsage ? stream : stream + usageEvent, how);
        assert.equal(meter.usage?.outputTokens, 7, how);
      }
    }
  }
});

test('an event longer than may be remembered passes whole, in any pieces, and the next ones are read again', () => {
  const stream = hello + big(200_000) + big(70_000) + finish;
  for (const stripUsage of [false, true]) {
    for (const size of [1, 7, 1000, 65_536, 1_000_000]) {
      const { host, meter, mode } = start({ stripUsage });
      for (const chunk of pieces(Buffer.from(stream + USAGE_EVENT + DONE_EVENT), size)) mode.chunk(chunk);
      mode.ended();
      const expected = stripUsage ? stream + DONE_EVENT : stream + USAGE_EVENT + DONE_EVENT;
      assert.ok(host.output().equals(Buffer.from(expected)), `${stripUsage} ${size}`);
      assert.equal(meter.usage?.outputTokens, 7, `${stripUsage} ${size}`);
    }
  }
});

test('only a little of an unfinished event with content is held back before it passes', () => {
  const { host, mode, send } = start({ stripUsage: true });
  const event = big(50_000);
  send(hello);
  let sent = 0;
  let most = 0;
  for (const chunk of pieces(Buffer.from(event), 500)) {
    mode.chunk(chunk);
    sent += chunk.length;
    most = Math.max(most, hello.length + sent - host.writtenBytes);
  }
  assert.ok(most <= 2_000, `${most} bytes waited`);
  assert.equal(host.output().toString(), hello + event);
});

test('what was passed says whether an error event of ours would stand on a line of its own', () => {
  const cases: [chunks: string[], unfinished: boolean][] = [
    [[hello], false],
    [[hello, 'data: {"cho'], true],
    [[hello, 'data: {"choices":[]}\n'], true],
    [[hello, 'data: {"choices":[]}\n', '\n'], false],
    [[hello, big(100_000).slice(0, 90_000)], true],
  ];
  for (const [chunks, unfinished] of cases) {
    const { mode, send } = start();
    for (const chunk of chunks) send(chunk);
    assert.equal(mode.unfinishedLine, unfinished, JSON.stringify(chunks).slice(0, 200));
  }
  const { mode, host, send } = start({ stripUsage: true });
  send(`${hello}data: {"cho`);
  assert.equal(host.output().toString(), hello);
  assert.equal(mode.unfinishedLine, false, 'what is held back was not begun');
});

test('an answer that ends with its connection is whole only with [DONE] or a finish reason', () => {
  const cases: [text: string, whole: boolean][] = [
    [hello + finish + DONE_EVENT, true],
    [hello + finish, true],
    [hello + DONE_EVENT.trimEnd(), true],
    [hello + finish.replace('"finish_reason":"stop"', '"finish_reason": "stop"'), true],
    [hello, false],
    [hello + hello.slice(0, 20), false],
    [chunkEvent({ content: '"finish_reason":"stop" and [DONE]' }), false],
    ['', false],
    [': comment\n\n', false],
  ];
  for (const [text, whole] of cases) {
    for (const size of [1, 1000]) {
      const { host, mode } = start({ endsWithConnection: true });
      for (const chunk of pieces(Buffer.from(text), size)) mode.chunk(chunk);
      mode.ended();
      assert.equal(host.error?.code, whole ? undefined : 'upstream_cut', `${size} ${text}`);
      assert.equal(host.finished, whole);
      assert.deepEqual(host.behindTheEnd, []);
    }
  }
});

test('an empty stream is passed on as the provider’s answer', () => {
  const { host, mode } = start();
  mode.ended();
  assert.ok(host.finished);
  assert.equal(host.contentType, 'text/event-stream');
});

test('bytes that are no events at all pass as they are', () => {
  const { host, mode, send } = start({ stripUsage: true });
  send(hello);
  send('data: {"usage": {"prompt_tokens": 1\n\n');
  send('nonsense "usage": {"prompt_tokens": 1}\n\n');
  mode.ended();
  assert.equal(
    host.output().toString(),
    `${hello}data: {"usage": {"prompt_tokens": 1\n\nnonsense "usage": {"prompt_tokens": 1}\n\n`,
  );
});

test('single bytes of one long event take linear time', () => {
  const run = (bytes: number): (() => void) => {
    const chunks = pieces(Buffer.from(hello + big(bytes)), 1);
    return () => {
      const { mode } = start({ stripUsage: true });
      for (const chunk of chunks) mode.chunk(chunk);
    };
  };
  assertLinear(run(60_000), run(15_000));
});

test('an error event says by its code which kind of failure it was', () => {
  assert.equal(streamError({ message: 'x', code: 429 }).code, 'upstream_rate_limited');
  assert.equal(streamError({ message: 'x', code: 503 }).code, 'upstream_overloaded');
  assert.equal(streamError({ message: 'x', code: 529 }).code, 'upstream_overloaded');
  assert.equal(streamError({ message: 'x', code: 'server_error', type: 't' }).code, 'upstream_stream_error');
  assert.equal(streamError('just words').code, 'upstream_stream_error');
  const { context } = streamError({ message: 'm'.repeat(5000), code: 'quota', type: 'limits' });
  assert.equal(context.detail?.length, 1024);
  assert.equal(context.upstreamCode, 'quota');
  assert.equal(context.upstreamType, 'limits');
});
