import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isArray, isObject, type JsonObject } from '../../../../src/codec/json-value.ts';
import type { StreamLessons } from '../../../../src/dialects/answer-form.ts';
import { openAiChat } from '../../../../src/dialects/openai-chat/index.ts';
import { chunkEvent, completion, DONE_EVENT, USAGE_EVENT } from '../../../support/provider.ts';
import { decodeChat } from '../../../support/sdk-streams.ts';

const { answers } = openAiChat;
const context = { exchangeId: 'ex_1', model: 'p/m', includeUsage: true, created: 1_700_000_000 };

function reader(choices = 1, lessons?: StreamLessons) {
  const told: unknown[] = [];
  const expected = { choices, usageEvent: 'keep', ...(lessons && { lessons }) } as const;
  // The bytes that are told are good until the call returns.
  return { told, reader: answers.stream(expected, (usage) => told.push(structuredClone(usage))) };
}

/** The same numbers in each run. */
function randomBelow(seed: number): (below: number) => number {
  let last = seed;
  return (below) => {
    last = (last * 48271) % 2147483647;
    return last % below;
  };
}

const choice = (more: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, ...more }] })}\n\n`;

test('content is a delta with text, reasoning, a refusal, audio, an image or a tool call, and nothing else', () => {
  const call = { index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } };
  const cases: [delta: object, isContent: boolean][] = [
    [{ content: 'a' }, true],
    [{ content: [{ type: 'text', text: 'a' }] }, true],
    [{ reasoning_content: 'a' }, true],
    [{ reasoning: 'a', content: '' }, true],
    [{ reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] }, true],
    [{ refusal: 'a' }, true],
    [{ audio: { id: 'x', data: 'AAAA' } }, true],
    [{ images: [{ image_url: { url: 'data:' } }] }, true],
    [{ tool_calls: [call] }, true],
    [{ function_call: { name: 'f' } }, true],
    [{ role: 'assistant', content: '' }, false],
    [{ role: 'assistant', content: null, refusal: null, tool_calls: [] }, false],
    [{ audio: { id: 'x' } }, false],
    [{}, false],
  ];
  for (const [delta, isContent] of cases) {
    const { reader: stream } = reader();
    stream.read(Buffer.from(choice({ delta })));
    assert.equal(stream.content, isContent ? 1 : 0, JSON.stringify(delta));
  }
});

test('an event that is told apart by its bytes alone is read as one that was parsed: any stream, in any order', () => {
  const kinds = [
    (i: number) => chunkEvent({ content: `word ${i}` }),
    (i: number) =>
      chunkEvent({ content: `"quoted" \\ ${i} 👋` }, null, { usage: null, obfuscation: 'x'.repeat(i % 9) }),
    (i: number) => chunkEvent({ reasoning_content: `thought ${i}` }),
    (i: number) => chunkEvent({ tool_calls: [{ index: 0, function: { arguments: `{"a":${i}` } }] }),
    () => chunkEvent({ content: '' }),
    () => chunkEvent({ content: 'x' }, 'stop'),
    (i: number) => chunkEvent({ content: 'x' }, null, { usage: { prompt_tokens: i } }),
    () => USAGE_EVENT,
    () => ': comment\n\n',
    (i: number) => chunkEvent({ content: `line ${i}` }).replaceAll('\n', '\r\n'),
  ];
  const random = randomBelow(7);
  for (let round = 0; round < 200; round += 1) {
    const events = Array.from({ length: 30 }, (_, i) => kinds[random(random(2) === 0 ? 2 : kinds.length)]!(i));
    const joined = reader();
    joined.reader.read(Buffer.from(events.join('')));
    // A reader of its own for each has nothing that it could know again.
    const alone = events.map((event) => {
      const each = reader();
      each.reader.read(Buffer.from(event));
      return each;
    });
    assert.equal(
      joined.reader.content,
      alone.reduce((sum, { reader: { content } }) => sum + content, 0),
    );
    const counts = (told: unknown[]) => told.filter((usage) => usage !== undefined && usage !== null);
    assert.deepEqual(counts(joined.told), counts(alone.flatMap(({ told }) => told)));
    assert.equal(
      joined.reader.finished,
      alone.some(({ reader: { finished } }) => finished),
    );
  }
});

test('a stream is read alike whatever the streams of its target before it taught', () => {
  const usage = (i: number) => ({ prompt_tokens: i, completion_tokens: 7 * i, total_tokens: 8 * i, queue_time: i / 7 });
  const kinds = [
    (i: number) => chunkEvent({ role: 'assistant', content: '', refusal: null }, null, { id: `chatcmpl-${i}` }),
    (i: number) => chunkEvent({ role: 'assistant', content: `first ${i}` }, null, { created: i }),
    (i: number) => chunkEvent({ content: `word ${i}` }, null, { id: `"${i}` }),
    (i: number) => chunkEvent({ reasoning_content: `thought ${i}` }),
    (i: number) => chunkEvent({}, i % 2 === 0 ? 'stop' : 'tool_calls', { obfuscation: 'x'.repeat(i % 9) }),
    (i: number) => chunkEvent({ content: `last ${i}` }, 'stop', { usage: usage(i) }),
    (i: number) => chunkEvent({ tool_calls: [{ index: 0, function: { arguments: `{"a":${i}` } }] }),
    (i: number) => `data: ${JSON.stringify({ id: `chatcmpl-${i}`, choices: [], usage: usage(i) })}\n\n`,
    (i: number) => `data: ${JSON.stringify({ choices: [{ index: i % 3, delta: {}, finish_reason: 'stop' }] })}\n\n`,
    () => DONE_EVENT,
  ];
  const random = randomBelow(11);
  const lessons: StreamLessons = { familiar: undefined, known: undefined };
  const read = (events: Buffer, taught?: StreamLessons) => {
    const { told, reader: reading } = reader(1, taught);
    reading.read(events);
    const { content, passed, edits, error, ended, finished } = reading;
    const counts = told.filter((said) => said !== undefined && said !== null);
    return { counts, content, passed, edits, error, ended, finished };
  };
  for (let round = 0; round < 300; round += 1) {
    const events = Buffer.from(Array.from({ length: 12 }, () => kinds[random(kinds.length)]!(random(100))).join(''));
    assert.deepEqual(read(events, lessons), read(events), events.toString());
  }
  const known = chunkEvent({}, 'stop', { obfuscation: 'y' });
  assert.equal(lessons.known?.match(Buffer.from(known), 0), known.length, 'what comes once in a stream was learned');
});

