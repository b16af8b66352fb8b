import assert from 'node:assert/strict';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import type { Usage } from '../../src/inference/usage.ts';
import { toUsage } from '../../src/providers/openai-compatible/to-usage.ts';
import { WholePassthrough } from '../../src/relay/whole-passthrough.ts';
import { UsageMeter } from '../../src/usage/usage-meter.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { chatEvents, usage, wholeAnswer } from '../inputs/chat-answer.ts';
import { bytesOf } from '../inputs/chat-request.ts';
import { pieces } from '../inputs/pieces.ts';
import { assertWhole, relayed } from '../inputs/relayed.ts';

export const inputs = {
  small: bytesOf(wholeAnswer('Neither: an event loop. A thread each costs memory for nothing but waiting. '.repeat(8))),
  large: bytesOf(wholeAnswer('A long answer, line by line.\nIt says "so" itself. '.repeat(5_000))),
  stream: chatEvents('with usage'),
};

export const subject = subjectOf([
  wholePassed('1 KB answer, passed on', [inputs.small]),
  parsed('1 KB answer, by JSON.parse', inputs.small),
  wholePassed('260 KB answer in 16 KiB reads, passed on', pieces(inputs.large, 16_384)),
  parsed('260 KB answer, by JSON.parse', inputs.large),
  task({ name: "a provider's usage object → ours", run: () => toUsage(usage), check: assertUsage }),
  meterOf100Chunks(),
]);

function wholePassed(name: string, chunks: readonly Buffer[]): BenchTask {
  const all = Buffer.concat(chunks);
  return task({
    name,
    bytes: all.length,
    run: () =>
      relayed(
        chunks,
        (parts) =>
          new WholePassthrough({
            ...parts,
            form: openAiChat.answers,
            contentType: 'application/json',
            endsWithConnection: false,
          }),
      ),
    check: ({ host, meter }) => {
      assertWhole(host);
      assert.deepEqual(host.bytes, all);
      assertUsage(meter.usage);
    },
  });
}

/** What it would cost to understand the whole answer for the sake of its usage. */
function parsed(name: string, answer: Buffer): BenchTask {
  return task({
    name,
    bytes: answer.length,
    run: () => toUsage(JSON.parse(answer.toString('utf8')).usage),
    check: assertUsage,
  });
}

function meterOf100Chunks(): BenchTask {
  const all = Buffer.concat(inputs.stream);
  return task({
    name: 'meter: 100 chunks counted, the first 2 KiB sampled',
    bytes: all.length,
    run: () => {
      const meter = new UsageMeter();
      for (const chunk of inputs.stream) meter.passed(chunk);
      return meter;
    },
    check: (meter) => {
      assert.equal(meter.answerBytes, all.length);
      assert.deepEqual(meter.sample(), all.subarray(0, 2048));
    },
  });
}

function assertUsage(found: Usage | undefined): void {
  assert.equal(found?.inputTokens, usage.prompt_tokens);
  assert.equal(found?.outputTokens, usage.completion_tokens);
  assert.equal(found?.cacheReadInputTokens, usage.prompt_tokens_details.cached_tokens);
  assert.equal(found?.cacheCreationInputTokens, undefined);
}
