/** The answers in the form of Bedrock's Converse: the same words and counts as in OpenAI's, streams framed by AWS's own code. */
import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { Answers } from './answers.ts';
import type { Behaviour } from './behaviour.ts';

const TEXT = 'The sluice opens a hand wide, the water takes the gap without a word.';

export function converseAnswers(_model: string, behaviour: Behaviour): Answers {
  const { chunks, completionTokens, promptTokens } = behaviour;
  const output = completionTokens || chunks;
  const usage = { inputTokens: promptTokens, outputTokens: output, totalTokens: promptTokens + output };
  const opening = frame('messageStart', { role: 'assistant' });
  const events = Array.from({ length: chunks }, (_, index) => {
    const delta = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: `w${index} ` } });
    return index === 0 ? Buffer.concat([opening, delta]) : delta;
  });
  const tail = Buffer.concat([
    frame('contentBlockStop', { contentBlockIndex: 0 }),
    frame('messageStop', { stopReason: 'end_turn' }),
    frame('metadata', { metrics: { latencyMs: 1 }, usage }),
  ]);
  const message = { role: 'assistant', content: [{ text: TEXT }] };
  return {
    whole: Buffer.from(
      JSON.stringify({ output: { message }, stopReason: 'end_turn', usage, metrics: { latencyMs: 1 } }),
    ),
    stream: { chunks, event: (index) => events[index] as Buffer, tail, tailWithUsage: tail },
    streamType: 'application/vnd.amazon.eventstream',
  };
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text),
);

function frame(type: string, value: object): Buffer {
  const headers = {
    ':event-type': { type: 'string', value: type },
    ':content-type': { type: 'string', value: 'application/json' },
    ':message-type': { type: 'string', value: 'event' },
  } as const;
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(value)) }));
}
