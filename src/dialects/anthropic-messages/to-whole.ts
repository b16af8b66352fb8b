import { EventEnds } from '../../codec/event-cutter.ts';
import { parseExactObject } from '../../codec/exact-json.ts';
import { isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

type Open = Record<string, unknown>;

/** A whole stream as one message: what its deltas say is put together block by block. */
export function toWhole(events: Buffer): OrError<Buffer> {
  let message: Open | undefined;
  const blocks = new Map<unknown, Open>();
  const inputs = new Map<unknown, string>();
  for (const event of eventsIn(events)) {
    const { index } = event;
    switch (event['type']) {
      case 'message_start':
        message ??= { ...objectOf(event['message']) };
        break;
      case 'content_block_start':
        blocks.set(index, { ...objectOf(event['content_block']) });
        break;
      case 'content_block_delta':
        addDelta(blocks.get(index), objectOf(event['delta']) ?? {}, index, inputs);
        break;
      case 'message_delta':
        if (message) {
          Object.assign(message, event['delta']);
          message['usage'] = { ...objectOf(message['usage']), ...objectOf(event['usage']) };
        }
        break;
      default: // A ping, the end of a block or of the message.
    }
  }
  if (message === undefined) {
    return new GatewayError('upstream_protocol', { detail: 'Its stream does not begin a message.' });
  }
  for (const [index, text] of inputs) {
    const block = blocks.get(index);
    if (block) block['input'] = text.trim() === '' ? {} : (parseExactObject(text) ?? { INVALID_JSON: text });
  }
  message['content'] = [...blocks.values()];
  return Buffer.from(JSON.stringify(message));
}

function addDelta(block: Open | undefined, delta: JsonObject, index: unknown, inputs: Map<unknown, string>): void {
  if (block === undefined) return;
  const { text, thinking, signature, partial_json: json, citation } = delta;
  if (typeof text === 'string') block['text'] = `${block['text'] ?? ''}${text}`;
  if (typeof thinking === 'string') block['thinking'] = `${block['thinking'] ?? ''}${thinking}`;
  if (typeof signature === 'string') block['signature'] = signature;
  if (typeof json === 'string') inputs.set(index, `${inputs.get(index) ?? ''}${json}`);
  if (isObject(citation)) {
    const before = Array.isArray(block['citations']) ? block['citations'] : [];
    block['citations'] = [...before, citation];
  }
}

function* eventsIn(bytes: Buffer): Generator<JsonObject> {
  const ends = new EventEnds();
  ends.begin(bytes);
  for (let start = 0; start < bytes.length; ) {
    const end = ends.after(start);
    const { data } = readEvent(bytes, start, end);
    start = end;
    const event = data === undefined ? undefined : parseExactObject(data);
    if (event !== undefined) yield event;
  }
}
