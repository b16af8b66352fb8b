import type { FormExercise } from '../dialect.ts';

const WORDS = 'A sluice holds the pond at its level and lets the rest pass to the wheel.'.split(' ');

/** A message as it passes mostly: a question of a few hundred bytes, its whole answer, and the same as a stream. */
export function exercise(model: string): FormExercise {
  const request = (more: object): Buffer =>
    Buffer.from(
      JSON.stringify({
        model,
        max_tokens: 64,
        ...more,
        system: 'You are a patient engineer who answers briefly and in plain words.',
        messages: [{ role: 'user', content: 'How does a sluice keep a mill pond at its level? "Briefly", please.' }],
      }),
    );
  const usage = { input_tokens: 41, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 };
  const answer = { id: 'msg_exercise', type: 'message', role: 'assistant', model, stop_sequence: null };
  const event = (type: string, more: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const index = 0;
  return {
    whole: {
      request: request({}),
      answer: [
        JSON.stringify({
          ...answer,
          content: [{ type: 'text', text: WORDS.join(' ') }],
          stop_reason: 'end_turn',
          usage: { ...usage, output_tokens: WORDS.length },
        }),
      ],
    },
    streamed: {
      request: request({ stream: true }),
      answer: [
        event('message_start', { message: { ...answer, content: [], stop_reason: null, usage } }),
        event('content_block_start', { index, content_block: { type: 'text', text: '' } }),
        ...WORDS.map((word) =>
          event('content_block_delta', { index, delta: { type: 'text_delta', text: `${word} ` } }),
        ),
        event('content_block_stop', { index }),
        event('message_delta', {
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: { output_tokens: WORDS.length },
        }),
        event('message_stop', {}),
      ],
    },
  };
}
