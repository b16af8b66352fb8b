import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { SseParser } from '../../src/codec/sse-parser.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { openAiResponses } from '../../src/dialects/openai-responses/index.ts';
import type { InferenceEvent } from '../../src/inference/event.ts';
import { splitCarryingId } from '../../src/inference/signature.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { bedrockConverseWire } from '../../src/providers/aws-bedrock/wire.ts';
import { cohereChatWire } from '../../src/providers/cohere/wire.ts';
import { geminiWire } from '../../src/providers/gemini-generate-content/wire.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, type Recording, recordings } from '../support/recordings.ts';
import { fromResponseBody, fromResponseStream, type ResponseAnswer } from '../support/response-answer.ts';

/*
 * Responses × wire: what a client of Responses is told of a recorded answer is what a client of chat completions is told,
 * which the tests of each wire hold against the recording itself.
 */

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };

interface Cell {
  readonly provider: string;
  readonly wire: Wire;
  readonly isAnswer: (recording: Recording) => boolean;
}

const ended = (end: string) => (recording: Recording) => recording.request.path.endsWith(end);

const CELLS: readonly Cell[] = [
  ...['openai', 'deepseek', 'mistral', 'openrouter', 'azure', 'gpustack', 'ollama'].map((provider) => ({
    provider,
    wire: openAiChatWire,
    isAnswer: ended('/chat/completions'),
  })),
  { provider: 'anthropic', wire: anthropicWire, isAnswer: ended('/v1/messages') },
  { provider: 'gemini', wire: geminiWire, isAnswer: ({ request }) => /:(stream)?generateContent$/i.test(request.path) },
  { provider: 'vertex', wire: geminiWire, isAnswer: ({ request }) => /:(stream)?generateContent$/i.test(request.path) },
  { provider: 'bedrock', wire: bedrockConverseWire, isAnswer: ({ request }) => request.path.includes('/converse') },
  { provider: 'cohere', wire: cohereChatWire, isAnswer: ended('/v2/chat') },
];

function streamed(dialect: Dialect, wire: Wire, chunks: readonly Buffer[]): Buffer | undefined {
  const reader = wire.translation!.eventReader!();
  const writer = dialect.translation!.eventWriter!(context);
  const out: Buffer[] = [];
  let failed = false;
  const Parser = wire.framing === 'aws-event-stream' ? AwsEventStreamParser : SseParser;
  const parser = new Parser((event, data) => {
    if (reader.complete) return;
    const events: InferenceEvent[] = [];
    reader.fromEvent(event, data, events);
    for (const each of events) {
      failed ||= each.type === 'error';
      const bytes = writer.write(each);
      if (bytes) out.push(bytes);
    }
  }, 1 << 24);
  for (const chunk of chunks) parser.push(chunk);
  if (failed || !(reader.complete || reader.finished)) return undefined;
  const last: InferenceEvent[] = [];
  reader.end?.(last);
  for (const each of last) {
    const bytes = writer.write(each);
    if (bytes) out.push(bytes);
  }
  out.push(writer.end());
  return Buffer.concat(out);
}

function whole(dialect: Dialect, wire: Wire, body: Buffer): Buffer | undefined {
  const events = wire.translation!.fromResponse(body);
  if (events instanceof GatewayError || events.some(({ type }) => type === 'error')) return undefined;
  const made = dialect.translation!.fromInference(events, context);
  assert.ok(Buffer.isBuffer(made));
  return made;
}

function asAnswer(chat: ReturnType<typeof fromWhole>): ResponseAnswer {
  const { content, refusal, reasoning, toolCalls, finish } = chat;
  const usage = chat.usage as Record<string, unknown> | undefined;
  const details = usage?.['prompt_tokens_details'] as Record<string, unknown> | undefined;
  return {
    content,
    refusal,
    reasoning,
    toolCalls: toolCalls.filter(Boolean),
    finish: String(finish),
    usage: {
      input: usage?.['prompt_tokens'],
      output: usage?.['completion_tokens'],
      // The form requires a count.
      cached: usage && (details?.['cached_tokens'] ?? 0),
    },
  };
}

/** All but the second in which it was completed. */
const dateless = (bytes: Buffer | undefined): string | undefined =>
  bytes?.toString().replaceAll(/"completed_at":\d+/g, '"completed_at":0');

/** A choice of several is told to neither; only chats have more than one. */
const hasOneChoice = (bytes: Buffer): boolean => !/"index": ?1,"(delta|message)"/.test(bytes.toString());

