import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { bedrockConverseWire } from '../../src/providers/aws-bedrock/wire.ts';
import { awsEvent } from '../support/aws-events.ts';
import { type ChatAnswer, fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';

const { translation } = bedrockConverseWire;
assert.ok(translation);
const streamed = (chunks: readonly Buffer[]) =>
  translateStream(translation, chunks, (onEvent, maxBytes) => new AwsEventStreamParser(onEvent, maxBytes));
const whole = (body: string) => translateWhole(translation, body);

interface Block {
  text?: string;
  toolUse?: { toolUseId: string; name: string; input: unknown; type?: string };
  reasoningContent?: { reasoningText?: { text: string; signature?: string } };
  citationsContent?: { content: { text: string }[] };
}
interface Answer {
  output: { message: { content: Block[] } };
  stopReason: string;
  usage: Record<string, number | undefined>;
}

/** Puts a stream together as AWS's documentation says, with a frame reader of its own. */
function answerOfStream(bytes: Buffer): Answer {
  const content: Block[] = [];
  const inputs: string[] = [];
  let stopReason = '';
  let usage = {};
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const headersEnd = at + 12 + bytes.readUInt32BE(at + 4);
    const name = /:event-type\x07..([A-Za-z]+)/s.exec(bytes.toString('latin1', at + 12, headersEnd))?.[1];
    const value = JSON.parse(bytes.toString('utf8', headersEnd, at + bytes.readUInt32BE(at) - 4));
    const index = value.contentBlockIndex;
    if (name === 'contentBlockStart') content[index] = { ...value.start };
    if (name === 'messageStop') ({ stopReason } = value);
    if (name === 'metadata') ({ usage } = value);
    if (name !== 'contentBlockDelta') continue;
    content[index] ??= {};
    const block = content[index];
    const { text, toolUse, reasoningContent } = value.delta;
    if (text !== undefined) block.text = (block.text ?? '') + text;
    if (toolUse) inputs[index] = (inputs[index] ?? '') + toolUse.input;
    if (reasoningContent) {
      block.reasoningContent ??= { reasoningText: { text: '' } };
      block.reasoningContent.reasoningText!.text += reasoningContent.text ?? '';
      if (reasoningContent.signature) block.reasoningContent.reasoningText!.signature = reasoningContent.signature;
    }
  }
  for (const [index, block] of content.entries()) {
    if (block?.toolUse) block.toolUse.input = JSON.parse(inputs[index] ?? '{}');
  }
  return { output: { message: { content: content.filter((block) => block !== undefined) } }, stopReason, usage };
}

const finishWords: Record<string, string> = { end_turn: 'stop', max_tokens: 'length', tool_use: 'tool_calls' };

/** The recording's own words, turned into chat completions by hand. */
function expected({ output, stopReason, usage }: Answer) {
  const { content } = output.message;
  const cached = usage['cacheReadInputTokens'] ?? 0;
  const written = usage['cacheWriteInputTokens'] ?? 0;
  return {
    content: content
      .map((block) => (block.text ?? '') + (block.citationsContent?.content ?? []).map(({ text }) => text).join(''))
      .join(''),
    reasoning: content.map((block) => block.reasoningContent?.reasoningText?.text ?? '').join(''),
    refusal: '',
    signatures: content.flatMap((block) => block.reasoningContent?.reasoningText?.signature ?? []),
    toolCalls: content.flatMap(({ toolUse }) =>
      toolUse && toolUse.type !== 'server_tool_use'
        ? [{ id: toolUse.toolUseId, name: toolUse.name, arguments: toolUse.input }]
        : [],
    ),
    finish: finishWords[stopReason],
    input: usage['inputTokens']! + cached + written,
    output: usage['outputTokens'],
    cached: usage['cacheReadInputTokens'],
  };
}

interface ToldUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
}

function told({ id: _id, model: _model, usage, thinkingBlocks, toolCalls, ...rest }: ChatAnswer) {
  const counts = usage as ToldUsage;
  return {
    ...rest,
    signatures: (thinkingBlocks as { signature: string }[]).map(({ signature }) => signature),
    toolCalls: toolCalls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) })),
    input: counts.prompt_tokens,
    output: counts.completion_tokens,
    cached: counts.prompt_tokens_details?.cached_tokens,
  };
}

function checkStream(bytes: Buffer): void {
  const { bytes: answer, complete } = streamed([bytes]);
  assert.ok(complete);
  assert.deepEqual(told(fromStream(answer)), expected(answerOfStream(bytes)));
  for (const chunks of cuttings(bytes)) assert.ok(streamed(chunks).bytes.equals(answer));
}

const answers = recordings('bedrock').filter(
  ({ request, response }) => request.path.includes('/converse') && response.status === 200,
);

for (const { name, kind, response } of answers) {
  if (kind === 'json') {
    const body = response.body ?? '';
    test(`recorded whole answer of Bedrock: ${name}`, () => {
      assert.deepEqual(told(fromWhole(whole(body))), expected(JSON.parse(body)));
    });
  } else {
    const bytes = Buffer.from(response.body_base64 ?? '', 'base64');
    test(`recorded stream of Bedrock, cut at each place: ${name}`, () => checkStream(bytes));
  }
}

test('the recordings of Bedrock were there', { skip: noRecordings }, () => {
  assert.equal(answers.filter(({ kind }) => kind === 'json').length, 62);
  assert.equal(answers.filter(({ kind }) => kind === 'awses').length, 13);
});

const events = [
  awsEvent('messageStart', { role: 'assistant' }),
  awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }),
  awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'Sig+/==' } } }),
  awsEvent('contentBlockStop', { contentBlockIndex: 0 }),
  awsEvent('contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'Grüezi ✓' }, p: 'abcdef' }),
  awsEvent('contentBlockStop', { contentBlockIndex: 1 }),
  awsEvent('contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 'tooluse_1', name: 'f' } } }),
  awsEvent('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"n":' } } }),
  awsEvent('contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '1}' } } }),
  awsEvent('contentBlockStop', { contentBlockIndex: 2 }),
  awsEvent('messageStop', { stopReason: 'tool_use' }),
  awsEvent('metadata', { usage: { inputTokens: 7, outputTokens: 5, totalTokens: 22, cacheReadInputTokens: 10 } }),
];

test('a made stream with reasoning, text and a call is told as it is, cut at each place', () => {
  checkStream(Buffer.concat(events));
});

test('a stream that ends before its usage, or within a frame, is not complete', () => {
  const bytes = Buffer.concat(events);
  for (let at = 0; at < bytes.length; at += 1) assert.equal(streamed([bytes.subarray(0, at)]).complete, false);
});
