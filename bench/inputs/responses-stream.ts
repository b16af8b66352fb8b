/** A Responses stream of 100 pieces of text: https://platform.openai.com/docs/api-reference/responses-streaming */

export const RESPONSE_DELTAS = 100;
export const RESPONSE_USAGE = {
  input_tokens: 120,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: RESPONSE_DELTAS,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 120 + RESPONSE_DELTAS,
};

export function responseEvents(): Buffer[] {
  let number = 0;
  const event = (type: string, more: object): Buffer => {
    const data = JSON.stringify({ type, ...more, sequence_number: number });
    number += 1;
    return Buffer.from(`event: ${type}\ndata: ${data}\n\n`);
  };
  const response = (status: string, output: readonly object[], usage: object | null) => ({
    response: {
      id: 'resp_082ac2a584945d9a016a85bf1998b48196a37c570bfff7c4ab',
      object: 'response',
      created_at: 1_787_150_105,
      status,
      error: null,
      incomplete_details: null,
      model: 'gpt-5-nano',
      output,
      service_tier: 'default',
      usage,
    },
  });
  const item_id = 'msg_082ac2a584945d9a016a85bf1ac8208196aaf4929d93e48003';
  const item = { id: item_id, type: 'message', role: 'assistant' };
  const words = Array.from({ length: RESPONSE_DELTAS }, (_, i) => ` word${i}`);
  const part = { type: 'output_text', annotations: [], logprobs: [], text: words.join('') };
  const done = { ...item, status: 'completed', content: [part] };
  const place = { content_index: 0, item_id, output_index: 0 };
  return [
    event('response.created', response('in_progress', [], null)),
    event('response.in_progress', response('in_progress', [], null)),
    event('response.output_item.added', { item: { ...item, status: 'in_progress', content: [] }, output_index: 0 }),
    event('response.content_part.added', { ...place, part: { ...part, text: '' } }),
    ...words.map((delta, i) =>
      event('response.output_text.delta', {
        content_index: 0,
        delta,
        item_id,
        logprobs: [],
        obfuscation: 'x'.repeat(16 - delta.length + (i % 3)),
        output_index: 0,
      }),
    ),
    event('response.output_text.done', { ...place, logprobs: [], text: part.text }),
    event('response.content_part.done', { ...place, part }),
    event('response.output_item.done', { item: done, output_index: 0 }),
    event('response.completed', response('completed', [done], RESPONSE_USAGE)),
  ];
}
