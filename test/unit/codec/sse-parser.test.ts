import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../../../src/codec/sse-parser.ts';
import { cuttings } from '../../support/cuttings.ts';

type Event = [event: string | undefined, data: string];

function parse(chunks: readonly Buffer[], maxEventBytes = 1000): { events: Event[]; fault: string | undefined } {
  const events: Event[] = [];
  const parser = new SseParser((event, data) => events.push([event, data]), maxEventBytes);
  let fault: string | undefined;
  for (const chunk of chunks) fault = parser.push(chunk)?.code ?? fault;
  return { events, fault };
}

/** Every cutting of `text` gives `expected`. */
function gives(text: string | Buffer, expected: Event[]) {
  for (const chunks of cuttings(Buffer.from(text)))
    assert.deepEqual(parse(chunks), { events: expected, fault: undefined });
}

test('an SSE line ends with LF, CRLF or CR, also mixed', () => {
  gives('data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\r\n\n', [
    [undefined, 'a'],
    [undefined, 'b'],
    [undefined, 'c'],
    [undefined, 'd'],
  ]);
});

test('an SSE event carries its name, and the next one does not inherit it', () => {
  gives('event: ping\ndata: {}\n\ndata: x\n\n', [
    ['ping', '{}'],
    [undefined, 'x'],
  ]);
});

test('several SSE data lines are one event, joined by LF', () => {
  gives('data: a\ndata:\ndata: b\n\n', [[undefined, 'a\n\nb']]);
});

test('one space behind the colon of an SSE field is syntax, and a second one is data', () => {
  gives('data:x\n\ndata: x\n\ndata:  x\n\n', [
    [undefined, 'x'],
    [undefined, 'x'],
    [undefined, ' x'],
  ]);
});

test('SSE comments, id, retry and unknown fields give no event', () => {
  gives(': OPENROUTER PROCESSING\n\nid: 7\nretry: 10\nfoo: bar\ndatabase: x\nevents: y\nd\n\ndata: x\n\n', [
    [undefined, 'x'],
  ]);
});

test('an SSE name without data is no event, and an empty name is none', () => {
  gives('event: lonely\n\nevent:\ndata: x\n\n', [[undefined, 'x']]);
});

test('an SSE field without colon is empty', () => {
  gives('event\ndata\n\n', [[undefined, '']]);
});

test('a byte order mark at the start of an SSE stream is skipped, and elsewhere it is data', () => {
  gives('\ufeffdata: a\n\ndata: \ufeff\n\n', [
    [undefined, 'a'],
    [undefined, '\ufeff'],
  ]);
});

test('an SSE event without its empty line at the end of the stream is not given out', () => {
  gives('data: a\n\ndata: half\n', [[undefined, 'a']]);
  gives('data: a\n\ndata: half', [[undefined, 'a']]);
});

test('a character of an SSE stream that was cut in two is whole again', () => {
  gives('event: grüß\ndata: 👋 Zürich 漢字\n\n', [['grüß', '👋 Zürich 漢字']]);
});

test('an SSE event over its bound is an error value, in every cutting, after the events before it', () => {
  const long = Buffer.from(`data: ok\n\ndata: ${'x'.repeat(60)}\n\ndata: never\n\n`);
  const lines = Buffer.from(`data: ok\n\ndata: ${'x'.repeat(30)}\ndata: ${'x'.repeat(30)}\n\ndata: never\n\n`);
  const comment = Buffer.from(`data: ok\n\n: ${'x'.repeat(60)}\n\ndata: never\n\n`);
  for (const stream of [long, lines, comment]) {
    for (const chunks of cuttings(stream)) {
      assert.deepEqual(parse(chunks, 50), { events: [[undefined, 'ok']], fault: 'upstream_too_large' });
    }
  }
});

test('an SSE event of exactly its bound passes', () => {
  const line = `data: ${'x'.repeat(44)}`;
  for (const chunks of cuttings(Buffer.from(`${line}\n\n`))) {
    assert.deepEqual(parse(chunks, 50), { events: [[undefined, 'x'.repeat(44)]], fault: undefined });
  }
});

test('a chunk may be overwritten after the SSE parser took it', () => {
  const events: string[] = [];
  const parser = new SseParser((_event, data) => events.push(data), 100);
  const chunk = Buffer.from('data: kept');
  parser.push(chunk);
  chunk.fill(0x21);
  parser.push(Buffer.from(' safe\n\n'));
  assert.deepEqual(events, ['kept safe']);
});

test('a megabyte of SSE dripped byte by byte is read in linear time', () => {
  const line = Buffer.from(`data: ${'x'.repeat(1 << 20)}\n\n`);
  const lengths: number[] = [];
  const parser = new SseParser((_event, data) => lengths.push(data.length), 1 << 21);
  const begun = performance.now();
  for (let at = 0; at < line.length; at += 1) parser.push(line.subarray(at, at + 1));
  assert.deepEqual(lengths, [1 << 20]);
  // Quadratic copying would take minutes.
  assert.ok(performance.now() - begun < 10_000);
});
