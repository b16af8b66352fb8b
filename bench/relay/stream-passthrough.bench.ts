import assert from 'node:assert/strict';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { StreamPassthrough } from '../../src/relay/stream-passthrough.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { anthropicEvents, INPUT_TOKENS, OUTPUT_TOKENS } from '../inputs/anthropic-stream.ts';
import { chatEvents, usage } from '../inputs/chat-answer.ts';
import { pieces } from '../inputs/pieces.ts';
import { assertWhole, relayed } from '../inputs/relayed.ts';

export const inputs = {
  withUsage: chatEvents('with usage'),
  withoutUsage: chatEvents('without usage'),
  padded: chatEvents('with usage', 'padded'),
  anthropic: anthropicEvents(),
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
  passMessage('Anthropic: 100 deltas, an event each', inputs.anthropic),
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

function passMessage(name: string, chunks: readonly Buffer[]): BenchTask {
  const all = Buffer.concat(chunks);
  return task({
    name,
    bytes: all.length,
    run: () =>
      relayed(
        chunks,
        (parts) =>
          new StreamPassthrough({
            ...parts,
            wire: anthropicWire,
            form: anthropicMessages.answers,
            expected: { choices: 1, usageEvent: 'keep' },
            contentType: 'text/event-stream',
            maxEventBytes: 16_777_216,
          }),
      ),
    check: ({ host, meter }) => {
      assertWhole(host);
      assert.deepEqual(host.bytes, all);
      assert.equal(meter.usage?.inputTokens, INPUT_TOKENS);
      assert.equal(meter.usage?.outputTokens, OUTPUT_TOKENS);
    },
  });
}
