import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { ChatScan } from '../../../../src/dialects/openai-chat/peek.ts';
import { splice } from '../../../../src/dialects/openai-chat/splice.ts';
import { carryInId } from '../../../../src/inference/signature.ts';

/** The bytes that are copied instead of handed on in pieces. */
const COPIED_BYTES = 65_536;

function spliced(
  text: string,
  modelId: string,
  askUsage: boolean,
  developerAsSystem = false,
): { bytes: Buffer; pieces: Buffer[] | undefined } {
  const body = Buffer.from(text);
  const before = Buffer.from(body);
  const scan = new ChatScan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const out = splice(body, peeked, { modelId, askUsage, developerAsSystem });
  assert.ok(!(out instanceof GatewayError));
  assert.ok(body.equals(before), 'the client’s bytes are not changed');
  return Array.isArray(out) ? { bytes: Buffer.concat(out), pieces: out } : { bytes: out, pieces: undefined };
}

const plain = (text: string, modelId: string) => spliced(text, modelId, false).bytes.toString();
const asking = (text: string, modelId: string) => spliced(text, modelId, true).bytes.toString();

test('a splice replaces exactly the model, and all other bytes are the client’s', () => {
  const text =
    '{ "messages" : [{"content":"Grüße 🌍 \\u00e9 \\ud83c\\udf0d"}],\r\n\t"model"  :"a/b"  , "n": 1.0e0 , "x":{"model":"a/b"}}\n';
  assert.equal(plain(text, 'gpt-4o'), text.replace('"model"  :"a/b"', '"model"  :"gpt-4o"'));
});

test('a splice replaces the model where it stands first, last, alone in its line, or written with escapes', () => {
  assert.equal(plain('{"model":"a/b","messages":[]}', 'x'), '{"model":"x","messages":[]}');
  assert.equal(plain('{"messages":[],"model":"a/b"}', 'x'), '{"messages":[],"model":"x"}');
  assert.equal(plain('{"messages":[],\n"model":\n"\\u0061\\/b"\n}', 'x'), '{"messages":[],\n"model":\n"x"\n}');
  assert.equal(
    plain('{"model":"","messages":[]}', 'longer than before'),
    '{"model":"longer than before","messages":[]}',
  );
});

test('a splice writes the provider’s model id as JSON, whatever is in it', () => {
  for (const id of ['a"b\\c', 'ü/🌍', 'line\nend', 'qwen3:0.6b@x']) {
    assert.equal(JSON.parse(plain('{"model":"a/b","messages":[]}', id)).model, id);
  }
});

test('a splice asks for usage where nothing of it was said', () => {
  assert.equal(
    asking('{"model":"a/b","stream":true,"messages":[]}', 'x'),
    '{"model":"x","stream_options":{"include_usage":true},"stream":true,"messages":[]}',
  );
  assert.equal(
    asking('{"messages":[],"stream":true,"model":"a/b" }', 'x'),
    '{"messages":[],"stream":true,"model":"x","stream_options":{"include_usage":true} }',
  );
});

test('a splice adds usage to existing stream options, before the model or behind it', () => {
  const before = '{"stream_options":{"a":1,"include_usage":false},"messages":[],"model":"a/b","n":1}';
  assert.equal(asking(before, 'x'), '{"stream_options":{"a":1,"include_usage":true},"messages":[],"model":"x","n":1}');
  const behind = '{"model":"a/b","messages":[], "stream_options" : { "include_obfuscation" : false } ,"n":1}';
  assert.equal(
    asking(behind, 'longer-name'),
    '{"model":"longer-name","messages":[], "stream_options" : {"include_obfuscation":false,"include_usage":true} ,"n":1}',
  );
  const next = '{"stream_options":null,"model":"a/b","messages":[]}';
  assert.equal(asking(next, 'x'), '{"stream_options":{"include_usage":true},"model":"x","messages":[]}');
});

test('unknown numbers and names in stream options stay what they were', () => {
  const text =
    '{"model":"a/b","messages":[],"stream_options":{"id":12345678901234567890,"scale":1.0,"__proto__":{"a":1}}}';
  const out = asking(text, 'x');
  assert.match(out, /"id":12345678901234567890/);
  assert.match(out, /"__proto__":\{"a":1\}/);
});