for (const { provider, wire, isAnswer } of CELLS) {
  test(`a client of Responses is told what ${provider} said: text, calls, reasoning, end and usage, whole and streamed`, {
    skip: noRecordings,
  }, () => {
    const counts = { json: 0, sse: 0 };
    for (const recording of recordings(provider)) {
      const { response, kind, name } = recording;
      if (response.status !== 200 || !isAnswer(recording)) continue;
      const bytes =
        response.body === undefined ? Buffer.from(response.body_base64!, 'base64') : Buffer.from(response.body);
      if (kind === 'json') {
        const chat = whole(openAiChat, wire, bytes);
        if (chat === undefined || !hasOneChoice(chat)) continue;
        const made = whole(openAiResponses, wire, bytes)!;
        assert.deepEqual(fromResponseBody(made), asAnswer(fromWhole(chat)), name);
        counts.json += 1;
      } else {
        const chat = streamed(openAiChat, wire, [bytes]);
        if (chat === undefined || !hasOneChoice(chat)) continue;
        const made = streamed(openAiResponses, wire, [bytes])!;
        assert.deepEqual(fromResponseStream(made), asAnswer(fromStream(chat)), name);
        for (const chunks of cuttings(bytes, 40)) {
          assert.equal(dateless(streamed(openAiResponses, wire, chunks)), dateless(made), `${name}, however it is cut`);
        }
        counts.sse += 1;
      }
    }
    assert.ok(counts.json + counts.sse > 0);
  });
}

test('reasoning and calls that a vendor signed come back to it with the next turn, whatever the client kept of them', () => {
  const events: InferenceEvent[] = [
    { type: 'reasoning', text: 'Let me ' },
    { type: 'reasoning', text: 'think.' },
    { type: 'reasoning-signature', signature: 'Sig+/==' },
    { type: 'redacted-reasoning', data: 'hidden' },
    { type: 'tool-call', index: 0, id: 'call_1', name: 'f', signature: 'gemini.CiQB' },
    { type: 'tool-call-arguments', index: 0, text: '{}' },
    { type: 'finish', reason: { unified: 'tool-calls', raw: 'tool_use' } },
  ];
  const made = openAiResponses.translation.fromInference(events, context);
  assert.ok(Buffer.isBuffer(made));
  const { output } = JSON.parse(made.toString());
  const result = { type: 'function_call_output', call_id: output[2].call_id, output: 'done' };
  const body = { model: 'm', input: [{ role: 'user', content: 'Hi' }, ...output, result] };
  const request = openAiResponses.translation.toInference(Buffer.from(JSON.stringify(body)), 'm');
  assert.ok(!(request instanceof GatewayError));
  assert.deepEqual(request.messages, [
    { role: 'user', parts: [{ type: 'text', text: 'Hi' }] },
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'Let me think.', signature: 'Sig+/==' },
        { type: 'redacted-reasoning', data: 'hidden' },
        { type: 'tool-call', id: 'call_1', signature: 'gemini.CiQB', name: 'f', argumentsText: '{}' },
      ],
    },
    {
      role: 'tool',
      parts: [{ type: 'tool-result', toolCallId: 'call_1', parts: [{ type: 'text', text: 'done' }] }],
    },
  ]);
  assert.equal(splitCarryingId(output[2].call_id).id, 'call_1');
});

test('a field carried for another vendor is taken out of a request that passes to a provider of the same form', () => {
  const proof = `sluice.1.${Buffer.from('{"data":"x"}').toString('base64url')}`;
  const input = [
    { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: proof },
    { type: 'function_call', call_id: 'call_1_sluicesig_Z2VtaW5p', name: 'f', arguments: '{"n":1.0}' },
    { type: 'function_call_output', call_id: 'call_1_sluicesig_Z2VtaW5p', output: '1' },
    { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'gAAAA' },
  ];
  const passed = spliced(JSON.stringify({ model: 'a/m', input, extra: 1.0 }));
  const { model, input: sent } = JSON.parse(passed);
  assert.equal(model, 'own-id');
  assert.deepEqual(sent, [{ ...input[1], call_id: 'call_1' }, { ...input[2], call_id: 'call_1' }, input[3]]);
  const plain = '{ "input" : "Hi" , "model":"a/m", "unknown": 1.50 }';
  assert.equal(spliced(plain), plain.replace('a/m', 'own-id'));
});

function spliced(text: string): string {
  const body = Buffer.from(text);
  const scan = openAiResponses.scan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const made = openAiResponses.splice(body, peeked, { modelId: 'own-id', askUsage: false, developerAsSystem: false });
  assert.ok(!(made instanceof GatewayError));
  return Buffer.isBuffer(made) ? made.toString() : Buffer.concat(made).toString();
}
