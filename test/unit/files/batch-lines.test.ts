import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchLines, readBatchLine, usualBatchLine } from '../../../src/files/batch-lines.ts';

const line = (id: string, more: object = {}) =>
  JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body: { model: 'a/b' }, ...more });

function check(text: string, { pieceBytes = 1_000_000, maxLineBytes = 10_000, room = 1_000_000 } = {}): BatchLines {
  const lines = new BatchLines({ maxLineBytes, mayHold: (bytes) => bytes <= room });
  const bytes = Buffer.from(text);
  const piece = Buffer.alloc(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(piece, 0, at, at + pieceBytes);
    lines.take(piece.subarray(0, length));
    // The giver of the bytes uses their memory again.
    piece.fill(0x7d);
  }
  lines.finish();
  return lines;
}

test('the lines of a batch are judged the same however they are cut, with blank lines, CR LF and without a last line end', () => {
  const text = `${line('é"\\')}\r\n\n  \n${line('b')}\nhello\n${line('b')}\n  ${line('c', { method: 'PUT' })}\n{"a":`;
  const whole = check(text);
  assert.equal(whole.lines, 5);
  assert.deepEqual(
    whole.faults.map(({ line: number }) => number),
    [5, 6, 7, 8],
  );
  for (const pieceBytes of [1, 2, 3, 5, 64, 100]) {
    const cut = check(text, { pieceBytes });
    assert.deepEqual([cut.faults, cut.lines], [whole.faults, whole.lines], String(pieceBytes));
  }
});

test('a line that is too long is a fault that names the setting, and the next one is read', () => {
  const text = `${line('a', { body: { x: 'w'.repeat(20_000) } })}\n${line('b')}\n`;
  for (const pieceBytes of [100, 1_000_000]) {
    const { faults, lines } = check(text, { pieceBytes });
    assert.deepEqual(faults, [{ line: 1, detail: 'it is longer than limits.max_body_bytes: 10000' }]);
    assert.equal(lines, 1);
  }
});

test('a line for which there is no memory is no verdict, and nothing is looked at any more', () => {
  const lines = check(`${line('a')}\nhello\n`, { room: 10 });
  assert.deepEqual([lines.noRoom, lines.over, lines.faults], [true, true, []]);
});

test('a fault of a line is told', () => {
  for (const [text, detail] of [
    ['', /there is no line/],
    ['[1]', /no JSON object/],
    ['{"custom_id": "a",}', /at byte 19 a key in double quotes is expected/],
    [`${line('a')}x`, /nothing after the object is expected/],
    [line('a').replace('"method"', '"Method"'), /`method` is repeated, or written/],
    [line(''), /`custom_id`/],
    [line('x'.repeat(513)), /`custom_id`/],
    [line('a', { custom_id: 7 }), /`custom_id`/],
    [line('a', { method: 'GET' }), /`method`/],
    [line('a', { url: 'v1/x' }), /`url`/],
    [line('a', { body: [] }), /`body`/],
    [`{"custom_id": "a", "method": "POST", "url": "/v1/x"}`, /`body`/],
  ] as const) {
    const { faults } = check(text);
    assert.equal(faults.length, 1, text);
    assert.match(faults[0]!.detail, detail);
  }
});

test('a line whose body comes last is read without a look into the body, and as the whole look reads it', () => {
  const usual = [
    line('a'),
    line('b').replaceAll(':', ': '),
    `  ${line('é')} \r`,
    line('c', { body: { a: '"body":{' } }),
  ];
  for (const text of usual) {
    const bytes = Buffer.from(text);
    assert.deepEqual(usualBatchLine(bytes), readBatchLine(bytes), text);
  }
});

test('text behind a body is taken for a part of the body, so that its reader finds it malformed', () => {
  const read = usualBatchLine(Buffer.from(line('a', { more: { x: 1 } })));
  assert.equal(read?.body.toString(), '{"model":"a/b"},"more":{"x":1}');
});

test('a line of another kind is left to the whole look', () => {
  for (const text of [
    '{"custom_id":"a","body":{"model":"m"},"method":"POST","url":"/v1/chat/completions"}',
    '{"x":{"body":{}},"custom_id":"a","method":"POST","url":"/v1/chat/completions","body" : {}}',
    line('a', { method: 'GET' }),
    line('a').replace('"method"', '"Method"'),
    line('a', { body: 'text' }),
    line('a').slice(0, -1),
    '{"body":{',
    '',
  ])
    assert.equal(usualBatchLine(Buffer.from(text)), undefined, text);
});
