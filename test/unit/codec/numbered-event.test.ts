import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NumberedEvent, type NumberedGap } from '../../../src/codec/numbered-event.ts';

function gap(event: string, before: string, value: string, kind: NumberedGap['kind']): NumberedGap {
  const start = event.indexOf(before) + before.length;
  return { kind, start, end: start + value.length };
}

const last = (text: string, padding: string, number: number) =>
  `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"${text}","item_id":"msg_1","obfuscation":"${padding}","sequence_number":${number}}\n\n`;
const first = (number: number, text: string) =>
  `event: response.output_text.delta\ndata: {"sequence_number":${number},"type":"response.output_text.delta","delta":"${text}","item_id":"msg_1"}\n\n`;

function learned(event: string, gaps: NumberedGap[]): NumberedEvent {
  const known = new NumberedEvent();
  known.learn(Buffer.from(`xx${event}`), 2, 2 + event.length, gaps);
  return known;
}

const numberLast = learned(last('Hi', 'abc', 9), [
  gap(last('Hi', 'abc', 9), '"delta":"', 'Hi', 'text'),
  gap(last('Hi', 'abc', 9), '"obfuscation":"', 'abc', 'padding'),
  gap(last('Hi', 'abc', 9), '"sequence_number":', '9', 'number'),
]);
const numberFirst = learned(first(9, 'Hi'), [
  gap(first(9, 'Hi'), '"sequence_number":', '9', 'number'),
  gap(first(9, 'Hi'), '"delta":"', 'Hi', 'text'),
]);

test('an event with another text, padding and number is familiar, wherever the number stands', () => {
  for (const event of [last('A longer \\"text\\"', '', 12_345), last('ü', 'abcdefgh', 10)]) {
    const bytes = Buffer.from(`before${event}behind`);
    assert.equal(numberLast.match(bytes, 6), 6 + Buffer.byteLength(event));
  }
  const event = first(100, 'more \\u00fc');
  assert.equal(numberFirst.match(Buffer.from(event), 0), event.length);
});

test('an event is not familiar that has an empty text, no number, another key, or no end yet', () => {
  for (const event of [
    last('', 'abc', 9),
    last('Hi', 'abc', 9).replace(':9}', ':}'),
    last('Hi', 'abc', 9).replace(':9}', ':-9}'),
    last('Hi', 'abc', 9).replace(':9}', ':9,"error":{}}'),
    last('Hi', 'abc', 9)
      .replace('output_text.delta\n', 'output_text.delto\n')
      .replace('delta","delta', 'delto","delta'),
    last('Hi', 'abc', 9).slice(0, -1),
    last('H\ni', 'abc', 9),
  ]) {
    assert.equal(numberLast.match(Buffer.from(event), 0), -1, event);
  }
  assert.equal(new NumberedEvent().match(Buffer.from(first(1, 'a')), 0), -1);
});