test('stream options stay byte for byte where usage is not asked for', () => {
  const text = '{"model":"a/b","messages":[],"stream_options":{ "include_usage" : true ,"x":1.0}}';
  assert.equal(plain(text, 'x'), text.replace('a/b', 'x'));
});

test('a large body is spliced into pieces of the client’s own bytes, equal to the copied form', () => {
  const padding = 'ü'.repeat(COPIED_BYTES);
  for (const make of [
    (content: string) => `{"model":"a/b","messages":[{"content":"${content}"}],"stream":true}`,
    (content: string) => `{"messages":[{"content":"${content}"}],"stream":true,"model":"a/b"}`,
    (content: string) => `{"stream_options":{"a":1},"messages":[{"content":"${content}"}],"model":"a/b"}`,
    (content: string) => `{"model":"a/b","messages":[{"content":"${content}"}],"stream_options":{"a":1}}`,
  ]) {
    for (const askUsage of [false, true]) {
      const small = spliced(make('PAD'), 'gpt', askUsage);
      const large = spliced(make(padding), 'gpt', askUsage);
      assert.equal(small.pieces, undefined);
      assert.ok(large.pieces !== undefined && large.pieces.length <= 5);
      assert.ok(large.pieces.every((piece) => piece.length > 0));
      assert.ok(large.bytes.equals(Buffer.from(small.bytes.toString().replace('PAD', padding))));
    }
  }
});

test('the pieces of a large spliced body refer to it: 20 MB are not copied', () => {
  const body = Buffer.from(`{"model":"a/b","messages":["${'x'.repeat(100_000)}"]}`);
  const scan = new ChatScan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const out = splice(body, peeked, { modelId: 'x', askUsage: true, developerAsSystem: false });
  assert.ok(Array.isArray(out));
  const largest = out.reduce((a, b) => (a.length > b.length ? a : b));
  assert.equal(largest.buffer, body.buffer);
});

test('a spliced body is the JSON that was meant, for any order of the keys', () => {
  const entries: [string, unknown][] = [
    ['model', 'a/b'],
    ['messages', [{ role: 'user', content: 'é"\\🌍' }]],
    ['stream', true],
    ['stream_options', { include_obfuscation: false }],
  ];
  const orders = permutations(entries);
  assert.equal(orders.length, 24);
  for (const order of orders) {
    const asked = JSON.parse(asking(JSON.stringify(Object.fromEntries(order)), 'gpt'));
    assert.deepEqual(asked, {
      ...Object.fromEntries(entries),
      model: 'gpt',
      stream_options: { include_obfuscation: false, include_usage: true },
    });
  }
});

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((each, index) =>
    permutations(list.filter((_, other) => other !== index)).map((rest) => [each, ...rest]),
  );
}

test('developer messages become system messages where that is asked, and nothing else of the body changes', () => {
  const asSystem = (text: string) => spliced(text, 'gpt', false, true).bytes.toString();
  const body = (messages: string) => `{"messages": ${messages}, "model": "m", "x": [{"role": "developer"}]}`;
  const changed = body('CHANGED').replace('"m"', '"gpt"');
  for (const [messages, expected] of [
    ['[{"role":"developer","content":"be short"}]', '[{"role":"system","content":"be short"}]'],
    [
      '[{"content":"a","role" :\n "developer" }, {"role":"user"}]',
      '[{"content":"a","role" :\n "system" }, {"role":"user"}]',
    ],
    ['[{"role":"developer"},{"role":"developer"}]', '[{"role":"system"},{"role":"system"}]'],
    // Where the word is a text, a key, or of something else.
    ['[{"role":"user","content":"\\"role\\":\\"developer\\""}]', undefined],
    ['[{"role":"user","content":"developer","developer":"role"}]', undefined],
    ['[{"role":"user","content":[{"role":"developer"}],"name":"developer"}]', undefined],
    ['[{"role":"user","content":"\\\\"},{"role":"system"}]', undefined],
    ['["role","developer"]', undefined],
    ['[]', undefined],
  ]) {
    assert.equal(asSystem(body(messages!)), changed.replace('CHANGED', expected ?? messages!), messages);
  }
});

