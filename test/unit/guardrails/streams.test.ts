import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guarded as messagesForm } from '../../../src/dialects/anthropic-messages/guarded.ts';
import type { GuardedForm } from '../../../src/dialects/guarded-form.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import { guarded as responsesForm } from '../../../src/dialects/openai-responses/guarded.ts';
import { cuttings } from '../../support/cuttings.ts';
import { guardConfig, openFilter, openSession, streamed } from './guarded.ts';

const EMAIL = 'bob.smith@mail.example.com';
const PRESETS = ['email', 'us_ssn', 'credit_card', 'github_token'];
const config = { preset_patterns: { presets: PRESETS }, custom_patterns: [{ pattern: 'S.T', redaction_text: '*' }] };
const redacting = guardConfig({ kind: 'regex', name: 'g/redact', config });
const refusing = guardConfig({ kind: 'regex', name: 'g/refuse', operation: 'validate', config });

const sse = (type: string, data: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

interface FormCase {
  readonly form: GuardedForm;
  /** The text in pieces, as events of a whole stream. */
  write(pieces: readonly string[]): string[];
  /** All text that a stream tells, piece by piece. */
  read(stream: string): string;
}

// biome-ignore lint/suspicious/noExplicitAny: what a stream tells is looked into freely here
function datas(stream: string): Record<string, any>[] {
  return [...stream.matchAll(/^data: (\{.*\})$/gm)].map(([, json]) => JSON.parse(json!));
}

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

const CASES: Record<string, FormCase> = {
  'content of a chat': {
    form: chatForm,
    write: (pieces) => [
      chunk({ role: 'assistant', content: '' }),
      ...pieces.map((content) => chunk({ content })),
      chunk({}, 'stop'),
      'data: [DONE]\n\n',
    ],
    read: (stream) =>
      datas(stream)
        .map(({ choices }) => choices[0].delta.content ?? '')
        .join(''),
  },
  'reasoning of a chat': {
    form: chatForm,
    write: (pieces) => [
      ...pieces.map((each) => chunk({ reasoning_content: each })),
      chunk({ content: 'x' }),
      chunk({}, 'stop'),
    ],
    read: (stream) =>
      datas(stream)
        .map(({ choices }) => choices[0].delta.reasoning_content ?? '')
        .join(''),
  },
  'arguments of a tool call in a chat': {
    form: chatForm,
    write: (pieces) => {
      const call = (text: string, more: object = {}) =>
        chunk({ tool_calls: [{ index: 1, function: { arguments: text }, ...more }] });
      const json = [`{"n": 12, "to": "`, ...pieces.map(quoted), '", "ok": true}'];
      return [call('', { id: 'call_1', type: 'function' }), ...json.map((each) => call(each)), chunk({}, 'tool_calls')];
    },
    read: (stream) => {
      const text = datas(stream)
        .map(({ choices }) => choices[0].delta.tool_calls?.[0].function.arguments ?? '')
        .join('');
      if (text.endsWith('}')) return JSON.parse(text).to;
      return text.includes('to": "') ? JSON.parse(`${text}"}`).to : '';
    },
  },
  'text of a message': {
    form: messagesForm,
    write: (pieces) => [
      sse('message_start', { message: { id: 'm', content: [], usage: { input_tokens: 1 } } }),
      sse('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      ...pieces.map((text) => sse('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
      sse('content_block_stop', { index: 0 }),
      sse('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } }),
      sse('message_stop', {}),
    ],
    read: (stream) =>
      datas(stream)
        .map(({ delta }) => delta?.text ?? '')
        .join(''),
  },
  'text of a response': {
    form: responsesForm,
    write: (pieces) => {
      const at = { item_id: 'i', output_index: 0, content_index: 0 };
      const text = pieces.join('');
      const part = { type: 'output_text', text };
      const item = { type: 'message', id: 'i', content: [part] };
      return [
        sse('response.created', { response: { id: 'r', output: [] } }),
        // As OpenAI sends them: numbered, and with a text that hides how long the words are.
        ...pieces.map((delta, number) =>
          sse('response.output_text.delta', {
            ...at,
            sequence_number: number + 7,
            delta,
            logprobs: [],
            obfuscation: 'aGkJ3bQxYz0'.slice(number % 9),
          }),
        ),
        sse('response.output_text.done', { ...at, text }),
        sse('response.content_part.done', { ...at, part }),
        sse('response.output_item.done', { output_index: 0, item }),
        sse('response.completed', { response: { id: 'r', output: [item] } }),
      ];
    },
    read: (stream) =>
      datas(stream)
        .filter(({ type }) => type.endsWith('.delta'))
        .map(({ delta }) => delta)
        .join(''),
  },
};

function redacted(text: string): string {
  const { filter, host } = openFilter(openSession({ configs: [redacting] }), chatForm, false);
  filter.finish(Buffer.from(JSON.stringify({ choices: [{ index: 0, message: { content: text } }] })));
  return JSON.parse(host.output().toString()).choices[0].message.content;
}

const CARD = '4111 1111 1111 1111';
const TEXTS = [
  `${EMAIL} at the beginning, a number 123-45-6789, and ghp_${'a'.repeat(36)}`,
  `Pay with ${CARD}; not 4111 1111 1111 1112. Ask é😀 ${EMAIL}.`,
  `no end ${EMAIL}`,
  'S\nT SaT S😀T 123-45-67890 1123-45-6789 bob@ x@y 4111',
];

function* splits(text: string): Generator<string[]> {
  const chars = text.split('');
  yield [text];
  yield chars;
  for (let size = 2; size < 6; size += 1) {
    yield text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
  }
  for (let at = 1; at < text.length; at += 1) yield [text.slice(0, at), text.slice(at)];
}

for (const [name, { form, write, read }] of Object.entries(CASES)) {
  describe(name, () => {
    test('streamed, the text is what guards make of the whole text, wherever it is cut', () => {
      for (const text of TEXTS) {
        const whole = redacted(text);
        assert.ok(!whole.includes('bob.smith') && !whole.includes('123-45-6789,'), whole);
        for (const pieces of splits(text)) {
          const { output, error } = streamed(openSession({ configs: [redacting] }), form, write(pieces));
          assert.equal(error, undefined);
          assert.equal(read(output), whole, JSON.stringify(pieces));
          assert.ok(!output.includes(EMAIL));
        }
      }
    });

    test('the text that left before the end is the beginning of the whole text', () => {
      for (const text of TEXTS) {
        const whole = redacted(text);
        const { steps } = streamed(openSession({ configs: [redacting] }), form, write(text.split('')));
        for (const step of steps) assert.ok(whole.startsWith(read(step)), `${read(step)} of ${whole}`);
      }
    });

    test('a stream with nothing in it passes to the byte, however its bytes are cut', () => {
      const bytes = Buffer.from(write(['Nothing ', 'to be ', 'found h', 'ere.']).join(''));
      for (const cut of cuttings(bytes, 60)) {
        const { output } = streamed(openSession({ configs: [redacting] }), form, cut);
        assert.equal(output, bytes.toString());
      }
    });

    test('no more is held than a match can be long, and of words that begin none nothing', () => {
      const words = ['Here ', 'are ', 'plain ', 'words ', 'and ', 'no ', 'more'];
      const events = write(words);
      const { steps } = streamed(openSession({ configs: [redacting] }), form, events);
      const at = events.findIndex((each) => each.includes('plain'));
      assert.ok(read(steps[at + 1]!).includes('plain'), read(steps[at + 1]!));
    });

    test('a refused text ends the stream before any of it leaves', () => {
      for (const pieces of splits(`ask ${EMAIL} now`)) {
        const { output, error } = streamed(openSession({ configs: [refusing] }), form, write(pieces));
        assert.equal(error?.code, 'guardrail_blocked');
        assert.ok(!/bob/.test(output), output);
      }
    });
  });
}

test('words that stand where an event had none before are read, though all else of it is familiar', () => {
  const delta = (content: string, more: object): string =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content, ...more } }], obfuscation: 'xyz' })}\n\n`;
  const events = [
    delta('one', { note: 'aaaaaaaaaaaaaaaaaaaaaaaa' }),
    delta('two', { note: 'aaaaaaaaaaaaaaaaaaaaaaaa' }),
    delta('two', { reasoning: EMAIL.slice(0, 20) }),
    delta('two', { reasoning: EMAIL.slice(20) }),
  ];
  const { output } = streamed(openSession({ configs: [redacting] }), chatForm, events);
  assert.ok(!output.includes('bob.smith'), output);
});

test('a guard of secrets holds no event of plain prose, and with one of all personal data none but the last word', () => {
  const secrets = guardConfig({ kind: 'secret-detection', name: 'g/secrets' });
  const guards = [secrets, guardConfig({ kind: 'tfy-pii', name: 'g/pii', config: { pii_categories: ['*'] } })];
  const prose =
    'In 2024 some 12 of them met at 10:30, near gate B7, for v1.2 of it; nobody (she said) knew why_it was so. ';
  const words = prose.repeat(3).match(/ ?[^ ]+/g)!;
  const { form, write, read } = CASES['content of a chat']!;
  const { steps } = streamed(openSession({ configs: guards }), form, write(words));
  // The first event says the role.
  const plain = 'It was late when they met at 10 of 12; nobody (she said) knew why it was so. '.match(/ ?[^ ]+/g)!;
  const { steps: unheld } = streamed(openSession({ configs: [secrets] }), form, write(plain));
  for (const [at, word] of plain.entries())
    if (!/\d$/.test(word)) assert.equal(read(unheld[at + 1]!), plain.slice(0, at + 1).join(''));
  for (const at of words.keys()) {
    const left = read(steps[at + 1]!);
    assert.ok(left.length >= words.slice(0, at).join('').length, `${left}|${words[at]}`);
  }
});

test('events in which nothing begins leave as the very memory that they came in', () => {
  const { form, write } = CASES['content of a chat']!;
  const plain = 'It was late when they met; nobody (she said) knew why it was so. '.match(/ ?[^ ]+/g)!;
  const secrets = guardConfig({ kind: 'secret-detection', name: 'g/secrets' });
  const { filter, host } = openFilter(openSession({ configs: [secrets] }), form, true);
  const words = write(plain)
    .slice(1, 1 + plain.length)
    .map((each) => Buffer.from(each));
  // The first events are looked at more closely.
  for (const bytes of [...words, ...words]) filter.write(bytes);
  const again = host.written.slice(-words.length);
  for (const [at, bytes] of words.entries()) assert.equal(again[at], bytes);
});

test('chances of tokens, which tell the words once more, go with the words that are changed', () => {
  const event = (content: string): string =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, logprobs: { content: [{ token: content }] } }] })}\n\n`;
  const { output } = streamed(openSession({ configs: [redacting] }), chatForm, [
    event('to '),
    event(EMAIL),
    event(' now'),
  ]);
  const [, middle] = datas(output);
  assert.equal(middle!['choices'][0].logprobs, null);
  assert.ok(!output.includes('bob'));
});

test('an escape in the arguments of a tool hides nothing, and a number that is found becomes a text', () => {
  const call = (text: string): string => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] });
  const text = '{"to":"bob\\u0040mail.example.com","n":4111111111111111,"m":12}';
  for (const pieces of splits(text)) {
    const { output } = streamed(openSession({ configs: [redacting] }), chatForm, [
      ...pieces.map(call),
      chunk({}, 'tool_calls'),
    ]);
    const told = datas(output)
      .map(({ choices }) => choices[0].delta.tool_calls?.[0].function.arguments ?? '')
      .join('');
    assert.deepEqual(JSON.parse(told), { to: '[REDACTED]', n: '[REDACTED]', m: 12 });
  }
});
