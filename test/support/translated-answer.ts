import { GatewayError } from '../../src/core/errors.ts';
import { eventWriter } from '../../src/dialects/openai-chat/event-writer.ts';
import { fromInference } from '../../src/dialects/openai-chat/from-inference.ts';
import type { InferenceEvent } from '../../src/inference/event.ts';
import type { Translation } from '../../src/providers/provider.ts';

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };

/** As JSON.parse gives it. */
type Json = ReturnType<typeof JSON.parse>;

/** Shallow, so that a test may look at any key of an answer. */
export interface ReadMessage {
  [key: string]: Json;
  content: string | null;
  refusal: string | null;
}
export interface ReadChoice {
  index: number;
  message: ReadMessage;
  logprobs: { content: object[] } | null;
  finish_reason: string;
}
export interface ReadAnswer {
  [key: string]: Json;
  choices: ReadChoice[];
  usage: Json;
}

/** A whole answer of a provider as its client reads it. */
export function wholeAnswer(translation: Translation, answer: object, strict = false): ReadAnswer {
  const events = translation.fromResponse(Buffer.from(JSON.stringify(answer)));
  if (events instanceof GatewayError) throw events;
  const body = fromInference(events, { ...context, strict });
  if (body instanceof GatewayError) throw body;
  return JSON.parse(body.toString());
}

/** A stream of a provider, put together as SDKs do: texts joined, lists appended, of all else the last. */
export function streamedAnswer(translation: Translation, events: readonly (readonly [string, object])[]): ReadAnswer {
  const reader = translation.eventReader!();
  const writer = eventWriter(context);
  const out: Buffer[] = [];
  const write = (made: readonly InferenceEvent[]): void => {
    for (const each of made) {
      if (each.type === 'error') throw new Error(`${each.status} ${each.errorType}: ${each.message}`);
      const bytes = writer.write(each);
      if (bytes) out.push(bytes);
    }
  };
  for (const [name, data] of events) {
    const made: InferenceEvent[] = [];
    reader.fromEvent(name, JSON.stringify(data), made);
    write(made);
  }
  if (!reader.complete && !reader.finished) throw new Error('The stream is not complete.');
  const last: InferenceEvent[] = [];
  reader.end?.(last);
  write(last);
  return put(Buffer.concat(out).toString());
}

function put(text: string): ReadAnswer {
  const answer: ReadAnswer = { choices: [], usage: undefined };
  for (const line of text.split('\n')) {
    if (!line.startsWith('data: {')) continue;
    const chunk = JSON.parse(line.slice(6));
    if (chunk.usage) answer.usage = chunk.usage;
    for (const { index, delta, finish_reason: reason, logprobs } of chunk.choices) {
      answer.choices[index] ??= { index, message: { content: '', refusal: null }, logprobs: null, finish_reason: '' };
      const choice = answer.choices[index]!;
      if (choice.finish_reason !== '') throw new Error(`A delta came behind the finish: ${line}`);
      if (logprobs) choice.logprobs = { content: [...(choice.logprobs?.content ?? []), ...logprobs.content] };
      for (const [key, value] of Object.entries(delta)) choice.message[key] = joined(choice.message[key], value, key);
      if (reason) choice.finish_reason = reason;
    }
  }
  return answer;
}

function joined(before: Json, value: Json, key: string): unknown {
  if (key === 'tool_calls') return joinedCalls(before ?? [], value);
  if (typeof before === 'string' && typeof value === 'string') return before + value;
  return Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
}

function joinedCalls(calls: Json[], pieces: Json[]): Json[] {
  for (const { index, function: called, ...rest } of pieces) {
    const call = calls[index];
    if (call) call.function.arguments += called.arguments;
    else calls[index] = { ...rest, function: { ...called } };
  }
  return calls;
}
