import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FamiliarBeginning, FamiliarEvent, type Gap, gapsOf } from '../../../src/codec/familiar-event.ts';

/** Learned from an event that stands in the middle of other bytes. */
function learned(event: string, values: Parameters<typeof gapsOf>[1]): FamiliarEvent {
  const gaps = gapsOf(Buffer.from(event), values);
  assert.ok(gaps);
  return new FamiliarEvent(Buffer.from(`xx${event}`), 2, 2 + Buffer.byteLength(event), gaps);
}

const chunk = (
  text: string,
  more = ',"finish_reason":null}]}',
  head = 'data: {"id":"chatcmpl-0123456789","object":"x"',
) =>
  `${head},"created":1700000000,"model":"a-model-of-some-length","choices":[{"delta":{"content":"${text}"}${more}\n\n`;
const hello = () => learned(chunk('Hello'), [['text', 'content', 'Hello']]);
const padded = (text: string, padding: string) => chunk(text, `,"usage":null,"pad":"${padding}"}`);

const matches = (familiar: { match(bytes: Buffer, at: number): number }, text: string, at = 0) =>
  familiar.match(Buffer.from(text), at);

test('an event with another text in the same place is familiar, wherever in a read it stands', () => {
  const familiar = hello();
  for (const text of [
    'a',
    ' and a longer one with ü and 👋',
    String.raw`an \"escaped\" one \\`,
    '{"error":{}}'.replaceAll('"', '\\"'),
  ]) {
    const other = chunk(text);
    const { length } = Buffer.from(other);
    assert.equal(matches(familiar, other), length, text);
    assert.equal(matches(familiar, `: x\n\n${other}${other}`, 5), 5 + length, text);
  }
});

test('an event that says anything else is not familiar', () => {
  const familiar = hello();
  for (const other of [
    chunk(''),
    chunk('a', ',"finish_reason":"stop"}]}'),
    chunk('a', ',"finish_reason":null}],"usage":{}}'),
    chunk('a', ',"finish_reason":null}],"error":{"message":"no"}}'),
    chunk('a', ',"finish_reason":null}]}', 'data: {"error":{"message":"no"}'),
    chunk('a', ',"finish_reason":null}]}', 'data: {"id":"chatcmpl-0123456789","error":"x"'),
    chunk('a","role":"assistant'),
    chunk('a').slice(0, -1),
    chunk('a').slice(0, 150),
    chunk('a').replace('data:', 'dota:'),
    chunk('a\n\ndata: {"error":{}}'),
    chunk('a').replaceAll('\n', '\r'),
    'data: [DONE]\n\n',
    '',
  ]) {
    assert.equal(matches(familiar, other), -1, other);
  }
});

test('a second text that hides the length of the first may change as well, and nothing between them', () => {
  const familiar = learned(padded('Hello', 'xyz'), [
    ['text', 'content', 'Hello'],
    ['padding', 'pad', 'xyz'],
  ]);
  for (const other of [padded('a', 'abcdefgh'), padded('longer', '')]) {
    assert.equal(matches(familiar, other), other.length, other);
  }
  for (const more of [
    ',"usage":{} ,"pad":"a"}',
    ',"usage":null,"pad":"a","x":1}',
    ',"usage":null,"pad":"a',
    ',"usage":null}',
  ])
    assert.equal(matches(familiar, chunk('a', more)), -1, more);
});

test('the number of an event may differ, wherever it stands, and nothing but digits', () => {
  const last = (text: string, number: unknown) => `data: {"delta":"${text}","item":"msg_1","number":${number}}\n\n`;
  const first = (text: string, number: unknown) => `data: {"number":${number},"delta":"${text}","item":"msg_1"}\n\n`;
  for (const event of [last, first]) {
    const familiar = learned(event('Hi', 9), [
      ['text', 'delta', 'Hi'],
      ['number', 'number', 9],
    ]);
    const other = event('more \\u00fc', 12_345);
    assert.equal(matches(familiar, other), other.length);
    for (const number of ['', '-9', '9,"error":{}', '9e3']) assert.equal(matches(familiar, event('Hi', number)), -1);
  }
});

test('nothing is learned where a value does not stand exactly once, or is no whole number', () => {
  const event = Buffer.from('data: {"a":"x","b":{"a":"x"},"n":-1}\n\n');
  assert.equal(gapsOf(event, [['text', 'a', 'x']]), undefined);
  assert.equal(gapsOf(event, [['text', 'c', 'x']]), undefined);
  assert.equal(gapsOf(event, [['number', 'n', -1]]), undefined);
});

test('a learned event is memory of its own', () => {
  const bytes = Buffer.from(chunk('Hello'));
  const start = bytes.indexOf('"Hello"') + 1;
  const gap: Gap = { kind: 'text', start, end: start + 5 };
  const familiar = new FamiliarEvent(bytes, 0, bytes.length, [gap]);
  bytes.fill(0);
  assert.ok(matches(familiar, chunk('a')) > 0);
});

const KIND = 'response.output_text.delta';
const named = (data: string, end = '\n') => `event: ${KIND}${end}data: ${data}${end}${end}`;
const typed = (data: string) => `data: {"type":"${KIND}"${data}}\n\n`;

function beginning(event: string): FamiliarBeginning | undefined {
  return FamiliarBeginning.of(KIND, Buffer.from(`xx${event}`), 2, 2 + Buffer.byteLength(event));
}

test('an event is familiar by its first bytes alone where they name its kind', () => {
  for (const [known, other] of [
    [named('{"delta":"a"}'), named('{"anything":["else"],"delta":"ü"}      ')],
    [named('{"delta":"a"}', '\r\n'), named('{"delta":"another"}', '\r\n')],
    [typed(',"delta":"a"'), typed(',"delta":"another","number":12')],
  ] as const) {
    const familiar = beginning(known);
    assert.ok(familiar, known);
    assert.equal(matches(familiar, `before${other}behind`, 6), 6 + Buffer.byteLength(other), other);
  }
});

test('an event is not familiar by its beginning that has another name, further lines, or no end yet', () => {
  const familiar = beginning(named('{"delta":"a"}'));
  assert.ok(familiar);
  const other = named('{"delta":"b"}');
  for (const event of [
    other.replace('.delta\n', '.done\n'),
    other.replace('output_text', 'output_audio'),
    other.slice(0, -1),
    other.slice(0, 30),
    other.replace(/\n$/, 'data: {"error":{}}\n\n'),
    '',
  ])
    assert.equal(matches(familiar, event), -1, event);
});

test('an event whose first bytes do not name its kind has no familiar beginning', () => {
  for (const event of [
    `data: {"delta":"a","type":"${KIND}"}\n\n`,
    `event: message\ndata: {"type":"${KIND}"}\n\n`,
    `id: 1\nevent: ${KIND}\ndata: {}\n\n`,
    `: a comment\n${typed('')}`,
  ])
    assert.equal(beginning(event), undefined, event);
});
