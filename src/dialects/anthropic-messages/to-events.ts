import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

/** A whole message as the events that its stream would have been, one delta a block; numbers keep their digits. */
export function toEvents(answer: Buffer): OrError<Buffer> {
  const message = parseExactObject(answer.toString('utf8'));
  if (message === undefined || !isArray(message['content'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not a message with content.' });
  }
  const { content, stop_reason, stop_sequence, usage } = message;
  const events = [
    event('message_start', { message: { ...message, content: [], stop_reason: null, stop_sequence: null } }),
  ];
  for (const [index, block] of content.entries()) {
    if (!isObject(block)) continue;
    const { begun, deltas } = piecesOf(block);
    events.push(event('content_block_start', { index, content_block: begun }));
    for (const delta of deltas) events.push(event('content_block_delta', { index, delta }));
    events.push(event('content_block_stop', { index }));
  }
  events.push(event('message_delta', { delta: { stop_reason, stop_sequence }, usage }), event('message_stop', {}));
  return Buffer.concat(events);
}

/** The block as it begins, and what was added to it. */
function piecesOf(block: JsonObject): { begun: JsonObject; deltas: JsonObject[] } {
  switch (block['type']) {
    case 'text': {
      const { text, citations, ...begun } = block;
      const cited = isArray(citations) ? citations.map((citation) => ({ type: 'citations_delta', citation })) : [];
      return { begun: { ...begun, text: '' }, deltas: [{ type: 'text_delta', text }, ...cited] };
    }
    case 'thinking': {
      const { thinking, signature, ...begun } = block;
      const deltas: JsonObject[] = [{ type: 'thinking_delta', thinking }];
      if (signature !== undefined) deltas.push({ type: 'signature_delta', signature });
      return { begun: { ...begun, thinking: '', signature: '' }, deltas };
    }
    case 'tool_use':
    case 'server_tool_use': {
      const { input, ...begun } = block;
      return {
        begun: { ...begun, input: {} },
        deltas: [{ type: 'input_json_delta', partial_json: JSON.stringify(input ?? {}) }],
      };
    }
    default: // Results of the provider's own tools come whole in a stream too.
      return { begun: block, deltas: [] };
  }
}

function event(type: string, more: object): Buffer {
  return Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
}
