import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactionPattern } from '../../../src/config/rules/redactions.ts';
import { keptBody, redactorOf } from '../../../src/request-log/kept-text.ts';
import { redactedText } from '../../../src/request-log/redacted-text.ts';
import { streamedTexts } from '../../../src/request-log/streamed-texts.ts';

const MAIL = 'ann.b+c@mail.example.com';
const redact = redactorOf([
  redactionPattern.parse({ preset: 'email' }),
  redactionPattern.parse({ preset: 'credit_card' }),
])!;

const PRESETS: readonly [preset: string, found: string, left: string][] = [
  ['email', `write to ${MAIL}.`, 'write to [REDACTED].'],
  ['us_ssn', 'it is 078-05-1120', 'it is [REDACTED]'],
  ['us_phone', 'call (212) 555-0123 now', 'call [REDACTED] now'],
  ['credit_card', 'card 4111-1111-1111-1111, 378282246310005', 'card [REDACTED], [REDACTED]'],
  ['aws_access_key', 'AKIAIOSFODNN7EXAMPLE', '[REDACTED]'],
  ['github_token', `ghp_${'a1'.repeat(18)}`, '[REDACTED]'],
  ['slack_token', 'xoxb-123456789012-abcdef', '[REDACTED]'],
  ['generic_api_key', 'sk-proj-abcdefghijklmnop1234', '[REDACTED]'],
  ['ipv4', 'from 192.168.0.1', 'from [REDACTED]'],
];
for (const [preset, text, left] of PRESETS) {
  test(`the preset ${preset} finds what it is named after, and no more`, () => {
    const only = redactorOf([redactionPattern.parse({ preset })])!;
    assert.equal(redactedText(text, only), left);
    assert.equal(redactedText('what 12 apples cost: 3.50', only), 'what 12 apples cost: 3.50');
  });
}

test('texts of JSON are looked into as they are read, and what is found nowhere stays byte for byte', () => {
  const escaped = MAIL.replaceAll('@', '\\u0040');
  const json = `{"a": "\\n4111111111111111", "b":1.50, "c":"${escaped}", "n": 4111111111111111}`;
  assert.equal(redactedText(json, redact), '{"a": "\\n[REDACTED]", "b":1.50, "c":"[REDACTED]", "n": [REDACTED]}');
  const clean = '{ "x" : "a\\u00e9\\/b" ,"y":[1e5] }';
  assert.equal(redactedText(clean, redact), clean);
});

test('JSON within a text of JSON, as arguments of tools are, is looked into', () => {
  const json = JSON.stringify({ arguments: JSON.stringify({ note: `\n4111111111111111 ${MAIL}` }) });
  const { arguments: inner } = JSON.parse(redactedText(json, redact));
  assert.deepEqual(JSON.parse(inner), { note: '\n[REDACTED] [REDACTED]' });
});

test('wherever a body is cut, no part of a secret is kept that no pattern finds', () => {
  const max = 2_000;
  const whole = Buffer.from(JSON.stringify({ content: `${'word '.repeat(380)}${MAIL} ${MAIL}\\n${'é'.repeat(900)}` }));
  for (let seen = 1; seen <= max + 1_024; seen += 7) {
    const start = new Uint8Array(whole.subarray(0, seen));
    const { text = '', truncated } = keptBody(
      { contentType: 'application/json', bytes: whole.length, start },
      max,
      redact,
    );
    assert.ok(truncated && text.length <= max);
    assert.doesNotMatch(text, /ann|mail\.example/, `after ${seen}`);
  }
});

test('a body that is no text is told by its length alone', () => {
  const start = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 0]);
  assert.deepEqual(keptBody({ contentType: 'image/jpeg', bytes: 6, start }, 100, undefined), {
    content_type: 'image/jpeg',
    bytes: 6,
    truncated: false,
  });
});

const STREAMS: readonly [form: string, events: readonly object[], at: string][] = [
  [
    'chat',
    ['so', 'ann@', 'x.com'].map((content) => ({ choices: [{ index: 0, delta: { content } }] })),
    'choices[0].delta.content',
  ],
  [
    'messages',
    ['so', 'ann@', 'x.com'].map((text) => ({ type: 'content_block_delta', index: 1, delta: { text } })),
    '[1].delta.text',
  ],
  ['responses', ['so', 'ann@', 'x.com'].map((delta) => ({ output_index: 0, content_index: 0, delta })), '[0.0].delta'],
  [
    'Gemini',
    ['so', 'ann@', 'x.com'].map((text) => ({ candidates: [{ content: { parts: [{ text }] } }] })),
    'candidates[0].content.parts[0].text',
  ],
];
for (const [form, events, at] of STREAMS) {
  test(`the pieces of a stream of the form ${form} are one text`, () => {
    const stream = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    assert.deepEqual(streamedTexts(`${stream}data: [DONE]\n\n`), [{ at, text: 'soann@x.com' }]);
  });
}

test('a text that a stream of Responses tells in pieces and then whole is kept once, and two alike of two items twice', () => {
  const part = { type: 'output_text', text: 'soann@x.com' };
  const place = { output_index: 0, content_index: 0 };
  const item = { type: 'message', content: [part] };
  const reasoning = { type: 'reasoning', summary: [{ type: 'summary_text', text: 'told only whole' }] };
  const events: object[] = [
    { type: 'response.created', response: { output: [] } },
    ...['so', 'ann@', 'x.com'].map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
    { type: 'response.output_text.delta', ...place, output_index: 1, delta: 'soann@x.com' },
    { type: 'response.output_text.done', ...place, text: part.text },
    { type: 'response.content_part.done', ...place, part },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.output_item.done', output_index: 2, item: reasoning },
    { type: 'response.completed', response: { output: [item, item, reasoning] } },
  ];
  const stream = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
  assert.deepEqual(streamedTexts(stream), [
    { at: '[0.0].delta', text: part.text },
    { at: '[1.0].delta', text: part.text },
    { at: '[2].item.summary[0].text', text: 'told only whole' },
  ]);
});

test('a pattern that would go back without end elsewhere takes time in proportion to the text', () => {
  const slow = redactorOf([redactionPattern.parse({ pattern: '(a+)+$' })])!;
  const started = performance.now();
  slow(`${'a'.repeat(50_000)}!`);
  assert.ok(performance.now() - started < 10_000);
});

test('a pattern that is none of RE2, or finds the empty text, is refused', () => {
  for (const pattern of ['(?=x)', '(', 'x*']) assert.equal(redactionPattern.safeParse({ pattern }).success, false);
  assert.equal(redactionPattern.safeParse({ preset: 'mail' }).success, false);
});
