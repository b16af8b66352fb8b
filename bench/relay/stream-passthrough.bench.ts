import assert from 'node:assert/strict';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import type { ApiForm } from '../../src/dialects/dialect.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { openAiResponses } from '../../src/dialects/openai-responses/index.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { openAiResponsesWire } from '../../src/providers/openai-compatible/wire.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { StreamPassthrough } from '../../src/relay/stream-passthrough.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { anthropicEvents, INPUT_TOKENS, OUTPUT_TOKENS } from '../inputs/anthropic-stream.ts';
import { chatEvents, usage } from '../inputs/chat-answer.ts';
import { pieces } from '../inputs/pieces.ts';
import { assertWhole, relayed } from '../inputs/relayed.ts';
import { RESPONSE_USAGE, responseEvents } from '../inputs/responses-stream.ts';

export const inputs = {
  withUsage: chatEvents('with usage'),
  withoutUsage: chatEvents('without usage'),
  padded: chatEvents('with usage', 'padded'),
  anthropic: anthropicEvents(),
  responses: responseEvents(),
};

const { withUsage } = inputs;
const whole = Buffer.concat(withUsage);
/** The usage event is the last but one. */
const stripped = Buffer.concat(withUsage.filter((_, index) => index !== withUsage.length - 2));

export const subject = subjectOf([
  pass('100 chunks, an event each', withUsage, 'keep usage'),
  pass('100 chunks, an event each, usage taken out', withUsage, 'strip usage'),
  pass('100 chunks without usage', inputs.withoutUsage, 'keep usage'),
  pass('100 chunks of padded length', inputs.padded, 'keep usage'),
  pass('100 chunks in one read', [whole], 'strip usage'),
  pass('100 chunks in pieces of 7 bytes', pieces(whole, 7), 'keep usage'),
  pass('100 chunks in pieces of 7 bytes, usage taken out', pieces(whole, 7), 'strip usage'),
  passForm('Anthropic: 100 deltas, an event each', inputs.anthropic, anthropicMessages, anthropicWire, {
    inputTokens: INPUT_TOKENS,
    outputTokens: OUTPUT_TOKENS,
  }),
  passForm('Responses: 100 deltas, an event each', inputs.responses, openAiResponses, openAiResponsesWire, {
    inputTokens: RESPONSE_USAGE.input_tokens,
    outputTokens: RESPONSE_USAGE.output_tokens,
  }),
]);

function pass(name: string, chunks: readonly Buffer[], mode: 'keep usage' | 'strip usage'): BenchTask {
  const all = Buffer.concat(chunks);
  const stripUsage = mode === 'strip usage';
  return task({
    name,
    bytes: all.length,
    run: () =>
      relayed(
        chunks,
        (parts) =>
          new StreamPassthrough({
            ...parts,
            form: openAiChat.answers,
            expected: { choices: 1, usageEvent: stripUsage ? 'take-out' : 'keep' },
            contentType: 'text/event-stream',
            maxEventBytes: 16_777_216,
          }),
      ),
    check: ({ host, meter }) => {
      assertWhole(host);
      assert.deepEqual(host.bytes, stripUsage ? stripped : all);
      assert.equal(meter.answerBytes, all.length);
      assert.equal(meter.usage?.inputTokens, all.includes('"usage":{') ? usage.prompt_tokens : undefined);
      assert.equal(meter.usage?.outputTokens, all.includes('"usage":{') ? usage.completion_tokens : undefined);
    },
  });
}

function passForm(
  name: string,
  chunks: readonly Buffer[],
  { answers }: ApiForm,
  wire: Wire,
  expected: { inputTokens: number; outputTokens: number },
): BenchTask {
  const all = Buffer.concat(chunks);
  const stream = answers.stream!;
  return task({
    name,
    bytes: all.length,
    run: () =>
      relayed(
        chunks,
        (parts) =>
          new StreamPassthrough({
            ...parts,
            wire,
            form: { stream },
            expected: { choices: 1, usageEvent: 'keep' },
            contentType: 'text/event-stream',
            maxEventBytes: 16_777_216,
          }),
      ),
    check: ({ host, meter }) => {
      assertWhole(host);
      assert.deepEqual(host.bytes, all);
      const { inputTokens, outputTokens } = meter.usage ?? {};
      assert.deepEqual({ inputTokens, outputTokens }, expected);
    },
  });
}
