import {
  countOf,
  isArray,
  isObject,
  type JsonObject,
  objectOf,
  parseObject,
  stringOf,
} from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { FinishReason } from '../../inference/finish-reason.ts';
import { markSignature } from '../../inference/signature.ts';
import { failureOf } from '../openai-compatible/from-chunk.ts';
import { toResponsesUsage } from '../openai-compatible/to-responses-usage.ts';
import type { EventReader } from '../provider.ts';
import { VENDOR } from './response-items.ts';

/** Calls beyond these would be made to fill our memory. */
const MAX_CALLS = 1_024;

interface OpenCall {
  readonly index: number;
  hasArguments: boolean;
}

/** The events of a response. https://platform.openai.com/docs/api-reference/responses-streaming */
export class ResponseReader implements EventReader {
  complete = false;
  #started = false;
  #refused = false;
  /** By the index of their items. */
  readonly #calls = new Map<unknown, OpenCall>();

  fromEvent(name: string | undefined, data: string, out: InferenceEvent[]): void {
    if (data === '' || data === '[DONE]') return;
    const event = parseObject(data);
    if (event === undefined) {
      out.push(failureOf({ type: 'upstream_protocol', message: 'An event is not JSON.' }));
      return;
    }
    this.#read(stringOf(event['type']) ?? name, event, out);
  }

  /** A whole response, as the events that its stream would have been. */
  whole(response: JsonObject, out: InferenceEvent[]): void {
    this.#start(response, out);
    const items = isArray(response['output']) ? response['output'] : [];
    for (const [index, item] of items.entries()) if (isObject(item)) this.#wholeItem(item, index, out);
    this.#end(response, out);
  }

  #read(type: string | undefined, event: JsonObject, out: InferenceEvent[]): void {
    const response = objectOf(event['response']);
    switch (type) {
      case 'response.created':
        if (response) this.#start(response, out);
        return;
      case 'response.output_item.added':
        this.#call(objectOf(event['item']), event['output_index'], out);
        return;
      case 'response.function_call_arguments.delta':
        this.#arguments(event['output_index'], event['delta'], out);
        return;
      case 'response.output_text.delta':
        pushText(out, 'text', event['delta']);
        return;
      case 'response.refusal.delta':
        this.#refused = true;
        pushText(out, 'refusal', event['delta']);
        return;
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        pushText(out, 'reasoning', event['delta']);
        return;
      case 'response.output_text.annotation.added':
        pushCitation(event['annotation'], out);
        return;
      case 'response.output_item.done':
        this.#itemDone(objectOf(event['item']), event['output_index'], out);
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        if (response) this.#end(response, out);
        return;
      case 'error':
        out.push(failureOf(objectOf(event['error']) ?? event));
    }
  }

  #start(response: JsonObject, out: InferenceEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    const [id, model] = [stringOf(response['id']), stringOf(response['model'])];
    out.push({ type: 'start', id, model, created: countOf(response['created_at']) });
  }

  #call(item: JsonObject | undefined, at: unknown, out: InferenceEvent[]): void {
    if (item?.['type'] !== 'function_call' || this.#calls.has(at) || this.#calls.size >= MAX_CALLS) return;
    const index = this.#calls.size;
    this.#calls.set(at, { index, hasArguments: false });
    const id = stringOf(item['call_id']) ?? stringOf(item['id']) ?? `call_${index}`;
    out.push({ type: 'tool-call', index, id, name: stringOf(item['name']) ?? '' });
  }

  #arguments(at: unknown, delta: unknown, out: InferenceEvent[]): void {
    const call = this.#calls.get(at);
    if (call === undefined || typeof delta !== 'string' || delta === '') return;
    call.hasArguments = true;
    out.push({ type: 'tool-call-arguments', index: call.index, text: delta });
  }

  #itemDone(item: JsonObject | undefined, at: unknown, out: InferenceEvent[]): void {
    const encrypted = stringOf(item?.['encrypted_content']);
    if (item?.['type'] === 'reasoning' && encrypted) {
      out.push({ type: 'reasoning-signature', signature: markSignature(VENDOR, encrypted) });
    }
    if (item?.['type'] !== 'function_call') return;
    this.#call(item, at, out);
    if (this.#calls.get(at)?.hasArguments === false) this.#arguments(at, stringOf(item['arguments']) || '{}', out);
  }

  #wholeItem(item: JsonObject, at: number, out: InferenceEvent[]): void {
    const summary = isArray(item['summary']) && item['summary'].length > 0 ? item['summary'] : undefined;
    const texts = item['type'] === 'reasoning' ? (summary ?? item['content']) : [];
    if (isArray(texts)) for (const each of texts) pushText(out, 'reasoning', objectOf(each)?.['text']);
    const parts = item['type'] === 'message' && isArray(item['content']) ? item['content'] : [];
    for (const part of parts) {
      const { text, refusal, annotations } = objectOf(part) ?? {};
      pushText(out, 'text', text);
      if (stringOf(refusal)) this.#refused = true;
      pushText(out, 'refusal', refusal);
      if (isArray(annotations)) for (const each of annotations) pushCitation(each, out);
    }
    this.#itemDone(item, at, out);
  }

  #end(response: JsonObject, out: InferenceEvent[]): void {
    if (this.complete) return;
    this.complete = true;
    const { error } = response;
    if (response['status'] === 'failed' || error) {
      out.push(failureOf(objectOf(error) ?? response));
      return;
    }
    const usage = toResponsesUsage(response['usage'], response);
    if (usage) out.push({ type: 'usage', usage });
    out.push({ type: 'finish', reason: this.#reason(response) });
  }

  #reason(response: JsonObject): FinishReason {
    const raw = stringOf(objectOf(response['incomplete_details'])?.['reason']);
    if (raw === 'max_output_tokens') return { unified: 'length', raw };
    if (raw === 'content_filter') return { unified: 'content-filter', raw };
    if (response['status'] === 'incomplete') return { unified: 'other', raw: raw ?? 'incomplete' };
    if (this.#calls.size > 0) return { unified: 'tool-calls', raw: 'tool_calls' };
    return { unified: 'stop', raw: this.#refused ? 'refusal' : 'stop' };
  }
}

function pushText(out: InferenceEvent[], type: 'text' | 'reasoning' | 'refusal', value: unknown): void {
  if (typeof value === 'string' && value !== '') out.push({ type, text: value });
}

function pushCitation(value: unknown, out: InferenceEvent[]): void {
  const cited = objectOf(value);
  const url = cited?.['type'] === 'url_citation' ? stringOf(cited['url']) : undefined;
  if (cited === undefined || url === undefined) return;
  const [title, start, end] = [stringOf(cited['title']), countOf(cited['start_index']), countOf(cited['end_index'])];
  out.push({ type: 'citation', url, title, start, end });
}
