import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Edit, type KeyRule, KeyRules } from '../../../src/codec/key-rules.ts';
import { randomFrom } from '../../support/random.ts';

const RULES: readonly KeyRule[] = [
  { key: 'seed', rename: 'random_seed' },
  { key: 'store', drop: 'all' },
  { key: 'user', drop: 'all' },
  { key: 'logprobs', drop: ['false'], refuse: true },
  { key: 'logit_bias', drop: ['{}'], refuse: true },
  { key: 'reasoning_effort', words: { '"minimal"': '"low"', '"xhigh"': '"high"' } },
];

const rules = new KeyRules(RULES);

function applied(body: string, edits: readonly Edit[]): string {
  let out = '';
  let from = 0;
  for (const { start, end, bytes } of edits) {
    assert.ok(start >= from, 'edits are in order and do not overlap');
    out += body.slice(from, start) + bytes.toString();
    from = end;
  }
  return out + body.slice(from);
}

/** A body around `"messages": []`, whose place is skipped. */
function edited(before: string, after: string): string | { kind: string; key?: string } {
  const body = `{${before}"messages":[]${after}}`;
  const at = body.indexOf('[]');
  const edits = rules.ofBody(Buffer.from(body), at, at + 2);
  return Array.isArray(edits) ? applied(body, edits) : edits;
}

test('a key that no rule is about keeps its bytes, whatever stands around it', () => {
  for (const [before, after] of [
    ['"model": "m" , ', ' , "x" : {"seed": 1, "store":true}'],
    ['', ''],
    ['"a":"\\"store\\":1",', ',"b":["seed"]'],
  ] as const) {
    assert.equal(edited(before, after), `{${before}"messages":[]${after}}`);
  }
});

test('a pair is left out with one comma, wherever it stands', () => {
  assert.equal(edited('"store":true,', ''), '{"messages":[]}');
  assert.equal(edited('', ',"store":true'), '{"messages":[]}');
  assert.equal(edited('', ' , "store" : true , "user" : "u" \n'), '{"messages":[]  \n}');
  assert.equal(edited('"store":true,"user":"u",', ',"a":1,"logprobs":false'), '{"messages":[],"a":1}');
});

test('a key gets its other name, unless that key is there as well', () => {
  assert.equal(edited('"seed" : 7,', ''), '{"random_seed" : 7,"messages":[]}');
  assert.equal(edited('"seed":7,', ',"random_seed":8'), '{"messages":[],"random_seed":8}');
});

test('a value that asks for nothing is left out, and any other is refused by its name', () => {
  assert.equal(edited('"logprobs":false,"logit_bias": { } ,', ''), '{"messages":[]}');
  assert.equal(edited('', ',"logprobs":null'), '{"messages":[]}');
  assert.deepEqual(edited('', ',"logit_bias":{"1":2}'), { kind: 'refused', key: 'logit_bias' });
});

test('a word becomes the other word, and a word that no rule knows stays', () => {
  assert.equal(edited('"reasoning_effort":"minimal",', ''), '{"reasoning_effort":"low","messages":[]}');
  assert.equal(edited('"reasoning_effort": "xhigh" ,', ''), '{"reasoning_effort": "high" ,"messages":[]}');
  assert.equal(edited('"reasoning_effort":"max",', ''), '{"reasoning_effort":"max","messages":[]}');
  assert.equal(edited('"reasoning_effort":{"minimal":1},', ''), '{"reasoning_effort":{"minimal":1},"messages":[]}');
});

test('a key that stands twice, or in other letters, is ambiguous', () => {
  for (const [before, after] of [
    ['"seed":1,', ',"seed":2'],
    ['"Seed":1,', ''],
    ['', ',"s\\u0065ed":1'],
  ] as const) {
    const found = edited(before, after);
    assert.ok(typeof found === 'object' && ['repeated', 'case', 'escaped'].includes(found.kind), before + after);
  }
});

test('the keys of each object of an array are edited, and nothing deeper', () => {
  const messages = new KeyRules([
    { key: 'reasoning', rename: 'reasoning_content' },
    { key: 'refusal', drop: 'all' },
    { key: 'name', drop: 'all' },
  ]);
  const body =
    ' [ {"role":"user","name":"n","content":[{"type":"text","text":"a","name":"deep"}]},' +
    '{"role":"assistant" , "reasoning" : "r\\"]}" , "refusal":null}, {"reasoning":"r","reasoning_content":"c"},' +
    '{"refusal":null,"name":{"reasoning":[1]}},"name",{}]';
  const edits = messages.ofObjects(Buffer.from(body), 0, body.length);
  assert.ok(Array.isArray(edits));
  assert.equal(
    applied(body, edits),
    ' [ {"role":"user","content":[{"type":"text","text":"a","name":"deep"}]},' +
      '{"role":"assistant" , "reasoning_content" : "r\\"]}" }, {"reasoning_content":"c"},' +
      '{},"name",{}]',
  );
});

test('the rules make of any object the same as of its keys', () => {
  const random = randomFrom(11);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const values = [
    true,
    false,
    null,
    1,
    'x',
    '"store":1,',
    '{}',
    {},
    { seed: 1 },
    [],
    ['a', { user: 2 }],
    'minimal',
    'xhigh',
  ];
  for (let round = 0; round < 3_000; round += 1) {
    const names = ['seed', 'random_seed', 'store', 'user', 'logprobs', 'logit_bias', 'reasoning_effort', 'a', 'b', 'c'];
    const object: Record<string, unknown> = {};
    for (let at = Math.floor(random() * 8); at > 0; at -= 1) object[pick(names)] = pick(values);
    const indent = pick([0, 1, 2]);
    const text = JSON.stringify([object], null, indent);
    const edits = rules.ofObjects(Buffer.from(text), 0, text.length);
    const expected = oracle(object);
    if (expected === undefined) assert.ok(!Array.isArray(edits), text);
    else {
      assert.ok(Array.isArray(edits), text);
      assert.deepEqual(JSON.parse(applied(text, edits)), [expected], text);
    }
    const { a = 0, ...rest } = object;
    const body = JSON.stringify({ b1: 1, ...rest, messages: a, ...(round % 2 === 0 && { z: 1 }) }, null, indent);
    const start = body.indexOf('"messages":') + (indent === 0 ? 11 : 12);
    const end = start + JSON.stringify(a, null, indent).replaceAll('\n', `\n${' '.repeat(indent)}`).length;
    const whole = rules.ofBody(Buffer.from(body), start, end);
    if (expected === undefined) assert.ok(!Array.isArray(whole), body);
    else {
      assert.ok(Array.isArray(whole), body);
      const { a: _a, ...kept } = expected;
      const wanted = { b1: 1, ...kept, messages: a, ...(round % 2 === 0 && { z: 1 }) };
      assert.deepEqual(JSON.parse(applied(body, whole)), wanted, body);
    }
  }
});

/** The same on a parsed object; undefined: refused. */
function oracle(object: Record<string, unknown>): Record<string, unknown> | undefined {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) {
    if (key === 'store' || key === 'user') continue;
    if (key === 'logprobs' || key === 'logit_bias') {
      const neutral = key === 'logprobs' ? 'false' : '{}';
      if (value === null || JSON.stringify(value) === neutral) continue;
      return undefined;
    }
    if (key === 'seed') {
      if (!('random_seed' in object)) out['random_seed'] = value;
    } else if (key === 'reasoning_effort') out[key] = value === 'minimal' ? 'low' : value === 'xhigh' ? 'high' : value;
    else out[key] = value;
  }
  return out;
}
