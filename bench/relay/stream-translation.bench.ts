import assert from 'node:assert/strict';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { anthropicWire } from '../../src/providers/anthropic-messages/wire.ts';
import { bedrockConverseWire } from '../../src/providers/aws-bedrock/wire.ts';
import type { Wire } from '../../src/providers/provider.ts';
import { StreamTranslation } from '../../src/relay/translation.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { anthropicEvents, INPUT_TOKENS, MODEL, OUTPUT_TOKENS, text } from '../inputs/anthropic-stream.ts';
import { bedrockEvents } from '../inputs/bedrock-stream.ts';
import { pieces } from '../inputs/pieces.ts';
import { assertWhole, relayed } from '../inputs/relayed.ts';

export const inputs = { events: anthropicEvents(), bedrock: bedrockEvents() };

const whole = Buffer.concat(inputs.events);
const wholeBedrock = Buffer.concat(inputs.bedrock);

export const subject = subjectOf([
  translate(anthropicWire, 'Anthropic → OpenAI, 100 deltas, a chunk an event', inputs.events),
  translate(anthropicWire, 'Anthropic → OpenAI, 100 deltas in one read', [whole]),
  translate(anthropicWire, 'Anthropic → OpenAI, 100 deltas in pieces of 7 bytes', pieces(whole, 7)),
  translate(bedrockConverseWire, 'Bedrock → OpenAI, 100 deltas, a chunk an event', inputs.bedrock),
  translate(bedrockConverseWire, 'Bedrock → OpenAI, 100 deltas in one read', [wholeBedrock]),
]);

const context = { exchangeId: 'ex_bench', model: MODEL, includeUsage: true, created: 1_764_000_000 };

function translate(wire: Wire, name: string, chunks: readonly Buffer[]): BenchTask {
  const { translation } = wire;
  assert.ok(translation);
  return task({
    name,
    bytes: chunks.reduce((sum, { length }) => sum + length, 0),
    run: () =>
      relayed(
        chunks,
        (parts) =>
          new StreamTranslation({
            ...parts,
            wire,
            to: openAiChat.translation,
            translation,
            reader: translation.eventReader!(),
            writer: openAiChat.translation.eventWriter(context),
            context,
            maxBytes: 1 << 20,
          }),
      ),
    check: ({ host, meter }) => {
      assertWhole(host);
      assert.equal(meter.usage?.inputTokens, INPUT_TOKENS);
      assert.equal(meter.usage?.outputTokens, OUTPUT_TOKENS);
      assertChunks(host.bytes.toString());
    },
  });
}

/** The client reads the same words, how it ended, what it used, and the dialect's own end. */
function assertChunks(stream: string): void {
  const data = stream.split('\n\n').map((event) => event.slice('data: '.length));
  assert.deepEqual(data.splice(-2), ['[DONE]', '']);
  const chunks = data.map((each) => JSON.parse(each));
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.model === MODEL));
  assert.equal(choices.map((choice) => choice.delta.content ?? '').join(''), text);
  assert.equal(choices[0].delta.role, 'assistant');
  assert.equal(choices.at(-1).finish_reason, 'stop');
  assert.equal(chunks.at(-1).usage.prompt_tokens, INPUT_TOKENS);
  assert.equal(chunks.at(-1).usage.completion_tokens, OUTPUT_TOKENS);
}
