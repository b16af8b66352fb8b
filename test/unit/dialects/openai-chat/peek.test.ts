import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { ChatScan, type PeekedChat } from '../../../../src/dialects/openai-chat/peek.ts';

function peek(text: string): PeekedChat | GatewayError {
  const body = Buffer.from(text);
  const scan = new ChatScan();
  scan.advance(body, body.length);
  return scan.result(body);
}

function read(body: object | string): PeekedChat {
  const peeked = peek(typeof body === 'string' ? body : JSON.stringify(body));
  assert.ok(!(peeked instanceof GatewayError), peeked instanceof GatewayError ? peeked.message : '');
  return peeked;
}

function refused(body: object | string): GatewayError {
  const peeked = peek(typeof body === 'string' ? body : JSON.stringify(body));
  assert.ok(peeked instanceof GatewayError, `accepted: ${JSON.stringify(body)}`);
  assert.equal(peeked.status, 400);
  return peeked;
}

const messages: object[] = [];
const base = { model: 'a/b', messages };

test('the chat peek reads what the gateway needs, and where the model stands', () => {
  const text = '{"model": "a/b" ,"messages":[],"stream":true,"max_tokens":10,"stream_options":{"include_usage":true}}';
  const peeked = read(text);
  assert.equal(peeked.model, 'a/b');
  assert.equal(text.slice(peeked.modelStart, peeked.modelEnd), '"a/b"');
  assert.equal(peeked.stream, true);
  assert.equal(peeked.includeUsage, true);
  assert.equal(peeked.maxOutputTokens, 10);
  assert.equal(text.slice(peeked.streamOptionsStart, peeked.streamOptionsEnd), '{"include_usage":true}');
});

test('offsets of the chat peek are bytes, also behind characters of several', () => {
  const text = '{"messages":[{"role":"user","content":"Grüße 🌍"}],"model":"a/b"}';
  const { modelStart, modelEnd } = read(text);
  assert.equal(Buffer.from(text).toString('utf8', modelStart, modelEnd), '"a/b"');
});

test('keys of a chat request may stand in any order', () => {
  for (const body of [
    { stream: true, messages, model: 'a/b' },
    { messages, model: 'a/b', stream: true },
    { model: 'a/b', stream: true, messages },
  ]) {
    const peeked = read(body);
    assert.equal(peeked.model, 'a/b');
    assert.equal(peeked.stream, true);
  }
});

test('a model written with escapes is the model that it spells', () => {
  assert.equal(read('{"model":"a\\/b","messages":[]}').model, 'a/b');
  assert.equal(read('{"model":"\\u0061/b","messages":[]}').model, 'a/b');
  assert.equal(read('{"model":"\\ud83d\\ude00","messages":[]}').model, '😀');
  assert.equal(refused('{"model":"\\q","messages":[]}').code, 'invalid_json');
});

test('stream is false where it is absent, false or null, and nothing else than true and false', () => {
  assert.equal(read(base).stream, false);
  assert.equal(read({ ...base, stream: false }).stream, false);
  assert.equal(read({ ...base, stream: null }).stream, false);
  assert.equal(read({ ...base, stream: true }).stream, true);
  for (const stream of ['true', 1, 0, [], {}, 'false']) {
    const error = refused({ ...base, stream });
    assert.equal(error.code, 'invalid_parameter');
    assert.equal(error.context.param, 'stream');
  }
  refused('{"model":"a","messages":[],"stream":truefalse}');
});

test('usage counts as asked for only where include_usage is true', () => {
  assert.equal(read(base).includeUsage, false);
  assert.equal(read({ ...base, stream_options: null }).includeUsage, false);
  assert.equal(read({ ...base, stream_options: {} }).includeUsage, false);
  assert.equal(read({ ...base, stream_options: { include_usage: false } }).includeUsage, false);
  assert.equal(read({ ...base, stream_options: { include_usage: null } }).includeUsage, false);
  assert.equal(read({ ...base, stream_options: { include_usage: true, other: 1 } }).includeUsage, true);
  for (const stream_options of ['x', 1, true, [], [{ include_usage: true }]]) {
    assert.equal(refused({ ...base, stream_options }).context.param, 'stream_options');
  }
  for (const include_usage of ['true', 1, {}]) {
    assert.equal(refused({ ...base, stream_options: { include_usage } }).context.param, 'stream_options.include_usage');
  }
});