test('parallel calls that a server gives one index, or none, get one each; all else of their events stays', async () => {
  const call = (more: object, id: string, args: string) =>
    chunkEvent({ tool_calls: [{ ...more, id, type: 'function', function: { name: 'f', arguments: args } }] });
  const piece = (more: object, args: string) =>
    chunkEvent({ tool_calls: [{ ...more, function: { arguments: args } }] });
  for (const index of [{ index: 0 }, {}]) {
    const stream = [
      call(index, 'a', '{"p":'),
      piece(index, '1234567890123456789'),
      piece(index, '}'),
      call(index, 'b', '{"p":'),
      piece(index, '2'),
      piece(index, '}'),
      call(index, 'c', '{}'),
    ];
    for (const reads of [stream, [stream.join('')]]) {
      const { reader: reading } = reader();
      let out = '';
      for (const read of reads.map((text) => Buffer.from(text))) {
        reading.read(read);
        let from = 0;
        for (const { start, end, bytes } of reading.edits) {
          out += read.toString('utf8', from, start) + (bytes ?? '');
          from = end;
        }
        out += read.toString('utf8', from);
      }
      const { events } = await decodeChat(out + DONE_EVENT);
      const joined: Record<number, string> = {};
      for (const event of events) {
        for (const { delta } of chunksOf(event)) {
          for (const each of isArray(delta['tool_calls']) ? delta['tool_calls'] : []) {
            const { index: at, function: called } = Object(each);
            joined[at] = (joined[at] ?? '') + called.arguments;
          }
        }
      }
      assert.deepEqual(joined, { 0: '{"p":1234567890123456789}', 1: '{"p":2}', 2: '{}' });
    }
  }
});

function chunksOf(event: unknown): { delta: JsonObject }[] {
  const choices = isObject(event) ? event['choices'] : undefined;
  return isArray(choices) ? choices.map((each) => ({ delta: Object(each).delta })) : [];
}

test('calls with indices of their own, and ids that a server makes anew for each piece, are left as they are', () => {
  const stream = [
    chunkEvent({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '' } }] }),
    chunkEvent({ tool_calls: [{ index: 0, id: 'a2', function: { arguments: '{' } }] }),
    chunkEvent({ tool_calls: [{ index: 0, id: 'a3', function: { name: null, arguments: '}' } }] }),
    chunkEvent({ tool_calls: [{ index: 1, id: 'b', function: { name: 'f', arguments: '{}' } }] }),
    chunkEvent({ tool_calls: [{ index: 1, function: { arguments: '' } }] }),
  ];
  const { reader: reading } = reader();
  for (const event of stream) {
    reading.read(Buffer.from(event));
    assert.deepEqual(reading.edits, [], event);
  }
});

test('a numbered detail of a repaired event keeps its digits', () => {
  const { reader: reading } = reader();
  const event = chunkEvent({ tool_calls: [{ id: 'a', function: { name: 'f', arguments: '' } }] }).replace(
    '"created":1700000000',
    '"created":12345678901234567890',
  );
  reading.read(Buffer.from(event));
  assert.match(reading.edits[0]?.bytes?.toString() ?? '', /"created":12345678901234567890/);
});

