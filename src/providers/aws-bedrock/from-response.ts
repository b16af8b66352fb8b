import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { pushCitation } from './citations.ts';
import { toFinishReason } from './finish-reason.ts';
import { citationsOf, pushImage, SERVER_TOOL } from './from-event.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const text = body.toString('utf8');
  let value: unknown;
  try {
    // Arguments go out as text again: no number may change on the way.
    value = text.includes('toolUse') && mayChangeNumbers(text) ? parseExact(text) : JSON.parse(text);
  } catch {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not JSON.' });
  }
  const answer = objectOf(value);
  const content = objectOf(objectOf(answer?.['output'])?.['message'])?.['content'];
  if (answer === undefined || !isArray(content)) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not a message with content.' });
  }
  const events: InferenceEvent[] = [{ type: 'start' }];
  let calls = 0;
  for (const block of content) {
    if (!isObject(block)) continue;
    const call = objectOf(block['toolUse']);
    if (call && call['type'] !== SERVER_TOOL) {
      pushCall(call, calls, events);
      calls += 1;
    } else pushBlock(block, events);
  }
  const usage = toUsage(answer['usage'], answer);
  if (usage) events.push({ type: 'usage', usage });
  const raw = stringOf(answer['stopReason']);
  if (raw !== undefined) events.push({ type: 'finish', reason: toFinishReason(raw) });
  return events;
}

function pushCall(call: JsonObject, index: number, events: InferenceEvent[]): void {
  const id = stringOf(call['toolUseId']) ?? '';
  events.push(
    { type: 'tool-call', index, id, name: stringOf(call['name']) ?? '' },
    { type: 'tool-call-arguments', index, text: JSON.stringify(call['input'] ?? {}) },
  );
}

/** Of blocks with sources the text is part of the answer. What Bedrock's own tools did on its side is none. */
function pushBlock(block: JsonObject, events: InferenceEvent[]): void {
  pushText(block['text'], events);
  const reasoning = objectOf(block['reasoningContent']);
  if (reasoning) pushReasoning(reasoning, events);
  const cited = objectOf(block['citationsContent']);
  if (cited) {
    if (isArray(cited['content'])) for (const each of cited['content']) pushText(objectOf(each)?.['text'], events);
    for (const citation of citationsOf(cited)) if (isObject(citation)) pushCitation(citation, events);
  }
  pushImage(objectOf(block['image']), events);
}

function pushText(value: unknown, events: InferenceEvent[]): void {
  const text = stringOf(value);
  if (text) events.push({ type: 'text', text });
}

function pushReasoning(reasoning: JsonObject, events: InferenceEvent[]): void {
  const said = objectOf(reasoning['reasoningText']);
  const text = stringOf(said?.['text']);
  if (text) events.push({ type: 'reasoning', text });
  const signature = stringOf(said?.['signature']);
  if (signature) events.push({ type: 'reasoning-signature', signature });
  const data = stringOf(reasoning['redactedContent']);
  if (data) events.push({ type: 'redacted-reasoning', data });
}
