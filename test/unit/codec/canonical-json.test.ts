import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CanonicalOptions, canonicalJson } from '../../../src/codec/canonical-json.ts';

const of = (text: string, options?: CanonicalOptions) => canonicalJson(Buffer.from(text), options);
const same = (one: string, other: string) => {
  assert.notEqual(of(one), undefined);
  assert.equal(of(one), of(other));
};

test('order of keys, white space and escapes make no other text', () => {
  same(
    '{"a":1,"b":[true,null,{"c":"x","d":-1.5e3}]}',
    ' { "b" : [ true , null, {"d":-1.5e3,\n"c":"x"} ] , "a":1 }\r\n',
  );
  same('{"a":"\\u0041\\/\\n\\u00e9"}', '{"\\u0061":"A/\\né"}');
  same('{"a":"a\\\\\\"b"}', '{"a":"a\\u005c\\u0022b"}');
});

test('different values have different texts, be it beyond 2^53 or half a pair of surrogates', () => {
  const different = [
    '{"a":9007199254740993}',
    '{"a":9007199254740992}',
    '{"a":1}',
    '{"a":1.0}',
    '{"a":"1"}',
    '{"a":[1]}',
    '{"a":"\\ud800"}',
    '{"a":"\\ud801"}',
    '{"a":{"b":1},"c":2}',
    '{"a":{"b":1,"c":2}}',
    '{"a":[1,2]}',
    '{"a":[2,1]}',
    '{"a":"x\\",\\"b\\":\\"y"}',
    '{"a":"x","b":"y"}',
  ];
  assert.equal(new Set(different.map((each) => of(each))).size, different.length);
});

test('bytes that are no UTF-8 are not taken for each other', () => {
  const [first, second] = [0xff, 0xfe].map((byte) => canonicalJson(Buffer.from([0x22, byte, 0x22])));
  assert.notEqual(first, second);
});

test('a key that stands twice in one object, at any depth, has no text', () => {
  assert.equal(of('{"a":1,"a":2}'), undefined);
  assert.equal(of('{"a":1,"\\u0061":2}'), undefined);
  assert.equal(of('[{"b":{"a":1,"a":1}}]'), undefined);
});

test('a text that is no JSON has no canonical form', () => {
  const faulty = ['', '{', '{"a"}', '{"a":}', '[1,]', '{"a":1}x', '"a', 'nul', '{a:1}', '{"a":1,}', '[1 2]', '"\\x"'];
  for (const each of faulty) assert.equal(of(each), undefined, each);
  assert.equal(of(`${'['.repeat(500)}${']'.repeat(500)}`), undefined);
});

test('keys of the outermost object are left out, and no others', () => {
  const leaveOut = new Set(['user']);
  assert.equal(of('{"user":"a","m":{"user":"b"}}', { leaveOut }), of('{"m":{"user":"b"}}'));
});

test('a value of `never` has no text', () => {
  const never = { store: 'true' };
  assert.equal(of('{"store": true}', { never }), undefined);
  assert.notEqual(of('{"store":false,"a":{"store":true}}', { never }), undefined);
});

test('a line about the client is left out of the texts of its key alone', () => {
  const attribution = { key: 'system', begins: 'x-who:' };
  const options = { attribution };
  assert.equal(of('{"system":[{"text":"x-who: 1\\nBe kind."}]}', options), of('{"system":[{"text":"Be kind."}]}'));
  assert.equal(of('{"system":"x-who: 1"}', options), of('{"system":"x-who: 2"}', options));
  assert.notEqual(of('{"user":"x-who: 1"}', options), of('{"user":"x-who: 2"}', options));
});