test('a whole answer becomes events from which the SDK reads the same, with usage only where it was asked for', async () => {
  const message = {
    role: 'assistant',
    content: 'Hello "you" 👋',
    reasoning_content: 'hm',
    tool_calls: [
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":12345678901234567890}' } },
      { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
    ],
  };
  const answer = {
    ...completion(''),
    service_tier: 'default',
    choices: [
      { index: 0, message, finish_reason: 'tool_calls', logprobs: null },
      { index: 1, message: { role: 'assistant', content: 'B' }, finish_reason: 'length' },
    ],
  };
  for (const includeUsage of [true, false]) {
    const events = answers.toEvents(Buffer.from(JSON.stringify(answer)), { ...context, includeUsage });
    assert.ok(Buffer.isBuffer(events));
    const { events: chunks, raised } = await decodeChat(events.toString());
    assert.equal(raised, undefined);
    const first = Object(chunks[0]);
    assert.equal(first.object, 'chat.completion.chunk');
    assert.equal(first.id, 'chatcmpl-1');
    assert.equal(first.service_tier, 'default');
    assert.equal(Object(chunks.at(-1)).usage?.completion_tokens, includeUsage ? 7 : undefined);
    assert.ok(events.toString().endsWith(DONE_EVENT));
    // And back: what the stream says as a whole is what was said.
    const again = answers.toWhole?.(events);
    assert.ok(Buffer.isBuffer(again));
    assert.deepEqual(JSON.parse(again.toString()).choices.map(withoutIndices), answer.choices.map(withoutIndices));
  }
});

/** In a stream each call has an index; whole they have none, and one more does no harm. */
function withoutIndices(value: unknown): unknown {
  const { logprobs: _, message, ...others } = Object(value);
  const calls = message.tool_calls?.map((call: object) => ({ ...call, index: undefined }));
  return JSON.parse(JSON.stringify({ ...others, message: { ...message, tool_calls: calls } }));
}

test('a stream becomes one answer: texts joined, calls by index, lists appended, usage and reason kept', () => {
  const stream = [
    chunkEvent({ role: 'assistant', content: '', refusal: null }),
    chunkEvent({ reasoning_details: [{ a: 1 }] }),
    chunkEvent({ reasoning_details: [{ a: 2 }], reasoning: 'r1' }),
    chunkEvent({ reasoning: 'r2' }),
    chunkEvent({ content: 'Hel' }),
    chunkEvent({ content: 'lo' }),
    chunkEvent({ tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '' } }] }),
    chunkEvent({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":' } }] }),
    chunkEvent({ tool_calls: [{ index: 0, id: null, function: { name: '', arguments: '1}' } }] }),
    chunkEvent({ tool_calls: [{ index: 1e9, id: 'c', function: { name: 'h', arguments: '{}' } }] }),
    ': comment\n\n',
    chunkEvent({}, 'tool_calls'),
    USAGE_EVENT,
    DONE_EVENT,
  ].join('');
  const whole = answers.toWhole?.(Buffer.from(stream));
  assert.ok(Buffer.isBuffer(whole));
  const { choices, usage, object, id } = JSON.parse(whole.toString());
  assert.deepEqual([object, id, usage.completion_tokens], ['chat.completion', 'chatcmpl-1', 7]);
  assert.deepEqual(choices, [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'Hello',
        refusal: null,
        reasoning_details: [{ a: 1 }, { a: 2 }],
        reasoning: 'r1r2',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"n":1}' } },
          { id: 'b', type: 'function', function: { name: 'g', arguments: '' } },
          { id: 'c', function: { name: 'h', arguments: '{}' } },
        ],
      },
      finish_reason: 'tool_calls',
    },
  ]);
});

test('an answer or a stream without choices cannot be turned into the other, and says so', () => {
  for (const text of ['{}', '[]', '{"choices":1}', 'nonsense']) {
    const events = answers.toEvents(Buffer.from(text), context);
    assert.equal('code' in events && events.code, 'upstream_protocol', text);
  }
  const whole = answers.toWhole?.(Buffer.from(`: x\n\n${DONE_EVENT}`));
  assert.equal(whole && 'code' in whole && whole.code, 'upstream_protocol');
});

/*
 * Symptom: whole answers of the priority tier were billed as standard ones. Root cause: OpenAI writes the tier in front of
 * the usage more often than behind it, and only what is behind the last usage was read.
 */
test('the tier of a whole answer is told, whether it stands in front of its usage or behind it, and never that of a text', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 2 };
  const text = (content: string) => ({ choices: [{ index: 0, message: { content }, finish_reason: 'stop' }] });
  const quoting = text('{"service_tier":"priority"}');
  const tierOf = (answer: object) => {
    const bytes = Buffer.from(JSON.stringify(answer));
    const whole = answers.whole(bytes)?.answer['service_tier'];
    assert.equal(answers.end(bytes.subarray(8))?.answer['service_tier'], whole);
    return whole;
  };
  assert.equal(tierOf({ ...text('a'), service_tier: 'priority', usage }), 'priority');
  assert.equal(tierOf({ ...text('a'), usage, service_tier: 'priority', system_fingerprint: 'x' }), 'priority');
  assert.equal(tierOf({ ...text('a'), service_tier: 'flex', system_fingerprint: 'x', usage }), 'flex');
  assert.equal(tierOf({ ...quoting, usage }), undefined);
  assert.equal(tierOf({ ...quoting, service_tier: null, usage }), undefined);
});
