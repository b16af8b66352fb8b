import { EventStreamCodec } from '@smithy/eventstream-codec';
import { INPUT_TOKENS, OUTPUT_TOKENS, TEXT_DELTAS } from './anthropic-stream.ts';

/** A Converse stream of the same 100 pieces of text, framed by AWS's own code. `p` is Bedrock's padding. */
export function bedrockEvents(): Buffer[] {
  const usage = { inputTokens: INPUT_TOKENS, outputTokens: OUTPUT_TOKENS, totalTokens: INPUT_TOKENS + OUTPUT_TOKENS };
  const padding = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  return [
    frame('messageStart', { p: padding.slice(0, 11), role: 'assistant' }),
    ...Array.from({ length: TEXT_DELTAS }, (_, i) =>
      frame('contentBlockDelta', {
        contentBlockIndex: 0,
        delta: { text: ` word${i}` },
        p: padding.slice(0, 1 + ((i * 7) % padding.length)),
      }),
    ),
    frame('contentBlockStop', { contentBlockIndex: 0, p: padding.slice(0, 5) }),
    frame('messageStop', { p: padding.slice(0, 9), stopReason: 'end_turn' }),
    frame('metadata', { metrics: { latencyMs: 700 }, p: padding.slice(0, 3), usage }),
  ];
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
