import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsWithEvent, lastEventEnd, nextEventEnd } from '../../../src/relay/event-cutter.ts';

const blanks = ['\n\n', '\r\n\r\n', '\r\r', '\n\r\n', '\r\n\n'];

/** Offsets behind each empty line, found by the plain rule: a line end directly behind a line end. */
function boundaries(text: string): number[] {
  const ends: number[] = [];
  let at = 0;
  let lineStart = 0;
  while (at < text.length) {
    const length = text.startsWith('\r\n', at) ? 2 : text[at] === '\n' || text[at] === '\r' ? 1 : 0;
    if (length === 0) {
      at += 1;
      continue;
    }
    if (at === lineStart && at > 0) ends.push(at + length);
    at += length;
    lineStart = at;
  }
  return ends;
}

test('the end of the last event is behind the last empty line, whatever its line ends', () => {
  for (const blank of blanks) {
    const text = `data: a${blank}data: b${blank}data: c`;
    const bytes = Buffer.from(text);
    const ends = boundaries(text);
    assert.equal(lastEventEnd(bytes, 0, bytes.length), ends[1], JSON.stringify(blank));
    assert.equal(lastEventEnd(bytes, 0, bytes.length - 8 - blank.length), ends[0], JSON.stringify(blank));
    assert.equal(lastEventEnd(bytes, 0, 7), -1, JSON.stringify(blank));
  }
});

test('the end of the next event is behind the first empty line from there on', () => {
  for (const blank of blanks) {
    const text = `data: a${blank}data: b${blank}data: c`;
    const bytes = Buffer.from(text);
    const [first, second] = boundaries(text);
    assert.equal(nextEventEnd(bytes, 0), first, JSON.stringify(blank));
    assert.equal(nextEventEnd(bytes, first!), second, JSON.stringify(blank));
    assert.equal(nextEventEnd(bytes, second!), -1, JSON.stringify(blank));
  }
});

test('bytes that end with an empty line hold whole events, and others do not', () => {
  for (const blank of blanks) assert.equal(endsWithEvent(Buffer.from(`data: a${blank}`)), true, JSON.stringify(blank));
  for (const text of ['', '\n', 'a\n', 'a\r\n', 'a\r', 'a', 'data: a\r\n\r', '\r\n']) {
    assert.equal(endsWithEvent(Buffer.from(text)), false, JSON.stringify(text));
  }
});

test('the event cutter agrees with the plain rule on any mixture of line ends', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const parts = ['a', '\n', '\r\n', 'b'];
  for (let round = 0; round < 3000; round += 1) {
    const text = `x${Array.from({ length: random(12) }, () => parts[random(parts.length)]).join('')}`;
    const bytes = Buffer.from(text);
    const ends = boundaries(text);
    const shown = JSON.stringify(text);
    assert.equal(lastEventEnd(bytes, 0, bytes.length), ends.at(-1) ?? -1, shown);
    assert.equal(nextEventEnd(bytes, 0), ends[0] ?? -1, shown);
    assert.equal(endsWithEvent(bytes), ends.at(-1) === bytes.length, shown);
  }
});
