import assert from 'node:assert/strict';

/** A message of the Messages API, as far as the tests look at it. */
export interface AnthropicMessage {
  id: string;
  model: string;
  stop_reason: string;
  stop_details?: { explanation?: string } | null;
  content: {
    type: string;
    text?: string;
    id?: string;
    name?: string;
    input?: unknown;
    thinking?: string;
    signature?: string;
    data?: string;
  }[];
  usage: Record<string, number> & {
    cache_creation?: { ephemeral_1h_input_tokens: number };
    output_tokens_details?: { thinking_tokens: number };
    iterations?: (Record<string, number> & { type: unknown })[];
  };
}

/** Puts a stream together as Anthropic's documentation says, without any of our code. */
export function messageOfStream(text: string): AnthropicMessage {
  let message: AnthropicMessage | undefined;
  const inputs: string[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('data: ')) continue;
    const event = JSON.parse(line.slice(6));
    if (event.type === 'message_start') message = event.message;
    assert.ok(message);
    if (event.type === 'content_block_start') message.content[event.index] = { ...event.content_block };
    if (event.type === 'content_block_delta') {
      const block = message.content[event.index]!;
      const { delta } = event;
      if (delta.type === 'text_delta') block.text += delta.text;
      if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
      if (delta.type === 'signature_delta') block.signature = delta.signature;
      if (delta.type === 'input_json_delta') inputs[event.index] = (inputs[event.index] ?? '') + delta.partial_json;
    }
    if (event.type === 'content_block_stop' && inputs[event.index]) {
      message.content[event.index]!.input = JSON.parse(inputs[event.index]!);
    }
    if (event.type === 'message_delta') {
      Object.assign(message, event.delta);
      Object.assign(message.usage, event.usage);
    }
  }
  assert.ok(message);
  return message;
}
