import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonPeek, MAX_DEPTH } from '../../../src/codec/json-peek.ts';
import { CHECKED_BYTES } from '../../../src/codec/json-string.ts';
import { PeekKeys } from '../../../src/codec/peek-keys.ts';
import { assertLinear, leastMs } from '../growth.ts';

const names = ['model', 'messages', 'stream', 'n'];
const keys = new PeekKeys(names);

interface Seen {
  readonly ok: boolean;
  readonly fault: JsonPeek['fault'];
  readonly values: Record<string, string>;
}

/** Scans `text` as it arrives in pieces that end at `ends`, into a buffer that is another one each time. */
function scan(text: string | Buffer, ends: readonly number[] = []): Seen {
  const body = Buffer.from(text);
  const peek = new JsonPeek(keys);
  let ok = true;
  for (const end of [...ends, body.length]) {
    if (!ok) break;
    // What has not come yet is not known: whoever reads it reads rubbish.
    const arrived = Buffer.concat([body.subarray(0, end), Buffer.from('"}]\\"{[,:')]);
    ok = peek.advance(arrived, end);
  }
  ok = peek.finish() && ok;
  const values: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const start = peek.starts[index]!;
    if (start >= 0) values[name] = body.toString('utf8', start, peek.ends[index]!);
  }
  return { ok, fault: peek.fault, values };
}

function accepts(text: string): Record<string, string> {
  const { ok, fault, values } = scan(text);
  assert.ok(ok, `${text.slice(0, 200)}: ${JSON.stringify(fault)}`);
  return values;
}

function refuses(text: string | Buffer, kind = 'syntax'): JsonPeek['fault'] {
  const { ok, fault } = scan(text);
  assert.equal(ok, false, `accepted: ${String(text).slice(0, 200)}`);
  assert.equal(fault?.kind, kind, `${String(text).slice(0, 200)}: ${JSON.stringify(fault)}`);
  return fault;
}

test('the peek finds the values of its keys exactly, without white space around them', () => {
  assert.deepEqual(accepts('{"model":"a/b","messages":[{"a":1}],"stream":true,"n":-1.5e+3}'), {
    model: '"a/b"',
    messages: '[{"a":1}]',
    stream: 'true',
    n: '-1.5e+3',
  });
  assert.deepEqual(accepts(' \r\n\t{ "n" :\t12 , "model"\n:\n"x" }\n '), { n: '12', model: '"x"' });
  assert.deepEqual(accepts('{}'), {});
  assert.deepEqual(accepts('{"n":{}}'), { n: '{}' });
  assert.deepEqual(accepts('{"n":null}'), { n: 'null' });
});

test('the peek ignores keys of nested objects, and values that look like keys', () => {
  assert.deepEqual(accepts('{"a":{"model":"no"},"b":[{"model":"no"}],"c":"model","model":"yes"}'), { model: '"yes"' });
  assert.deepEqual(accepts('{"a":{"model":"no"}}'), {});
  assert.deepEqual(accepts('{"models":1,"mode":2,"xodel":3,"":4}'), {});
});

test('a key that is read and repeated is refused, and one that nobody reads may be repeated', () => {
  assert.deepEqual(refuses('{"model":"a","model":"b"}', 'repeated'), { kind: 'repeated', key: 'model', at: 14 });
  refuses('{"model":"a","x":{"y":[1]},"model":"a"}', 'repeated');
  accepts('{"x":1,"x":2}');
});

test('a key that is read and written with escapes is refused, however it is written', () => {
  for (const written of ['\\u006dodel', 'mode\\u006c', 'm\\u006Fdel', '\\u006d\\u006f\\u0064\\u0065\\u006c']) {
    assert.equal(refuses(`{"${written}":"a"}`, 'escaped')?.kind, 'escaped');
    refuses(`{"model":"a","${written}":"b"}`, 'escaped');
  }
  assert.deepEqual(accepts('{"\\u0078":1,"\\"model\\"":2,"mod\\\\el":3,"\\ud83d\\ude00":4,"model":"x"}'), {
    model: '"x"',
  });
});

