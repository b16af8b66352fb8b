import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cohereChatWire } from '../../src/providers/cohere/wire.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { answerOfStream, expected, told } from '../support/cohere-answers.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { translateRequest, translateStream, translateWhole } from '../support/translated-chat.ts';

const { translation } = cohereChatWire;
assert.ok(translation);
const streamed = (chunks: readonly Buffer[]) => translateStream(translation, chunks);
const whole = (body: string) => translateWhole(translation, body);

function checkWhole(body: string): void {
  assert.deepEqual(told(fromWhole(whole(body))), expected(JSON.parse(body)));
}

function checkStream(text: string): void {
  const bytes = Buffer.from(text);
  const { bytes: answer, complete } = streamed([bytes]);
  assert.ok(complete);
  const joined = answerOfStream(text);
  assert.deepEqual(told(fromStream(answer)), expected(joined));
  assert.deepEqual(told(fromStream(answer)), told(fromWhole(whole(JSON.stringify(joined)))));
  for (const chunks of cuttings(bytes)) assert.ok(streamed(chunks).bytes.equals(answer));
}

const chats = recordings('cohere').filter(({ request }) => request.path === '/v2/chat');
const answers = chats.filter(({ response }) => response.status === 200);

for (const { name, kind, response } of answers) {
  const text = response.body ?? '';
  if (kind === 'json') test(`recorded whole answer of Cohere: ${name}`, () => checkWhole(text));
  else test(`recorded stream of Cohere, cut at each place: ${name}`, () => checkStream(text));
}

test('the recordings of Cohere were there', { skip: noRecordings }, () => {
  assert.equal(answers.filter(({ kind }) => kind === 'json').length, 45);
  assert.equal(answers.filter(({ kind }) => kind === 'sse').length, 11);
});

const fixtures = join(import.meta.dirname, '../fixtures/cohere');
for (const file of readdirSync(fixtures)) {
  const text = readFileSync(join(fixtures, file), 'utf8');
  if (file.endsWith('.json')) test(`the whole answer ${file} of Cohere is told as it is`, () => checkWhole(text));
  else test(`the stream ${file} of Cohere is told as it is, cut at each place`, () => checkStream(text));
}

test('a stream of Cohere without its message-end is not complete', () => {
  const bytes = readFileSync(join(fixtures, 'cited.sse'));
  const end = bytes.indexOf('event: message-end');
  for (let at = 0; at <= end; at += 1) assert.equal(streamed([bytes.subarray(0, at)]).complete, false);
});

interface SentMessage {
  role: string;
  content?: string | { type: string; text?: string; document?: { data: object } }[];
  tool_calls?: object[];
}
type SentBody = Record<string, unknown> & { messages: SentMessage[] };

/** What an OpenAI client would have sent to get this request out; undefined: it holds what such a client cannot say. */
function clientBody(recorded: SentBody): object {
  const { documents, response_format: format, tool_choice: choice, messages, ...others } = recorded;
  const schema = (format as { json_schema?: object } | undefined)?.json_schema;
  const body = {
    ...others,
    messages: messages.map((message) => ({ ...message, content: clientContent(message) })),
    tool_choice: typeof choice === 'string' ? choice.toLowerCase() : undefined,
    response_format: schema && { type: 'json_schema', json_schema: { name: 'n', schema } },
  };
  if (documents === undefined) return body;
  const files = (documents as { data: { title: string; text: string } }[]).map(({ data }) => ({
    type: 'file',
    file: {
      filename: data.title,
      file_data: `data:text/plain;base64,${Buffer.from(data.text).toString('base64')}`,
    },
  }));
  const [first, ...rest] = body.messages;
  return { ...body, messages: [{ ...first, content: [...(first!.content as object[]), ...files] }, ...rest] };
}

/** A list of documents is the result of a search, which OpenAI's clients send as JSON. */
function clientContent({ content }: SentMessage): unknown {
  if (!Array.isArray(content) || content[0]?.type !== 'document') return content;
  return JSON.stringify(content.map(({ document }) => document!.data));
}

/** Cohere takes a text as one part, and an empty one beside calls as none: both ways are recorded. */
function normal({ messages, ...others }: SentBody): unknown {
  return {
    ...others,
    messages: messages.map(({ content, ...message }) => {
      const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
      return { ...message, content: parts.filter(({ text }) => text !== '') };
    }),
  };
}

for (const { name, request } of chats) {
  let recorded: SentBody;
  try {
    recorded = JSON.parse(request.body ?? '');
  } catch {
    continue; // Cut by who recorded it.
  }
  test(`the request of an OpenAI client becomes the recorded one: ${name}`, () => {
    const made = translateRequest(cohereChatWire, clientBody(recorded), String(recorded['model']));
    assert.ok(typeof made === 'string', `refused: ${made}`);
    assert.deepEqual(normal(JSON.parse(made)), normal(recorded));
  });
}
