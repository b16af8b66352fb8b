/** What a provider of the OpenAI wire answers, whole and streamed. */

export const CONTENT_CHUNKS = 100;
const ID = 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT';
const MODEL = 'gpt-4o-2024-08-06';
const CREATED = 1_764_000_000;

export const usage = {
  prompt_tokens: 120,
  completion_tokens: 100,
  total_tokens: 220,
  prompt_tokens_details: { cached_tokens: 64, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
};

export function wholeAnswer(text: string): object {
  return {
    id: ID,
    object: 'chat.completion',
    created: CREATED,
    model: MODEL,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage,
    service_tier: 'default',
    system_fingerprint: 'fp_fc9f1d7035',
  };
}

/**
 * The events of a stream: the role, 100 pieces of content, the finish, the usage, `[DONE]`. `padded`: each ends with text
 * that hides the length of its content, as OpenAI's do.
 */
export function chatEvents(ending: 'with usage' | 'without usage', length: 'plain' | 'padded' = 'plain'): Buffer[] {
  const rest = ending === 'with usage' ? { usage: null } : {};
  let made = 0;
  const padding = () => (length === 'padded' ? { obfuscation: 'aGkJ3bQxYz0'.slice(made++ % 10) } : {});
  const chunk = (choices: object[], more: object = rest): Buffer =>
    event(
      JSON.stringify({
        id: ID,
        object: 'chat.completion.chunk',
        created: CREATED,
        model: MODEL,
        service_tier: 'default',
        system_fingerprint: 'fp_fc9f1d7035',
        choices,
        ...more,
        ...padding(),
      }),
    );
  const delta = (change: object, finish: string | null = null): Buffer =>
    chunk([{ index: 0, delta: change, logprobs: null, finish_reason: finish }]);
  const events = [delta({ role: 'assistant', content: '', refusal: null })];
  for (let i = 0; i < CONTENT_CHUNKS; i += 1) events.push(delta({ content: ` word${i}` }));
  events.push(delta({}, 'stop'));
  if (ending === 'with usage') events.push(chunk([], { usage }));
  events.push(event('[DONE]'));
  return events;
}

function event(data: string): Buffer {
  return Buffer.from(`data: ${data}\n\n`);
}
