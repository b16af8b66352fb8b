import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { bedrockConverseWire } from '../../src/providers/aws-bedrock/wire.ts';
import { awsEvent } from '../support/aws-events.ts';
import { answerOfStream, expected, told } from '../support/bedrock-answers.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';

const { translation } = bedrockConverseWire;
assert.ok(translation);
const streamed = (chunks: readonly Buffer[]) =>
  translateStream(translation, chunks, (onEvent, maxBytes) => new AwsEventStreamParser(onEvent, maxBytes));
const whole = (body: string) => translateWhole(translation, body);

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
