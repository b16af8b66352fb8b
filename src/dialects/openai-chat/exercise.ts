import type { FormExercise } from '../dialect.ts';

const WORDS = 'A sluice holds the pond at its level and lets the rest pass to the wheel.'.split(' ');
const CREATED = 1_700_000_000;

/** A chat as it passes mostly: a question of a few hundred bytes, its whole answer, and the same as a stream. */
export function exercise(model: string): FormExercise {
  const messages = [
    { role: 'system', content: 'You are a patient engineer who answers briefly and in plain words.' },
    {
      role: 'user',
      content: 'How does a sluice keep a mill pond at its level through a dry summer? "Briefly", please.',
    },
  ];
  const request = (more: object): Buffer =>
    Buffer.from(JSON.stringify({ model, ...more, max_tokens: 64, temperature: 0.2, messages }));
  const usage = {
    prompt_tokens: 41,
    completion_tokens: WORDS.length,
    total_tokens: 41 + WORDS.length,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
  const answer = (choice: object, more: object): string =>
    JSON.stringify({
      id: 'chatcmpl-exercise',
      object: 'chat.completion',
      created: CREATED,
      model,
      choices: [{ index: 0, ...choice }],
      ...more,
    });
  const event = (delta: object, finish_reason: string | null = null): string =>
    `data: ${answer({ delta, finish_reason }, { object: 'chat.completion.chunk' })}\n\n`;
  const last = answer({}, { object: 'chat.completion.chunk', choices: [], usage });
  return {
    whole: {
      request: request({}),
      answer: [answer({ message: { role: 'assistant', content: WORDS.join(' ') }, finish_reason: 'stop' }, { usage })],
    },
    streamed: {
      request: request({ stream: true, stream_options: { include_usage: true } }),
      answer: [
        event({ role: 'assistant', content: '' }),
        ...WORDS.map((word) => event({ content: `${word} ` })),
        event({}, 'stop'),
        `data: ${last}\n\ndata: [DONE]\n\n`,
      ],
    },
  };
}
