import assert from 'node:assert/strict';
import { isObject } from '../../src/codec/json-value.ts';
import { SseParser } from '../../src/codec/sse-parser.ts';

type Json = Record<string, unknown>;

/** What a client of Responses ends up with, whole or streamed, in the words of chat completions. */
export interface ResponseAnswer {
  content: string;
  refusal: string;
  reasoning: string;
  toolCalls: { id: string; name: string; arguments: string }[];
  finish: string;
  usage: { input: unknown; output: unknown; cached: unknown };
}

export function fromResponseBody(body: Buffer): ResponseAnswer {
  return answerOf(JSON.parse(body.toString()));
}

function answerOf(response: Json): ResponseAnswer {
  assert.equal(response['object'], 'response');
  assert.equal(typeof response['id'], 'string');
  const answer: ResponseAnswer = {
    content: '',
    refusal: '',
    reasoning: '',
    toolCalls: [],
    finish: '',
    usage: usageOf(response['usage']),
  };
  for (const item of response['output'] as Json[]) {
    if (item['type'] === 'message') {
      for (const part of item['content'] as Json[]) {
        answer.content += part['type'] === 'output_text' ? part['text'] : '';
        answer.refusal += part['type'] === 'refusal' ? part['refusal'] : '';
      }
    } else if (item['type'] === 'reasoning') {
      for (const part of item['summary'] as Json[]) answer.reasoning += part['text'];
    } else if (item['type'] === 'function_call') {
      answer.toolCalls.push({
        id: item['call_id'] as string,
        name: item['name'] as string,
        arguments: item['arguments'] as string,
      });
    }
  }
  answer.finish = finishOf(response, answer);
  return answer;
}

function finishOf({ status, incomplete_details: details }: Json, { toolCalls }: ResponseAnswer): string {
  if (status === 'completed') return toolCalls.length > 0 ? 'tool_calls' : 'stop';
  assert.equal(status, 'incomplete');
  const reason = isObject(details) ? details['reason'] : undefined;
  return reason === 'max_output_tokens' ? 'length' : String(reason);
}

function usageOf(usage: unknown): ResponseAnswer['usage'] {
  if (!isObject(usage)) return { input: undefined, output: undefined, cached: undefined };
  const details = usage['input_tokens_details'];
  return {
    input: usage['input_tokens'],
    output: usage['output_tokens'],
    cached: isObject(details) ? details['cached_tokens'] : undefined,
  };
}

/** The events of a stream; asserts what every stream of a response must keep to, as it is documented. */
export function responseEventsOf(bytes: Buffer): Json[] {
  const events: Json[] = [];
  new SseParser((name, data) => {
    const event = JSON.parse(data);
    assert.equal(event.type, name);
    events.push(event);
  }, 1 << 24).push(bytes);
  assert.deepEqual(
    events.map((event) => event['sequence_number']),
    events.map((_, index) => index),
  );
  return events;
}

/** Adds the deltas up as a client does. */
export function fromResponseStream(bytes: Buffer): ResponseAnswer {
  const events = responseEventsOf(bytes);
  assert.deepEqual(
    events.slice(0, 2).map((event) => event['type']),
    ['response.created', 'response.in_progress'],
  );
  const { type, response } = events.at(-1)!;
  const last = response as Json;
  assert.equal(type, `response.${last['status']}`);
  const texts = new Map<string, string>();
  const open = new Set<unknown>();
  const done: Json[] = [];
  for (const event of events.slice(2, -1)) {
    const { item_id: id, output_index: index, delta, item } = event as { item_id: string } & Json;
    const part = `${index} ${event['content_index'] ?? event['summary_index'] ?? ''}`;
    switch (event['type']) {
      case 'response.output_item.added':
        assert.equal(index, open.size + done.filter(Boolean).length);
        open.add(index);
        continue;
      case 'response.output_item.done':
        assert.ok(open.delete(index), 'an item is done once, and was added before');
        done[index as number] = item as Json;
        continue;
    }
    assert.ok(open.has(index), `${event['type']} is of an item that is open`);
    assert.equal(typeof id, 'string');
    if (typeof delta === 'string') texts.set(part, (texts.get(part) ?? '') + delta);
    const whole = event['text'] ?? event['refusal'] ?? event['arguments'] ?? event['input'];
    if (whole !== undefined) assert.equal(whole, texts.get(part) ?? '', 'the end of a text says all of its deltas');
  }
  assert.equal(open.size, 0, 'each item is done before the response is');
  assert.deepEqual(last['output'], done, 'the last event holds the items as they were done');
  return answerOf(last);
}
