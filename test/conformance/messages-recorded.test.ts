import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { isObject } from '../../src/codec/json-value.ts';
import { splitCarryingId } from '../../src/inference/signature.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { bedrockConverseWire } from '../../src/providers/aws-bedrock/wire.ts';
import { cohereChatWire } from '../../src/providers/cohere/wire.ts';
import { geminiWire } from '../../src/providers/gemini-generate-content/wire.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { type ChatAnswer, fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { type Message, messageOf, wholeMessage } from '../support/messages-stream.ts';
import { noRecordings, type Recording, recordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';
import { messageStream, messageWhole } from '../support/translated-messages.ts';
import { chatProviders, eventsOf, fixtureChats, recordedChats } from './recorded-chats.ts';

/*
 * Recorded answers of every wire, told to a client of Anthropic's form and to one of OpenAI's: both are told the same. What
 * the latter is told is held against the recordings themselves by the tests of each wire.
 */

interface Answer {
  readonly label: string;
  readonly kind: 'json' | 'stream';
  readonly bytes: Buffer;
}

interface Told {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { id: string; name: string; input: unknown }[];
  readonly stop: string;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

const STOPS: Readonly<Record<string, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  pause: 'pause_turn',
};
/** Two words of Anthropic's own for what is one to OpenAI. */
const SAME: Readonly<Record<string, string>> = {
  stop_sequence: 'end_turn',
  model_context_window_exceeded: 'max_tokens',
};

interface ChatUsage {
  prompt_tokens?: number;
  completion_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number; cache_write_tokens?: number };
}

function toldToChat({ content, refusal, reasoning, toolCalls, finish, usage }: ChatAnswer): Told {
  const {
    prompt_tokens: input = 0,
    completion_tokens: output = 0,
    prompt_tokens_details: cache = {},
  } = (usage ?? {}) as ChatUsage;
  const word = typeof finish === 'string' ? (STOPS[finish] ?? finish) : 'end_turn';
  return {
    text: content + refusal,
    reasoning,
    calls: toolCalls.map(({ id, name, arguments: text }) => ({
      id: splitCarryingId(id).id,
      name,
      input: text === '' ? {} : JSON.parse(text),
    })),
    stop: word === 'end_turn' && toolCalls.length > 0 ? 'tool_use' : word,
    input,
    cached: Math.min(cache.cached_tokens ?? 0, input),
    output,
  };
}

function toldToMessages({ content, stop, usage }: Message): Told {
  const count = (name: string) => (usage[name] ?? 0) as number;
  const texts = (type: string, key: string) =>
    content.map((block) => (block['type'] === type ? block[key] : '')).join('');
  const word = String(stop);
  return {
    text: texts('text', 'text'),
    reasoning: texts('thinking', 'thinking'),
    calls: content
      .filter(({ type }) => type === 'tool_use')
      .map(({ id, name, input }) => ({ id: splitCarryingId(String(id)).id, name: String(name), input })),
    stop: SAME[word] ?? word,
    input: count('input_tokens') + count('cache_read_input_tokens') + count('cache_creation_input_tokens'),
    cached: count('cache_read_input_tokens'),
    output: count('output_tokens'),
  };
}

function check(wire: Wire, { kind, bytes }: Answer): void {
  const { translation } = wire;
  assert.ok(translation);
  if (kind === 'json') {
    const chat = fromWhole(translateWhole(translation, bytes.toString()));
    assert.deepEqual(toldToMessages(wholeMessage(messageWhole(wire, bytes))), toldToChat(chat));
    return;
  }
  const parser = wire.framing === 'aws-event-stream' ? AwsEventStreamParser : undefined;
  const chat = translateStream(translation, [bytes], parser && ((onEvent, maxBytes) => new parser(onEvent, maxBytes)));
  const stream = messageStream(wire, [bytes]);
  assert.deepEqual(toldToMessages(messageOf(stream)), toldToChat(fromStream(chat.bytes)));
  for (const chunks of cuttings(bytes, 60)) assert.equal(messageStream(wire, chunks), stream);
}

function answersOf(provider: string, isAnswer: (recording: Recording) => boolean): Answer[] {
  return recordings(provider)
    .filter((recording) => recording.response.status === 200 && isAnswer(recording))
    .map(({ name, kind, response }) => ({
      label: `${provider}: ${name}`,
      kind: kind === 'json' ? 'json' : 'stream',
      bytes:
        response.body_base64 === undefined
          ? Buffer.from(response.body ?? '')
          : Buffer.from(response.body_base64, 'base64'),
    }));
}

const folder = join(import.meta.dirname, '../fixtures');
function fixturesOf(name: string): Answer[] {
  return readdirSync(join(folder, name))
    .filter((file) => /\.(json|sse)$/.test(file) && !file.startsWith('error'))
    .map((file) => ({
      label: `fixture: ${name}/${file}`,
      kind: file.endsWith('.sse') ? 'stream' : 'json',
      bytes: readFileSync(join(folder, name, file)),
    }));
}

/** One choice that was finished, and no failure told inside a 200. */
function chats(): Answer[] {
  return [...fixtureChats(), ...[...chatProviders].flatMap(recordedChats)]
    .filter(({ status, label, kind, answer }) => {
      if (status !== 200 || label.includes('two-choices')) return false;
      const parts = kind === 'sse' ? eventsOf(answer) : [JSON.parse(answer.toString())];
      return parts.every((part) => !isObject(part['error'])) && parts.some((part) => Array.isArray(part['choices']));
    })
    .map(({ label, kind, answer }) => ({ label, kind: kind === 'sse' ? 'stream' : 'json', bytes: answer }));
}

const generates = ({ request }: Recording): boolean => /:(streamGenerateContent|generateContent)/.test(request.path);
const WIRES: readonly (readonly [Wire, readonly Answer[], number])[] = [
  [openAiChatWire, chats(), 100],
  [geminiWire, [...fixturesOf('gemini'), ...answersOf('gemini', generates), ...answersOf('vertex', generates)], 150],
  [
    bedrockConverseWire,
    [...fixturesOf('bedrock'), ...answersOf('bedrock', ({ request }) => request.path.includes('/converse'))],
    75,
  ],
  [cohereChatWire, [...fixturesOf('cohere'), ...answersOf('cohere', ({ request }) => request.path === '/v2/chat')], 56],
  [
    anthropicWire,
    [...fixturesOf('anthropic'), ...answersOf('anthropic', ({ request }) => request.path === '/v1/messages')],
    80,
  ],
];

for (const [wire, answers, least] of WIRES) {
  for (const answer of answers) {
    test(`a client of Messages is told what a recorded answer of ${wire.name} says: ${answer.label}`, () =>
      check(wire, answer));
  }
  test(`there were recorded answers of ${wire.name} for a client of Messages`, { skip: noRecordings }, () => {
    assert.ok(answers.length >= least, String(answers.length));
    assert.ok(answers.some(({ kind }) => kind === 'stream'));
  });
}
