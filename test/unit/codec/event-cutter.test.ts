import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventEnds, endsWithEvent, lastEventEnd, nextEventEnd } from '../../../src/codec/event-cutter.ts';

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

test('whole events are walked over one by one, of whatever line ends they are made', () => {
  const walk = new EventEnds();
  for (const blank of [...blanks, '\n\n\n']) {
    for (const next of blanks) {
      const text = `data: a${blank}: b${next}event: c${blank[0]}data: d${next}`;
      walk.begin(Buffer.from(text));
      const ends: number[] = [];
      for (let at = 0; at < text.length; at = ends.at(-1)!) ends.push(walk.after(at));
      const data = ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end).trim());
      assert.deepEqual(data, ['data: a', ': b', `event: c${blank[0]}data: d`], JSON.stringify(text));
    }
  }
});

test('an event without an end goes to the last byte, and a walk begins anew for each read', () => {
  const walk = new EventEnds();
  for (const text of ['data: a', 'data: a\r\rdata: b', 'data: a\n\ndata: b']) {
    walk.begin(Buffer.from(text));
    const first = walk.after(0);
    assert.equal(text.slice(0, first).trim(), 'data: a');
    assert.equal(first === text.length ? text.length : walk.after(first), text.length);
  }
});
