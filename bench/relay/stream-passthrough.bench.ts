import assert from 'node:assert/strict';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import { StreamPassthrough } from '../../src/relay/stream-passthrough.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { chatEvents, usage } from '../inputs/chat-answer.ts';
import { pieces } from '../inputs/pieces.ts';
import { assertWhole, relayed } from '../inputs/relayed.ts';

export const inputs = { withUsage: chatEvents('with usage'), withoutUsage: chatEvents('without usage') };

const { withUsage } = inputs;
const whole = Buffer.concat(withUsage);
/** The usage event is the last but one. */
const stripped = Buffer.concat(withUsage.filter((_, index) => index !== withUsage.length - 2));

export const subject = subjectOf([
  pass('100 chunks, an event each', withUsage, 'keep usage'),
  pass('100 chunks, an event each, usage taken out', withUsage, 'strip usage'),
  pass('100 chunks without usage', inputs.withoutUsage, 'keep usage'),
  pass('100 chunks in one read', [whole], 'strip usage'),
  pass('100 chunks in pieces of 7 bytes', pieces(whole, 7), 'keep usage'),
  pass('100 chunks in pieces of 7 bytes, usage taken out', pieces(whole, 7), 'strip usage'),
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
            wire: openAiChatWire,
            contentType: 'text/event-stream',
            stripUsage,
            endsWithConnection: false,
            holdBytes: 65_536,
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
