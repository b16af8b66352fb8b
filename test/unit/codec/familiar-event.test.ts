import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FamiliarEvent } from '../../../src/codec/familiar-event.ts';

const event = (
  text: string,
  more = ',"finish_reason":null}]}',
  head = 'data: {"id":"chatcmpl-0123456789","object":"x"',
) =>
  `${head},"created":1700000000,"model":"a-model-of-some-length","choices":[{"delta":{"content":"${text}"}${more}\n\n`;

function learned(text: string, padding?: string): FamiliarEvent {
  const bytes = Buffer.from(padding === undefined ? event(text) : event(text, `,"usage":null,"pad":"${padding}"}`));
  const start = bytes.indexOf(`"${text}"`) + 1;
  const paddingStart = bytes.lastIndexOf('"pad":"') + 7;
  const familiar = new FamiliarEvent();
  familiar.learn(
    bytes,
    0,
    bytes.length,
    { start, end: start + Buffer.byteLength(text) },
    padding === undefined ? undefined : { start: paddingStart, end: paddingStart + padding.length },
  );
  return familiar;
}

const matches = (familiar: FamiliarEvent, text: string, at = 0) => familiar.match(Buffer.from(text), at);

test('an event with another text in the same place is familiar, wherever in a read it stands', () => {
  const familiar = learned('Hello');
  for (const text of [
    'a',
    ' and a longer one with ü and 👋',
    String.raw`an \"escaped\" one \\`,
    '{"error":{}}'.replaceAll('"', '\\"'),
  ]) {
    const other = event(text);
    const { length } = Buffer.from(other);
    assert.equal(matches(familiar, other), length, text);
    assert.equal(matches(familiar, `: x\n\n${other}${other}`, 5), 5 + length, text);
  }
});

test('an event that says anything else is not familiar', () => {
  const familiar = learned('Hello');
  for (const other of [
    event(''),
    event('a', ',"finish_reason":"stop"}]}'),
    event('a', ',"finish_reason":null}],"usage":{}}'),
    event('a', ',"finish_reason":null}],"error":{"message":"no"}}'),
    event('a', ',"finish_reason":null}]}', 'data: {"error":{"message":"no"}'),
    event('a', ',"finish_reason":null}]}', 'data: {"id":"chatcmpl-0123456789","error":"x"'),
    event('a","role":"assistant'),
    event('a').slice(0, -1),
    event('a').slice(0, 150),
    event('a').replace('data:', 'dota:'),
    event('a\n\ndata: {"error":{}}'),
    event('a').replaceAll('\n', '\r'),
    'data: [DONE]\n\n',
    '',
  ]) {
    assert.equal(matches(familiar, other), -1, other);
  }
});

test('a second text that hides the length of the first may change as well, and nothing between them', () => {
  const familiar = learned('Hello', 'xyz');
  for (const [text, padding] of [
    ['a', 'abcdefgh'],
    ['longer', ''],
  ] as const) {
    const other = event(text, `,"usage":null,"pad":"${padding}"}`);
    assert.equal(matches(familiar, other), other.length, other);
  }
  for (const more of [
    ',"usage":{} ,"pad":"a"}',
    ',"usage":null,"pad":"a","x":1}',
    ',"usage":null,"pad":"a',
    ',"usage":null}',
  ])
    assert.equal(matches(familiar, event('a', more)), -1, more);
});

test('nothing is familiar before an event was learned, or when it was forgotten', () => {
  assert.equal(matches(new FamiliarEvent(), event('a')), -1);
  const familiar = learned('Hello');
  familiar.forget();
  assert.equal(matches(familiar, event('a')), -1);
});

test('a learned event is memory of its own', () => {
  const bytes = Buffer.from(event('Hello'));
  const start = bytes.indexOf('"Hello"') + 1;
  const familiar = new FamiliarEvent();
  familiar.learn(bytes, 0, bytes.length, { start, end: start + 5 }, undefined);
  bytes.fill(0);
  assert.ok(matches(familiar, event('a')) > 0);
});