test('a key that is read and written in other letter case is refused, since some readers do not tell them apart', () => {
  for (const written of ['Model', 'MODEL', 'modeL', 'N']) {
    assert.equal(refuses(`{"x":1,"${written}":"a"}`, 'case')?.at, 8);
    refuses(`{"model":"a","n":1,"${written}":"b"}`, 'case');
  }
  accepts('{"m":1,"X":2,"x":3,"a":{"Model":1}}');
});

test('a key that is read is refused where some reader folds its letters to ours: long s, Kelvin sign, dotless i', () => {
  const folding = new PeekKeys(['stream', 'max_tokens', 'limit']);
  for (const written of [
    '\u017ftream',
    'max_to\u212aens',
    'l\u0131mit',
    'L\u0130MIT',
    '\uff53tream',
    'MAX_TO\u212aEN\u017f',
  ]) {
    for (const [kind, text] of [
      ['case', written],
      ['escaped', [...written].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
    ]) {
      const body = Buffer.from(`{"x":1,"${text}":true}`);
      const peek = new JsonPeek(folding);
      assert.equal(peek.advance(body, body.length), false, text);
      assert.equal(peek.fault?.kind, kind);
    }
  }
  accepts('{"modèl":1,"mödel":2,"ſ":3,"модель":4,"a":{"ſtream":5}}');
});

test('a key in other letter case is refused in escapes too', () => {
  refuses('{"\\u004dodel":"a"}', 'escaped');
});

test('the peek jumps over strings with quotes, backslashes and characters of every length', () => {
  for (const inside of [
    '',
    '\\"',
    '\\\\',
    '\\\\\\"',
    'é🌍',
    '\\ud83c\\udf0d',
    '}{][,:"'.replace('"', '\\"'),
    '\\u0000',
  ]) {
    for (const padding of ['', 'x'.repeat(23), 'x'.repeat(24), 'x'.repeat(100)]) {
      const value = `"${padding}${inside}"`;
      assert.deepEqual(accepts(`{"a":${value},"model":${value},"n":[${value}]}`), { model: value, n: `[${value}]` });
    }
  }
});

test('a value that is no JSON is refused, wherever it stands', () => {
  for (const value of [
    'tru',
    'truth',
    'TRUE',
    'True',
    'nul',
    'nulll',
    'undefined',
    'NaN',
    'Infinity',
    '-Infinity',
    '01',
    '-01',
    '00',
    '-',
    '+1',
    '1.',
    '.5',
    '1.e1',
    '1e',
    '1e+',
    '1e1.5',
    '0x10',
    '1_000',
    '1a',
    '--1',
    '1-',
    "'a'",
    '"a" "b"',
    '1 2',
    '[1,]',
    '[,1]',
    '[,]',
    '[1,,2]',
    '[1 2]',
    '[1:2]',
    '{,}',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":}',
    '{"a"}',
    '{"a",1}',
    '{a:1}',
    '{1:2}',
    '{"a":1 "b":2}',
    '{"a"::1}',
    '"\\q"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\x41"',
    '"\\\n"',
    '"a\nb"',
    '"a\tb"',
    '"\0"',
    '"\x1f"',
    '/* a */1',
    '1//a',
  ]) {
    for (const text of [
      `{"n":${value}}`,
      `{"x":${value}}`,
      `{"n":[0,${value}]}`,
      `{"x":{"y":[{"z":${value}}]},"n":1}`,
    ]) {
      assert.throws(() => JSON.parse(text));
      refuses(text);
    }
  }
});

test('every form of a JSON value passes, wherever it stands', () => {
  for (const value of [
    '0',
    '-0',
    '0.5',
    '-0.0e-0',
    '10',
    '1e9',
    '1E+9',
    '1.25e-12',
    '123456789012345678901234567890',
    'true',
    'false',
    'null',
    '[]',
    '{}',
    '[ ]',
    '{ }',
    '[[],{}]',
    '[ 1 , "a" , { "b" : [ ] } ]',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uD83D\\uDE00"',
    '"\x7f\u2028"',
  ]) {
    accepts(`{"n":${value}}`);
    accepts(`{"x":[0,${value}],"n":{"y":[${value} ]} ,"z":${value}\n}`);
  }
});

test('the beginning of a long string is checked, and the rest is left to whoever parses the value', () => {
  for (const wrong of ['\n', '\\q', '\\u00g0']) {
    const at = (before: number) => `{"n":["${'x'.repeat(before)}${wrong}"]}`;
    refuses(at(0));
    refuses(at(100));
    refuses(at(CHECKED_BYTES - 1));
    accepts(at(CHECKED_BYTES));
  }
});

test('a control character is found at every place of a string, wherever the string and its buffer begin', () => {
  for (let before = 0; before < 4; before += 1) {
    for (let at = 0; at < 60; at += 1) {
      const text = `{"${'k'.repeat(before)}":"${'é'.repeat(10)}${'x'.repeat(at)}\n${'x'.repeat(20)}"}`;
      for (let shift = 0; shift < 4; shift += 1) {
        const body = Buffer.concat([Buffer.alloc(shift, '"'), Buffer.from(text)]).subarray(shift);
        assert.equal(new JsonPeek(keys).advance(body, body.length), false);
        body[body.indexOf(0x0a)] = 0x7f;
        const peek = new JsonPeek(keys);
        assert.ok(peek.advance(body, body.length) && peek.finish());
      }
    }
  }
});

test('bytes that are no UTF-8 pass as they are', () => {
  const bad = Buffer.concat([Buffer.from('{"n":"a'), Buffer.from([0xff, 0xc3, 0x80]), Buffer.from('b"}')]);
  assert.equal(scan(bad).ok, true);
});

test('a JSON object that lacks one byte is refused, wherever the byte is missing', () => {
  const text = '{"model":"a\\"b","messages":[{"x":[1,"]"]}],"n":12}';
  for (let end = 0; end < text.length; end += 1) refuses(text.slice(0, end));
});

test('bytes behind a JSON object are refused, except white space', () => {
  for (const rest of ['x', '{}', ',', '}', ']', '\0', '"', '0']) refuses(`{"n":1}${rest}`);
  accepts('{"n":1} \n\t\r ');
});

test('a body that is not one JSON object is refused', () => {
  for (const text of ['', ' ', '[]', '"a"', '1', 'null', '\ufeff{}', '//x\n{}', 'model=x']) refuses(text);
});

test('brackets that do not match are refused', () => {
  for (const text of ['{"n":[}', '{"n":{]}', '{"n":[1}}', '{"n":[[]}', '{"n":{"a":[1]]}', '{"n":]}', '{]'])
    refuses(text);
});

test('a bracket is closed by its own kind only, at every depth and however often brackets open and close there', () => {
  const kinds = [...Array(MAX_DEPTH - 1).keys()].map((depth) => (depth * 7) % 3 === 0);
  for (let depth = 1; depth < kinds.length; depth += 1) {
    const inner = kinds.slice(0, depth);
    const open = inner.map((isObject) => (isObject ? '{"a":' : '[')).join('');
    const close = inner.map((isObject) => (isObject ? '}' : ']')).reverse();
    const before = `{"n":${open}[[],{},[]]`;
    accepts(`${before}${close.join('')}}`);
    const wrong = close.map((bracket, at) => (at === depth - 1 ? (bracket === '}' ? ']' : '}') : bracket));
    refuses(`${before}${wrong.join('')}}`);
  }
});

test('brackets that open and close all the time cost the same at every depth', () => {
  const times = [20, 32].map((depth) => {
    const body = Buffer.from(`{"n":${'['.repeat(depth)}${'[],'.repeat(300_000)}[]${']'.repeat(depth)}}`);
    return leastMs(() => new JsonPeek(keys).advance(body, body.length));
  });
  assert.ok(times[1]! < times[0]! * 3, `${times}`);
});

test('the peek checks the structure of the top level', () => {
  for (const text of [
    '{"n" 1}',
    '{"n":}',
    '{"n":1,}',
    '{,"n":1}',
    '{"n":1 "m":2}',
    '{"n":1,,"m":2}',
    '{"n"::1}',
    '{n:1}',
    "{'n':1}",
    '{"n":1;}',
    '{1:1}',
    '{"n":\'x\'}',
    '{"a":"b" "c"}',
    '{"a"}',
  ]) {
    refuses(text);
  }
});

test('control characters outside strings are refused', () => {
  for (const control of ['\0', '\x01', '\x0b', '\x0c', '\x1f', '\x7f', '\u00a0', '\u2028']) {
    refuses(`{${control}"n":1}`);
    refuses(`{"n":${control}1}`);
    refuses(`{"n":1${control}}`);
    refuses(`{"n":[${control}]}`);
  }
});

test('nesting is refused where it becomes too deep, and not before', () => {
  const nested = (depth: number) => `{"n":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  accepts(nested(MAX_DEPTH));
  assert.deepEqual(refuses(nested(MAX_DEPTH + 1), 'depth'), { kind: 'depth', at: 5 + MAX_DEPTH });
  const mixed = `${'[{"a":'.repeat(MAX_DEPTH / 2)}1${'}]'.repeat(MAX_DEPTH / 2)}`;
  assert.deepEqual(accepts(`{"n":${mixed}}`), { n: mixed });
  refuses(`{"n":${mixed.replace(']'.repeat(1), '}')}}`);
});

test('a fault of the peek says at which byte it is', () => {
  assert.deepEqual(refuses('{"n":1}x'), { kind: 'syntax', at: 7, expected: 'nothing after the object' });
  assert.deepEqual(refuses('{"ü":1 x'), { kind: 'syntax', at: 8, expected: 'a comma or }' });
});

test('a fault of the peek stays when more bytes come', () => {
  const peek = new JsonPeek(keys);
  const body = Buffer.from('{"n":1}x          ');
  assert.equal(peek.advance(body, 8), false);
  assert.equal(peek.finish(), false);
});

// ── against JSON.parse ──────────────────────────────────────────────────────

/** Reproducible: https://en.wikipedia.org/wiki/Lehmer_random_number_generator */
class Random {
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  below(limit: number): number {
    this.#seed = (this.#seed * 48271) % 2147483647;
    return this.#seed % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const texts = ['', 'a', '"', '\\', '\\"', 'é', '🌍', '}', '{"model":1}', 'x'.repeat(40), '\n', '\u0000', '\ud800'];

function randomValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 3 ? 5 : 7)) {
    case 0:
      return random.pick(texts) + random.pick(texts);
    case 1:
      return random.below(1000) - 500;
    case 2:
      return random.below(1000) * 1e-7;
    case 3:
      return random.pick([true, false, null]);
    case 4:
      return random.pick(texts);
    case 5:
      return Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1));
    default:
      return randomObject(random, depth + 1);
  }
}

function randomObject(random: Random, depth: number): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (let i = random.below(6); i > 0; i -= 1) {
    value[random.pick([...names, 'other', '', 'é"', 'models'])] = randomValue(random, depth);
  }
  return value;
}

test('the peek reads the values of random objects as JSON.parse does, at every cut', () => {
  const random = new Random(7);
  for (let round = 0; round < 400; round += 1) {
    const object = randomObject(random, 0);
    const text = JSON.stringify(object, null, random.pick([0, 0, 2, '\t']));
    const length = Buffer.byteLength(text);
    const expected = accepts(text);
    for (const name of names) {
      const value = object[name];
      assert.equal(expected[name] !== undefined, value !== undefined, text);
      if (value !== undefined) assert.deepEqual(JSON.parse(expected[name]!), JSON.parse(JSON.stringify(value)));
    }
    for (let cut = 0; cut <= length; cut += 1) assert.deepEqual(scan(text, [cut]).values, expected, text);
    const bytes = Array.from({ length }, (_, index) => index);
    assert.deepEqual(scan(text, bytes).values, expected, text);
  }
});

/** Undefined where it is no object. */
function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

test('a randomly broken object is refused exactly where JSON.parse refuses it', () => {
  const random = new Random(11);
  const structural = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    ' ',
    'x',
    '\0',
    '1',
    '-',
    '.',
    'e',
    '0',
    't',
    '\n',
    '\\u12',
  ];
  let refused = 0;
  for (let round = 0; round < 8000; round += 1) {
    const whole = JSON.stringify(randomObject(random, 0));
    const at = random.below(whole.length);
    const broken = whole.slice(0, at) + random.pick(structural) + whole.slice(at + random.below(3));
    // Half a surrogate pair has no bytes of its own.
    const text = Buffer.from(broken).toString();
    const parsed = parsedObject(text);
    const cuts = Array.from({ length: Buffer.byteLength(text) }, (_, index) => index);
    const seen = scan(text);
    assert.deepEqual(scan(text, cuts), seen, `cut differently it is read differently: ${text}`);
    if (!seen.ok) {
      refused += 1;
      const isAmbiguous = seen.fault?.kind === 'repeated' || seen.fault?.kind === 'escaped';
      assert.ok(parsed === undefined || isAmbiguous, `refused although it is JSON: ${text}`);
      continue;
    }
    assert.ok(parsed !== undefined, `accepted although it is no JSON: ${text}`);
    for (const name of names) {
      const value = seen.values[name];
      assert.deepEqual(value === undefined ? undefined : JSON.parse(value), parsed[name], text);
    }
  }
  assert.ok(refused > 1000);
});

// ── size ────────────────────────────────────────────────────────────────────

test('the peek jumps over a string of a megabyte, in any pieces', () => {
  const long = `"${'é\\"\\\\'.repeat(180_000)}"`;
  const text = `{"a":${long},"model":"x","messages":[${long}]}`;
  const length = Buffer.byteLength(text);
  for (const size of [65_536, 100_003, length]) {
    const body = Buffer.from(text);
    const peek = new JsonPeek(keys);
    for (let end = size; end < length; end += size) assert.ok(peek.advance(body, end));
    assert.ok(peek.advance(body, length) && peek.finish());
    assert.equal(body.toString('utf8', peek.starts[0], peek.ends[0]), '"x"');
    assert.equal(peek.ends[1]! - peek.starts[1]!, Buffer.byteLength(long) + 2);
  }
});

function scanInSlices(body: Buffer, slice: number): void {
  const peek = new JsonPeek(keys);
  for (let end = slice; end < body.length; end += slice) peek.advance(body, end);
  peek.advance(body, body.length);
  assert.ok(peek.finish());
}

test('the peek takes four times as long for four times the bytes of a 20 MB body that arrives in slices', () => {
  const bodyOf = (bytes: number) => Buffer.from(`{"model":"a","image":"${'A'.repeat(bytes)}"}`);
  const small = bodyOf(5_000_000);
  const large = bodyOf(20_000_000);
  assertLinear(
    () => scanInSlices(large, 16_384),
    () => scanInSlices(small, 16_384),
  );
});

test('the peek reads nothing beyond what has arrived, since the buffer there holds foreign bytes', () => {
  const whole = Buffer.from(`{"model":"a","image":"${'A'.repeat(20_000_000)}"}`);
  const sliced = leastMs(() => scanInSlices(whole, 16_384));
  const atOnce = leastMs(() => scanInSlices(whole, whole.length));
  assert.ok(sliced < atOnce * 20 + 5, `in slices ${sliced.toFixed(1)} ms, at once ${atOnce.toFixed(1)} ms`);
});

test('runs of backslashes and of quotes take linear time', () => {
  for (const unit of ['\\\\', '\\"', '\\\\\\"', '","']) {
    const bodyOf = (count: number) => Buffer.from(`{"a":["${unit.repeat(count)}"]}`);
    const small = bodyOf(50_000);
    const large = bodyOf(200_000);
    assertLinear(
      () => scanInSlices(large, 1000),
      () => scanInSlices(small, 1000),
      unit,
    );
  }
});
