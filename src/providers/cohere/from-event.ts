import { mayChangeNumbers, parseExact } from '../../codec/exact-json.ts';
import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { EventReader } from '../provider.ts';
import { pushCitations } from './citations.ts';
import { failureStatus, toFinishReason } from './finish-reason.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.cohere.com/docs/streaming. The end is `message-end`; a `[DONE]` behind it says nothing more. */
export function eventReader(): EventReader {
  return new ChatReader();
}

/** https://docs.cohere.com/reference/chat#response */
export function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parsed(body.toString('utf8'));
  if (answer === undefined)
    return new GatewayError('upstream_protocol', { detail: 'Its answer is not a JSON object.' });
  const events: InferenceEvent[] = [];
  const message = objectOf(answer['message']);
  if (message === undefined) {
    if (pushFault(answer, events)) return events;
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no message.' });
  }
  events.push({ type: 'start', id: stringOf(answer['id']) });
  pushText('reasoning', message['tool_plan'], events);
  const { content, tool_calls: calls } = message;
  pushText('text', content, events);
  if (isArray(content)) for (const block of content) if (isObject(block)) pushContent(block, events);
  if (isArray(calls)) for (const [index, call] of calls.entries()) pushCall(call, index, events);
  pushCitations(message['citations'], events);
  if (isArray(answer['logprobs'])) pushLogprobs(answer['logprobs'], events);
  pushEnd(answer, events);
  return events;
}

function parsed(data: string): JsonObject | undefined {
  try {
    // What was cited goes out as it came: no number may change on the way.
    return objectOf(data.includes('"citations"') && mayChangeNumbers(data) ? parseExact(data) : JSON.parse(data));
  } catch {
    // Told by whoever asked.
    return undefined;
  }
}

class ChatReader implements EventReader {
  complete = false;
  /** Places of calls by the index of their events. */
  readonly #calls = new Map<number, number>();
  /** Calls that brought no arguments yet: a function without parameters gets no delta. */
  readonly #silent = new Set<number>();

  fromEvent(_event: string | undefined, data: string, out: InferenceEvent[]): void {
    if (data === '[DONE]') return;
    const event = parsed(data);
    if (event === undefined) {
      out.push({ type: 'error', status: 502, errorType: 'upstream_protocol', message: 'An event is not JSON.' });
      return;
    }
    const delta = objectOf(event['delta']);
    const message = objectOf(delta?.['message']);
    switch (event['type']) {
      case 'message-start':
        out.push({ type: 'start', id: stringOf(event['id']) });
        return;
      case 'content-start':
      case 'content-delta':
        pushContent(objectOf(message?.['content']) ?? {}, out);
        if (isObject(event['logprobs'])) pushLogprobs([event['logprobs']], out);
        return;
      case 'tool-plan-delta':
        pushText('reasoning', message?.['tool_plan'], out);
        return;
      case 'tool-call-start':
      case 'tool-call-delta':
      case 'tool-call-end':
        this.#call(event, objectOf(message?.['tool_calls']), out);
        return;
      case 'citation-start':
        pushCitations(message?.['citations'], out);
        return;
      case 'message-end':
        this.complete = true;
        pushEnd(delta ?? {}, out);
        return;
      case undefined:
        pushFault(event, out);
    }
  }

  #call(event: JsonObject, call: JsonObject | undefined, out: InferenceEvent[]): void {
    const at = countOf(event['index']) ?? 0;
    if (event['type'] === 'tool-call-start') {
      const index = this.#calls.size;
      this.#calls.set(at, index);
      this.#silent.add(index);
      const name = stringOf(objectOf(call?.['function'])?.['name']) ?? '';
      out.push({ type: 'tool-call', index, id: stringOf(call?.['id']) ?? '', name });
    }
    const index = this.#calls.get(at);
    if (index === undefined) return;
    const ended = event['type'] === 'tool-call-end' && this.#silent.has(index);
    const text = ended ? '{}' : stringOf(objectOf(call?.['function'])?.['arguments']);
    if (!text) return;
    this.#silent.delete(index);
    out.push({ type: 'tool-call-arguments', index, text });
  }
}

function pushText(type: 'text' | 'reasoning', value: unknown, out: InferenceEvent[]): void {
  const text = stringOf(value);
  if (text) out.push({ type, text });
}

function pushContent(block: JsonObject, out: InferenceEvent[]): void {
  pushText('reasoning', block['thinking'], out);
  pushText('text', block['text'], out);
}

function pushCall(value: unknown, index: number, out: InferenceEvent[]): void {
  const call = objectOf(value);
  const called = objectOf(call?.['function']);
  out.push(
    { type: 'tool-call', index, id: stringOf(call?.['id']) ?? '', name: stringOf(called?.['name']) ?? '' },
    { type: 'tool-call-arguments', index, text: stringOf(called?.['arguments']) || '{}' },
  );
}

/** Each entry is a piece of text with the log probability of every token in it; of the piece it is their sum. */
function pushLogprobs(entries: readonly unknown[], out: InferenceEvent[]): void {
  const content = entries.flatMap((entry) => {
    const list = objectOf(entry)?.['logprobs'];
    if (!isArray(list)) return [];
    const token = stringOf(objectOf(entry)?.['text']) ?? '';
    const logprob = list.reduce<number>((sum, each) => sum + (typeof each === 'number' ? each : 0), 0);
    return [{ token, logprob, bytes: [...Buffer.from(token)], top_logprobs: [] }];
  });
  if (content.length > 0) out.push({ type: 'logprobs', content });
}

/** A whole answer and the delta of `message-end` say it with the same keys. */
function pushEnd(source: JsonObject, out: InferenceEvent[]): void {
  const raw = stringOf(source['finish_reason']);
  const status = raw === undefined ? undefined : failureStatus(raw);
  const said = stringOf(source['error']);
  if (raw !== undefined && status === undefined && said === undefined) {
    const usage = toUsage(source['usage']);
    if (usage) out.push({ type: 'usage', usage });
    out.push({ type: 'finish', reason: toFinishReason(raw) });
    return;
  }
  const message = said ?? `The answer ended with ${raw ?? 'no finish reason'}.`;
  out.push({ type: 'error', status: status ?? 502, errorType: raw ?? 'ERROR', message });
}

/** Within a 200 an error has the shape of one with a status of its own: `{message, id}`. */
function pushFault(answer: JsonObject, out: InferenceEvent[]): boolean {
  const message = stringOf(answer['message']) ?? stringOf(answer['error']);
  if (message === undefined) return false;
  out.push({ type: 'error', status: 502, errorType: stringOf(answer['error_type']) ?? 'ERROR', message });
  return true;
}
