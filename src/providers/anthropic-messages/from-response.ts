import { parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { pushFinish } from './finish-reason.ts';
import { pushAside, pushBeside, pushCitations } from './from-block.ts';
import { toUsage } from './to-usage.ts';

/** A whole message as the events its stream would have been. */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not JSON.' });
  }
  if (!isObject(value) || !isArray(value['content'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not a message with content.' });
  }
  const events: InferenceEvent[] = [{ type: 'start', id: stringOf(value['id']), model: stringOf(value['model']) }];
  try {
    pushContent(events, value['content'], text);
  } catch (cause) {
    // Nested so deep that it cannot be walked.
    return new GatewayError('upstream_protocol', { detail: 'Its answer cannot be read.', cause });
  }
  pushEnd(events, value);
  return events;
}

function pushContent(events: InferenceEvent[], content: readonly unknown[], text: string): void {
  let toolCalls = 0;
  let characters = 0;
  let exactContent: unknown;
  for (const [index, block] of content.entries()) {
    if (!isObject(block)) continue;
    switch (block['type']) {
      case 'text': {
        const start = characters;
        characters += stringOf(block['text'])?.length ?? 0;
        pushText(events, 'text', block['text']);
        if (isArray(block['citations'])) pushCitations(block['citations'], { start, end: characters }, events);
        break;
      }
      case 'thinking': {
        pushText(events, 'reasoning', block['thinking']);
        const signature = stringOf(block['signature']);
        if (signature) events.push({ type: 'reasoning-signature', signature });
        break;
      }
      case 'redacted_thinking':
        events.push({ type: 'redacted-reasoning', data: stringOf(block['data']) ?? '' });
        break;
      case 'tool_use': {
        // The arguments go out as text again: parsed once more so that no number changes on the way.
        exactContent ??= objectOf(parseExact(text))?.['content'];
        const exactBlock = isArray(exactContent) ? objectOf(exactContent[index]) : undefined;
        events.push(
          { type: 'tool-call', index: toolCalls, id: stringOf(block['id']) ?? '', name: stringOf(block['name']) ?? '' },
          { type: 'tool-call-arguments', index: toolCalls, text: JSON.stringify(exactBlock?.['input'] ?? {}) },
        );
        toolCalls += 1;
        break;
      }
      default:
        pushAside(block, events);
    }
  }
}

function pushText(events: InferenceEvent[], type: 'text' | 'reasoning', value: unknown): void {
  const text = stringOf(value);
  if (text) events.push({ type, text });
}

function pushEnd(events: InferenceEvent[], message: JsonObject): void {
  const usage = toUsage(message['usage']);
  if (usage) events.push({ type: 'usage', usage });
  pushBeside(message, events);
  pushFinish(events, message);
}