test('the role of a developer message behind a large one is found, and the large one is not copied', () => {
  const text = `{"messages":[{"role":"user","content":"${'\\"developer\\" '.repeat(20_000)}"},{"role":"developer"}],"model":"m"}`;
  const { bytes, pieces } = spliced(text, 'gpt', true, true);
  const asked = JSON.parse(bytes.toString());
  assert.deepEqual(
    asked.messages.map(({ role }: { role: string }) => role),
    ['user', 'system'],
  );
  assert.deepEqual(asked.stream_options, { include_usage: true });
  assert.ok(pieces);
});

test("a part of a tool call's id that another vendor needs is taken out, and the same words within a text are not", () => {
  const id = carryInId('call_1', 'gemini.CiQB+/==');
  const text = `{"id": "${id}"} and ${id}`;
  const messages = [
    {
      role: 'assistant',
      content: text,
      tool_calls: [{ id, type: 'function', function: { name: 'f', arguments: text } }],
    },
    { role: 'tool', tool_call_id: id, content: text },
  ];
  for (const blanks of [0, 2]) {
    const body = Buffer.from(JSON.stringify({ model: 'a/m', messages, user: id }, null, blanks));
    const scan = new ChatScan();
    scan.advance(body, body.length);
    const peeked = scan.result(body);
    assert.ok(!(peeked instanceof GatewayError));
    const made = splice(body, peeked, { modelId: 'm', askUsage: false, developerAsSystem: false });
    assert.ok(!(made instanceof GatewayError));
    const plain = JSON.stringify(messages).replaceAll(`"id":"${id}"`, '"id":"call_1"');
    assert.deepEqual(JSON.parse((Array.isArray(made) ? Buffer.concat(made) : made).toString()), {
      model: 'm',
      messages: JSON.parse(plain.replace(`"tool_call_id":"${id}"`, '"tool_call_id":"call_1"')),
      user: id,
    });
  }
});

const WEATHER = `what_is_the_weather_like_in_${'x'.repeat(20)}_cgvndtjtzzkh`;

function withMaxId(messages: object[], maxToolCallIdCharacters: number | undefined) {
  const body = Buffer.from(JSON.stringify({ model: 'a/b', messages }));
  const scan = new ChatScan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const rules = { parameters: undefined, messages: undefined, maxToolCallIdCharacters };
  const out = splice(body, peeked, { modelId: 'x', askUsage: false, developerAsSystem: false, rules });
  assert.ok(!(out instanceof GatewayError));
  return JSON.parse((Array.isArray(out) ? Buffer.concat(out) : out).toString()).messages;
}

function calledWith(...ids: string[]) {
  const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{"id":"1"}' } });
  const results = ids.map((id) => ({ role: 'tool', tool_call_id: id, content: JSON.stringify({ id }) }));
  return [{ role: 'assistant', tool_calls: ids.map(call) }, ...results];
}

test('ids of calls that are longer than a provider takes are shortened, call and result alike, and two stay two', () => {
  const other = `${WEATHER}2`;
  const [message, first, second, third] = withMaxId(calledWith(WEATHER, other, 'call_1'), 40);
  const ids = message.tool_calls.map(({ id }: { id: string }) => id);
  assert.deepEqual(ids, [first.tool_call_id, second.tool_call_id, third.tool_call_id]);
  assert.equal(new Set(ids).size, 3);
  assert.deepEqual(
    ids.map(({ length }: string) => length),
    [40, 40, 6],
  );
  assert.equal(first.content, JSON.stringify({ id: WEATHER }), 'what a tool said is not touched');
  assert.deepEqual(withMaxId(calledWith(WEATHER, other, 'call_1'), 40)[0].tool_calls[0].id, ids[0], 'each turn alike');
  assert.deepEqual(withMaxId(calledWith(WEATHER), undefined), calledWith(WEATHER));
});

test('an id that carries a signature is measured without it', () => {
  const [short] = withMaxId(calledWith(carryInId('call_1', 'gemini.abc')), 40);
  assert.equal(short.tool_calls[0].id, 'call_1');
  const [long, result] = withMaxId(calledWith(carryInId(WEATHER, 'gemini.abc')), 40);
  assert.equal(long.tool_calls[0].id.length, 40);
  assert.equal(result.tool_call_id, long.tool_calls[0].id);
  assert.equal(long.tool_calls[0].id, withMaxId(calledWith(WEATHER), 40)[0].tool_calls[0].id);
});
