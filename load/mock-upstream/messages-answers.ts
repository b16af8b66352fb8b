/** The answers in the form of Anthropic's Messages API: the same words and counts as in OpenAI's. */
import type { Answers } from './answers.ts';
import type { Behaviour } from './behaviour.ts';

const ID = 'msg_01MockA1b2C3d4E5f6G7h8';
const TEXT = 'The sluice opens a hand wide, the water takes the gap without a word.';

export function messagesAnswers(model: string, behaviour: Behaviour): Answers {
  const { chunks, completionTokens, promptTokens } = behaviour;
  const output = completionTokens || chunks;
  const message = (content: object[], stop: string | null, tokens: number): object => ({
    id: ID,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: stop,
    stop_sequence: null,
    usage: { input_tokens: promptTokens, output_tokens: tokens },
  });
  const opening =
    event('message_start', { message: message([], null, 1) }) +
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
  const events = Array.from({ length: chunks }, (_, index) => {
    const delta = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: `w${index} ` } });
    return Buffer.from(index === 0 ? opening + delta : delta);
  });
  const tail = Buffer.from(
    event('content_block_stop', { index: 0 }) +
      event('message_delta', {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: output },
      }) +
      event('message_stop', {}),
  );
  return {
    whole: Buffer.from(JSON.stringify(message([{ type: 'text', text: TEXT }], 'end_turn', output))),
    // Usage always comes: there is nothing to ask for.
    stream: { chunks, event: (index) => events[index] as Buffer, tail, tailWithUsage: tail },
  };
}

function event(type: string, more: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
}