test('the larger of max_tokens and max_completion_tokens holds, and unknown is not zero', () => {
  assert.equal(read(base).maxOutputTokens, undefined);
  assert.equal(read({ ...base, max_tokens: null }).maxOutputTokens, undefined);
  assert.equal(read({ ...base, max_tokens: 0 }).maxOutputTokens, 0);
  assert.equal(read({ ...base, max_tokens: 5, max_completion_tokens: 7 }).maxOutputTokens, 7);
  assert.equal(read({ ...base, max_tokens: 7, max_completion_tokens: 5 }).maxOutputTokens, 7);
  assert.equal(read({ ...base, max_tokens: 7, max_completion_tokens: null }).maxOutputTokens, 7);
  for (const name of ['max_tokens', 'max_completion_tokens', 'n']) {
    for (const value of ['5', 1.5, -1, true, [], {}]) {
      const error = refused({ ...base, [name]: value });
      assert.equal(error.context.param, name);
    }
  }
});

test('a chat request asks for as many choices as it says, and for at least one', () => {
  assert.equal(read(base).choices, 1);
  for (const [n, expected] of [
    [null, 1],
    [0, 1],
    [128, 128],
  ])
    assert.equal(read({ ...base, n }).choices, expected);
});

test('a missing parameter of a chat request is named', () => {
  const noModel = refused({ messages });
  assert.equal(noModel.code, 'missing_parameter');
  assert.equal(noModel.context.param, 'model');
  assert.equal(refused({ model: 'a/b' }).context.param, 'messages');
  assert.equal(refused({}).context.param, 'model');
});

test('model must be a string and messages an array', () => {
  for (const model of [null, 1, true, {}, ['a']]) {
    const error = refused({ model, messages });
    assert.equal(error.code, 'invalid_parameter');
    assert.equal(error.context.param, 'model');
  }
  for (const wrong of [null, 'x', {}, 1])
    assert.equal(refused({ model: 'a', messages: wrong }).context.param, 'messages');
});

test('a parameter that is read and repeated or escaped is refused by name, since a provider might read the other one', () => {
  for (const name of ['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'n']) {
    const error = refused(`{"model":"a","messages":[],"x":1,"${name}":null,"${name}":null}`);
    assert.equal(error.code, 'ambiguous_parameter');
    assert.equal(error.context.param, name);
    const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
    assert.equal(refused(`{"${escaped}":null,"model":"a","messages":[]}`).context.param, name);
  }
});

test('a parameter that is read and written in other letter case is refused, since Go servers read it as the same key', () => {
  for (const name of ['Model', 'MODEL', 'modeL', 'Messages', 'Stream', 'Stream_Options', 'Max_tokens']) {
    const error = refused(`{"model":"a","messages":[],"${name}":"b"}`);
    assert.equal(error.code, 'ambiguous_parameter', name);
  }
});

test('a key that is read and written with letters that fold to it is refused by its plain name', () => {
  for (const [written, name] of [
    ['max_to\u212aens', 'max_tokens'],
    ['max_completion_to\u212aens', 'max_completion_tokens'],
    ['\u017ftream', 'stream'],
    ['me\u017f\u017fages', 'messages'],
  ] as const) {
    const error = refused(`{"model":"a","messages":[],"${written}":1}`);
    assert.equal(error.code, 'ambiguous_parameter');
    assert.equal(error.context.param, name);
  }
});

test('a body that is no JSON object is refused with its place', () => {
  for (const text of [
    '',
    'x',
    '[]',
    '{"model":"a","messages":[]}}',
    '{"model":"a","messages":[',
    '{"model":"a" "messages":[]}',
  ]) {
    const error = refused(text);
    assert.equal(error.code, 'invalid_json');
    assert.match(error.message, /At byte \d+/);
  }
  const nested = (depth: number) => `{"model":"a","messages":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  read(nested(1_000));
  assert.match(refused(nested(1_001)).message, /deeper than 1000/);
});

test('unknown fields of every kind are ignored by the chat peek', () => {
  read({ ...base, seed: 1, tools: [{}], response_format: { type: 'json_object' }, 'x-y': null, '': '', model_: 1 });
});

test('a body that arrives byte by byte, into a buffer that grows, is read the same', () => {
  const text =
    '{"messages":[{"content":"é\\"🌍"}],"stream_options":{"include_usage":true},"model":"a\\/b","stream":true}';
  const body = Buffer.from(text);
  const scan = new ChatScan();
  for (let end = 1; end <= body.length; end += 1) {
    const grown = Buffer.alloc(end + 10, 0x22);
    body.copy(grown, 0, 0, end);
    scan.advance(grown, end);
  }
  assert.deepEqual(scan.result(body), peek(text));
});

test('a scan that saw a fault ignores what follows', () => {
  const body = Buffer.from('{"model" x}{"model":"a","messages":[]}');
  const scan = new ChatScan();
  for (let end = 1; end <= body.length; end += 1) scan.advance(body, end);
  const error = scan.result(body);
  assert.ok(error instanceof GatewayError);
  assert.match(error.message, /At byte 9/);
});
