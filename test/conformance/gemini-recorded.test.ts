import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownSignature, splitCarryingId } from '../../src/inference/signature.ts';
import { geminiWire } from '../../src/providers/gemini-generate-content/wire.ts';
import { type ChatAnswer, fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';

const { translation } = geminiWire;
assert.ok(translation);
const streamed = (chunks: readonly Buffer[]) => translateStream(translation, chunks);
const whole = (body: string) => translateWhole(translation, body);

interface Part {
  text?: string;
  thought?: boolean;
  thoughtSignature?: string;
  functionCall?: { id?: string; name: string; args?: unknown };
}
interface Answer {
  responseId?: string;
  modelVersion?: string;
  candidates?: { content?: { parts?: Part[] }; finishReason?: string }[];
  usageMetadata: Record<string, number | undefined>;
}

/** All events of a stream as the one answer that they are pieces of, without any of our code. */
function answerOfStream(text: string): Answer {
  const answers: Answer[] = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)));
  const candidates = answers.flatMap((answer) => answer.candidates ?? []);
  const parts = candidates.flatMap(({ content }) => content?.parts ?? []);
  const finishReason = candidates.map((candidate) => candidate.finishReason).findLast((reason) => reason !== undefined);
  const usageMetadata = answers.findLast((answer) => answer.usageMetadata)!.usageMetadata;
  return { ...answers[0]!, candidates: [{ content: { parts }, finishReason }], usageMetadata };
}

const finishWords: Record<string, string> = { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'content_filter' };

/** The recording's own words, turned into chat completions by hand. */
function expected(answer: Answer) {
  const [candidate] = answer.candidates!;
  const parts = candidate!.content?.parts ?? [];
  const texts = (thought: boolean) =>
    parts.map((part) => (part.text !== undefined && (part.thought ?? false) === thought ? part.text : '')).join('');
  const calls = parts.flatMap(({ functionCall, thoughtSignature }) =>
    functionCall ? [{ name: functionCall.name, arguments: functionCall.args ?? {}, signature: thoughtSignature }] : [],
  );
  const usage = answer.usageMetadata;
  const output = (usage['candidatesTokenCount'] ?? 0) + (usage['thoughtsTokenCount'] ?? 0);
  const input = (usage['promptTokenCount'] ?? 0) + (usage['toolUsePromptTokenCount'] ?? 0);
  const finish = finishWords[candidate!.finishReason!];
  return {
    id: answer.responseId,
    model: answer.modelVersion,
    content: texts(false),
    reasoning: texts(true),
    refusal: '',
    signatures: parts.flatMap((part) =>
      part.functionCall === undefined && part.thoughtSignature !== undefined ? [part.thoughtSignature] : [],
    ),
    toolCalls: calls,
    finish: finish === 'stop' && calls.length > 0 ? 'tool_calls' : finish,
    input,
    output,
    cached: usage['cachedContentTokenCount'],
    reasoningTokens: usage['thoughtsTokenCount'],
  };
}

interface ToldUsage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number };
}

function told({ usage, thinkingBlocks, toolCalls, ...rest }: ChatAnswer) {
  const counts = usage as ToldUsage;
  return {
    ...rest,
    signatures: (thinkingBlocks as { signature: string }[]).map(({ signature }) => ownSignature('gemini', signature)),
    toolCalls: toolCalls.map(({ id, name, arguments: text }) => ({
      name,
      arguments: JSON.parse(text),
      signature: ownSignature('gemini', splitCarryingId(id).signature),
    })),
    input: counts.prompt_tokens,
    output: counts.completion_tokens,
    cached: counts.prompt_tokens_details?.cached_tokens,
    reasoningTokens: counts.completion_tokens_details?.reasoning_tokens,
  };
}

function checkWhole(body: string): void {
  assert.deepEqual(told(fromWhole(whole(body))), expected(JSON.parse(body)));
}

function checkStream(text: string): void {
  const bytes = Buffer.from(text);
  const { bytes: answer, complete } = streamed([bytes]);
  assert.ok(complete);
  assert.deepEqual(told(fromStream(answer)), expected(answerOfStream(text)));
  assert.deepEqual(fromStream(answer).toolCalls, fromWhole(whole(JSON.stringify(answerOfStream(text)))).toolCalls);
  for (const chunks of cuttings(bytes)) assert.ok(streamed(chunks).bytes.equals(answer));
}

const answers = ['gemini', 'vertex']
  .flatMap(recordings)
  .filter(({ request, response }) => /[gG]enerateContent$/.test(request.path) && response.status === 200)
  .filter(({ request }) => !request.path.includes('batch'));

for (const { provider, name, kind, response } of answers) {
  if (kind === 'json') test(`recorded whole answer of ${provider}: ${name}`, () => checkWhole(response.body ?? ''));
  if (kind === 'sse')
    test(`the recorded stream of ${provider}, cut at each place, is translated the same: ${name}`, () =>
      checkStream(response.body ?? ''));
}

test('the recordings of Gemini and Vertex are there and many', { skip: noRecordings }, () => {
  assert.ok(answers.filter(({ kind }) => kind === 'json').length >= 130);
  assert.ok(answers.filter(({ kind }) => kind === 'sse').length >= 20);
});

const fixtures = join(import.meta.dirname, '../fixtures/gemini');
for (const file of readdirSync(fixtures)) {
  const text = readFileSync(join(fixtures, file), 'utf8');
  if (file.endsWith('.json')) test(`the whole answer ${file} is told as it is`, () => checkWhole(text));
  else test(`the stream ${file} is told as it is, cut at each place`, () => checkStream(text));
}

test('a stream without the finish reason of each candidate is not complete', () => {
  const text = readFileSync(join(fixtures, 'text.sse'), 'utf8');
  const events = text.split('\n\n').filter((event) => event !== '');
  for (let count = 0; count < events.length; count += 1) {
    const bytes = Buffer.from(
      events
        .slice(0, count)
        .map((event) => `${event}\n\n`)
        .join(''),
    );
    assert.equal(streamed([bytes]).complete, false);
  }
});
