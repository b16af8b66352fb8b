import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalBody } from '../../../src/cache/cache-key.ts';
import { semanticRequest } from '../../../src/cache/semantic-request.ts';
import { dialects } from '../../../src/plugs.ts';

const DIALECTS = dialects();

const LIMITS = {
  maxEntries: 16,
  maxBytes: 65_536,
  maxRedisEntries: 16,
  embeddingTimeoutMs: 100,
  maxConcurrentEmbeddings: 4,
  maxMessages: 3,
  maxTextBytes: 100,
};

function read(body: string, form = 'openai-chat', model: string | undefined = 'v/small') {
  const dialect = DIALECTS.find(({ name }) => name === form);
  assert.ok(dialect?.cached);
  const exchange = { body: Buffer.from(body), path: '/x', headers: {} };
  const route = { model: 'main/m', targets: [] };
  const caller = { principal: { subject: 'a' }, teams: [] };
  const settings = { namespace: 'n', sharedWith: 'nobody' };
  const canonical = canonicalBody(exchange.body, dialect.cached);
  assert.ok(canonical !== undefined);
  const request = { exchange, dialect, route, caller, strictForm: false, settings };
  return semanticRequest(request as unknown as Parameters<typeof semanticRequest>[0], canonical, model, LIMITS);
}

const familyOf = (body: string, form?: string, model?: string): string => {
  const found = read(body, form, model);
  assert.ok(typeof found === 'object', String(found));
  return String(found.family);
};
const chat = (text: string, more = '') => `{"messages":[{"role":"user","content":${JSON.stringify(text)}}]${more}}`;

test('requests that differ in their last text alone are of one family, in every form that generates text', () => {
  const forms: readonly (readonly [string, (text: string) => string])[] = [
    ['openai-chat', (text) => chat(text)],
    [
      'anthropic-messages',
      (text) => `{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"${text}"}]}]}`,
    ],
    ['openai-responses', (text) => `{"store":false,"input":"${text}"}`],
    [
      'openai-responses',
      (text) => `{"store":false,"input":[{"role":"user","content":[{"type":"input_text","text":"${text}"}]}]}`,
    ],
    ['openai-completions', (text) => `{"prompt":"${text}"}`],
  ];
  for (const [form, body] of forms) {
    assert.equal(familyOf(body('one thing'), form), familyOf(body('another'), form), form);
    const found = read(body('one thing'), form);
    assert.equal(typeof found === 'object' && found.text, 'one thing');
  }
});

test('whatever else differs makes another family: numbers beyond 2^53 and the model for vectors too', () => {
  const plain = familyOf(chat('a'));
  const seeds = ['9007199254740992', '9007199254740993'].map((seed) => familyOf(chat('a', `,"seed":${seed}`)));
  const others = [
    ...seeds,
    familyOf(chat('a', ',"temperature":0')),
    familyOf('{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}]}'),
    familyOf('{"messages":[{"role":"user","content":[{"type":"text","text":"context"},{"type":"text","text":"a"}]}]}'),
    familyOf(chat('a'), 'openai-chat', 'v/large'),
  ];
  assert.equal(new Set([plain, ...others]).size, others.length + 1);
});

test('a text that stands twice, is too long, or is no user’s is compared with equal ones alone', () => {
  assert.equal(read(chat('a', ',"stop":["a"]')), 'text');
  assert.equal(read(chat('x'.repeat(101))), 'text');
  assert.equal(read(chat('  ')), 'text');
  assert.equal(read('{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}'), 'text');
});

test('tools of every form are seen, and words about them in a text are none', () => {
  assert.equal(read(chat('a', ',"tools":[{"type":"function"}]')), 'tools');
  assert.equal(
    read('{"messages":[{"role":"tool","tool_call_id":"x","content":"r"},{"role":"user","content":"a"}]}'),
    'tools',
  );
  const block = '{"type":"tool_result","tool_use_id":"t","content":"r"}';
  assert.equal(
    read(`{"messages":[{"role":"user","content":[${block},{"type":"text","text":"a"}]}]}`, 'anthropic-messages'),
    'tools',
  );
  const output = '{"type":"function_call_output","call_id":"c","output":"r"}';
  assert.equal(read(`{"store":false,"input":[${output},{"role":"user","content":"a"}]}`, 'openai-responses'), 'tools');
  assert.equal(typeof read(chat('what is {"role":"tool","tool_calls":[]}?')), 'object');
  assert.equal(typeof read(chat('a', ',"tools":[]')), 'object');
});
