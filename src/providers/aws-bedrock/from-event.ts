import { EXCEPTION } from '../../codec/aws-event-stream.ts';
import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { EventReader } from '../provider.ts';
import { pushCitation } from './citations.ts';
import { toFinishReason } from './finish-reason.ts';
import { statusOfType } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html */
export function eventReader(): EventReader {
  return new ConverseEventReader();
}

/** What Bedrock runs itself is told with this type; it is no call for the client. */
export const SERVER_TOOL = 'server_tool_use';

/** A tool call whose block is open. */
interface OpenCall {
  index: number;
  hasArguments: boolean;
}

class ConverseEventReader implements EventReader {
  /** The usage came behind the end of the message. */
  complete = false;
  #stopped = false;
  #toolCalls = 0;
  readonly #openCalls = new Map<unknown, OpenCall>();

  fromEvent(event: string | undefined, data: string, out: InferenceEvent[]): void {
    const value = parseObject(data);
    if (event?.startsWith(EXCEPTION)) {
      pushException(event.slice(EXCEPTION.length), value, out);
      return;
    }
    if (value === undefined) {
      out.push({ type: 'error', status: 502, errorType: 'upstream_protocol', message: 'An event is not JSON.' });
      return;
    }
    switch (event) {
      case 'messageStart':
        out.push({ type: 'start' });
        return;
      case 'contentBlockStart':
        this.#blockStart(value, out);
        return;
      case 'contentBlockDelta':
        this.#delta(value, out);
        return;
      case 'contentBlockStop':
        this.#blockStop(value, out);
        return;
      case 'messageStop':
        this.#stop(value, out);
        return;
      case 'metadata': {
        const usage = toUsage(value['usage'], value);
        if (usage) out.push({ type: 'usage', usage });
        this.complete = this.#stopped;
        return;
      }
      default: // What comes one day.
    }
  }

  #blockStart(value: JsonObject, out: InferenceEvent[]): void {
    const call = objectOf(objectOf(value['start'])?.['toolUse']);
    if (call === undefined || call['type'] === SERVER_TOOL) return;
    const index = this.#toolCalls;
    this.#toolCalls += 1;
    this.#openCalls.set(value['contentBlockIndex'], { index, hasArguments: false });
    const id = stringOf(call['toolUseId']) ?? '';
    out.push({ type: 'tool-call', index, id, name: stringOf(call['name']) ?? '' });
  }

  #delta(value: JsonObject, out: InferenceEvent[]): void {
    const delta = objectOf(value['delta']);
    if (delta === undefined) return;
    const text = stringOf(delta['text']);
    if (text) out.push({ type: 'text', text });
    const input = stringOf(objectOf(delta['toolUse'])?.['input']);
    const call = this.#openCalls.get(value['contentBlockIndex']);
    if (input && call) {
      call.hasArguments = true;
      out.push({ type: 'tool-call-arguments', index: call.index, text: input });
    }
    const reasoning = objectOf(delta['reasoningContent']);
    if (reasoning) pushReasoningDelta(reasoning, out);
    if (isObject(delta['citation'])) pushCitation(delta['citation'], out);
    pushImage(objectOf(delta['image']), out);
  }

  #blockStop(value: JsonObject, out: InferenceEvent[]): void {
    const call = this.#openCalls.get(value['contentBlockIndex']);
    if (call === undefined) return;
    this.#openCalls.delete(value['contentBlockIndex']);
    // A call without arguments streams none at all; a client that parses '' as JSON would fail.
    if (!call.hasArguments) out.push({ type: 'tool-call-arguments', index: call.index, text: '{}' });
  }

  #stop(value: JsonObject, out: InferenceEvent[]): void {
    this.#stopped = true;
    const raw = stringOf(value['stopReason']);
    if (raw !== undefined) out.push({ type: 'finish', reason: toFinishReason(raw) });
  }
}

function pushReasoningDelta(reasoning: JsonObject, out: InferenceEvent[]): void {
  const text = stringOf(reasoning['text']);
  if (text) out.push({ type: 'reasoning', text });
  const signature = stringOf(reasoning['signature']);
  if (signature) out.push({ type: 'reasoning-signature', signature });
  const data = stringOf(reasoning['redactedContent']);
  if (data) out.push({ type: 'redacted-reasoning', data });
}

/** `{format: 'png', source: {bytes}}`: what image models answer with. */
export function pushImage(image: JsonObject | undefined, out: InferenceEvent[]): void {
  const base64 = stringOf(objectOf(image?.['source'])?.['bytes']);
  if (base64 === undefined) return;
  out.push({ type: 'image', mediaType: `image/${stringOf(image?.['format']) ?? 'png'}`, base64 });
}

function pushException(type: string, value: JsonObject | undefined, out: InferenceEvent[]): void {
  const original = value?.['originalStatusCode'];
  out.push({
    type: 'error',
    status: typeof original === 'number' && original >= 400 && original <= 599 ? original : statusOfType(type),
    errorType: type === '' ? 'unknown' : type,
    message: stringOf(value?.['originalMessage']) ?? stringOf(value?.['message']) ?? 'The provider gave no reason.',
  });
}

/** `citations` as a list, for from-response. */
export function citationsOf(block: JsonObject): readonly unknown[] {
  const list = block['citations'];
  return isArray(list) ? list : [];
}
