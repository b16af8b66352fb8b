import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { pushCitation } from './citations.ts';
import { toFinishReason } from './finish-reason.ts';
import { citationsOf, isServerTool, pushBeside, pushMedia, pushOther, pushServerTool } from './from-block.ts';
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
  const message = objectOf(objectOf(answer?.['output'])?.['message']);
  if (answer === undefined || message === undefined) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not a message with content.' });
  }
  const reader = new BlockReader();
  const { content } = message;
  if (isArray(content)) for (const block of content) if (isObject(block)) reader.read(block);
  const { events } = reader;
  pushBeside(answer, events);
  const usage = toUsage(answer['usage'], answer);
  if (usage) events.push({ type: 'usage', usage });
  const raw = stringOf(answer['stopReason']);
  if (raw !== undefined) events.push({ type: 'finish', reason: toFinishReason(raw) });
  return events;
}

class BlockReader {
  readonly events: InferenceEvent[] = [{ type: 'start' }];
  #calls = 0;
  #characters = 0;

  read(block: JsonObject): void {
    const { text, toolUse, reasoningContent, citationsContent, image, audio, ...others } = block;
    this.#text(text);
    if (isObject(toolUse)) this.#call(toolUse);
    if (isObject(reasoningContent)) pushReasoning(reasoningContent, this.events);
    if (isObject(citationsContent)) this.#cited(citationsContent);
    pushMedia('image', objectOf(image), undefined, this.events);
    pushMedia('audio', objectOf(audio), undefined, this.events);
    if ('toolResult' in others) pushServerTool(others, this.events);
    else pushOther(others, this.events);
  }

  #text(value: unknown): void {
    const text = stringOf(value);
    if (!text) return;
    this.#characters += text.length;
    this.events.push({ type: 'text', text });
  }

  #call(call: JsonObject): void {
    if (isServerTool(call)) {
      pushServerTool({ toolUse: call }, this.events);
      return;
    }
    const index = this.#calls;
    this.#calls += 1;
    const id = stringOf(call['toolUseId']) ?? '';
    this.events.push(
      { type: 'tool-call', index, id, name: stringOf(call['name']) ?? '' },
      { type: 'tool-call-arguments', index, text: JSON.stringify(call['input'] ?? {}) },
    );
  }

  /** The text of a block with sources is part of the answer. */
  #cited(block: JsonObject): void {
    const start = this.#characters;
    const { content } = block;
    if (isArray(content)) for (const each of content) this.#text(objectOf(each)?.['text']);
    for (const citation of citationsOf(block)) pushCitation(citation, { start, end: this.#characters }, this.events);
  }
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
