import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, parseObject } from '../../../src/codec/json-value.ts';
import { KnownEvent } from '../../../src/codec/known-event.ts';
import { KnownEvents } from '../../../src/codec/known-events.ts';

const KEYS = { texts: new Set(['content']), idle: new Set(['id', 'padding']) };

const parsed = (event: string) => parseObject(event.replace(/^data: /, '')) ?? assert.fail(event);

/** Learned from an event that stands in the middle of other bytes. */
function learned(event: string): KnownEvent | undefined {
  return KnownEvent.of(Buffer.from(`xx${event}yy`), 2, 2 + Buffer.byteLength(event), parsed(event), KEYS);
}

const event = (more: string) => `data: {"id":"chatcmpl-1","created":17,${more}}\n\n`;
const usage = (counts: string) => event(`"choices":[],"usage":{${counts}},"padding":"abc"`);

function known(text: string): KnownEvent {
  return learned(text) ?? assert.fail(`nothing was learned of ${text}`);
}

test('a known event says of its numbers what parsing it would say, wherever in a read it stands', () => {
  const count = known(usage('"in":5,"more":[1,{"x":2}],"out":-7.5'));
  for (const number of [
    '0',
    '12',
    '-3',
    '1.5',
    '-0.25e-3',
    '1E+2',
    '999999999999999',
    '12345678901234567890',
    '2e400',
  ]) {
    const other = usage(`"in":${number},"more":[${number},{"x":${number}}],"out":8`);
    assert.equal(count.match(Buffer.from(`: x\n\n${other}data:`), 5), 5 + other.length, number);
    const { usage: said, created } = count.event;
    assert.deepEqual({ said, created }, { said: parsed(other)['usage'], created: 17 }, number);
  }
});

test('a known event may have another id and another text, and the text stays one', () => {
  const text = (content: string, id = 'x') => `data: {"id":"${id}","delta":{"role":"a","content":"${content}"}}\n\n`;
  const full = known(text('Hello'));
  for (const other of [text('a'), text('longer, ü and 👋'), text(String.raw`"quoted\" \\`.slice(1)), text('a', '')]) {
    assert.equal(full.match(Buffer.from(other), 0), Buffer.byteLength(other), other);
  }
  assert.equal(full.match(Buffer.from(text('')), 0), -1);
  assert.equal(known(text('')).match(Buffer.from(text('a')), 0), -1);
});

test('an event that differs in anything else is not known', () => {
  const count = known(usage('"in":5,"out":7'));
  const same = usage('"in":5,"out":7');
  for (const other of [
    usage('"in":5,"off":7'),
    usage('"in":5,"out":7,"x":1'),
    usage('"in":5,"out":null'),
    usage('"in":05,"out":7'),
    usage('"in":5.,"out":7'),
    usage('"in":1.2.3,"out":7'),
    usage('"in":--5,"out":7'),
    usage('"in":,"out":7'),
    usage('"in":5 ,"out":7'),
    same.replace('"choices":[]', '"choices":{}'),
    same.replace('data:', 'dota:'),
    same.replace('\n\n', '\n'),
    same.replaceAll('\n', '\r\n'),
    same.slice(0, -1),
    same.slice(0, 40),
    same.replace('abc"', 'abc\n\ndata: "'),
    'data: [DONE]\n\n',
    '',
  ]) {
    assert.equal(count.match(Buffer.from(other), 0), -1, other);
  }
  const { usage: said } = count.event;
  assert.deepEqual(said, { in: 5, out: 7 }, 'one that is not known changes nothing');
});

test('an event whose numbers stand elsewhere in its object than in its bytes is not learned', () => {
  for (const more of ['"b":1,"2":1', '"a":1,"a":1', '"a":1,"a":"x"', '"a":{"n":1},"a":{"n":1}', '"__proto__":1']) {
    assert.equal(learned(event(more)), undefined, more);
  }
  assert.equal(
    KnownEvent.of(Buffer.from('id: 7\ndata: {"a":7}\n\n'), 0, 21, { a: 7 }, KEYS),
    undefined,
    'a number outside of the object',
  );
});

test('nothing of the text of an event is kept', () => {
  const { event: kept } = known('data: {"id":"secret-1","delta":{"content":"secret-2"},"padding":"secret-3"}\n\n');
  assert.deepEqual(kept, { id: '', delta: { content: ' ' }, padding: '' });
});

function lesson(events: KnownEvents, text: string): void {
  events.learn(Buffer.from(text), 0, text.length, parsed(text));
}

test('the known event of a target that was not met for longest is forgotten first', () => {
  const events = new KnownEvents(KEYS);
  const kind = (name: string) => event(`"kind":"${name}"`);
  const isKnown = (name: string) => events.match(Buffer.from(kind(name)), 0) > 0;
  lesson(events, kind('met'));
  for (let round = 0; round < 40; round += 1) {
    assert.ok(isKnown('met'), `round ${round}`);
    for (let meeting = 0; meeting < 16; meeting += 1) isKnown('met');
    lesson(events, kind(`once ${round}`));
    const { event: said } = events;
    assert.ok(isObject(said) && said['kind'] === 'met');
  }
  assert.ok(isKnown('once 39'));
  assert.ok(!isKnown('once 1'));
});

test('a target whose events are never alike stops being learned from', () => {
  const events = new KnownEvents(KEYS);
  for (let round = 0; round < 100; round += 1) lesson(events, event(`"kind":"${round}"`));
  assert.ok(events.match(Buffer.from(event('"kind":"99"')), 0) < 0);
});

test('a large event is not learned', () => {
  const events = new KnownEvents(KEYS);
  const large = event(`"kind":"${'x'.repeat(3_000)}"`);
  lesson(events, large);
  assert.equal(events.match(Buffer.from(large), 0), -1);
});
