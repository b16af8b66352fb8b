/** A Messages stream of 100 pieces of text: https://platform.claude.com/docs/en/build-with-claude/streaming */

export const TEXT_DELTAS = 100;
export const MODEL = 'claude-sonnet-4-5-20250929';
export const INPUT_TOKENS = 120;
export const OUTPUT_TOKENS = 100;

export const text = Array.from({ length: TEXT_DELTAS }, (_, i) => ` word${i}`).join('');

export function anthropicEvents(): Buffer[] {
  const usage = { input_tokens: INPUT_TOKENS, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const message = {
    id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
    type: 'message',
    role: 'assistant',
    model: MODEL,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usage, output_tokens: 1 },
  };
  return [
    event({ type: 'message_start', message }),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    event({ type: 'ping' }),
    ...Array.from({ length: TEXT_DELTAS }, (_, i) =>
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: ` word${i}` } }),
    ),
    event({ type: 'content_block_stop', index: 0 }),
    event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { ...usage, output_tokens: OUTPUT_TOKENS },
    }),
    event({ type: 'message_stop' }),
  ];
}

function event(value: { type: string; [field: string]: unknown }): Buffer {
  return Buffer.from(`event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`);
}
