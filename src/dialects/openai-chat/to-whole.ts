import { EventEnds } from '../../codec/event-cutter.ts';
import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

/** The bound of one choice; a larger index would make a list with as many holes. */
const MAX_CALLS = 1_024;

type Open = Record<string, unknown>;

/**
 * A whole stream of `chat.completion.chunk` events as one `chat.completion`: texts are joined, tool calls by their index,
 * lists appended; of everything else the last that is not null stands.
 */
export function toWhole(events: Buffer): OrError<Buffer> {
  const completion: Open = {};
  const choices = new Map<unknown, Open>();
  for (const chunk of chunksOf(events)) {
    const { choices: parts, ...others } = chunk;
    keepLast(completion, others);
    if (!isArray(parts)) continue;
    for (const part of parts) if (isObject(part)) addChoice(choices, part);
  }
  if (choices.size === 0) return new GatewayError('upstream_protocol', { detail: 'Its stream has no choices.' });
  completion['object'] = 'chat.completion';
  completion['choices'] = [...choices.values()];
  return Buffer.from(JSON.stringify(completion));
}

function* chunksOf(events: Buffer): Generator<JsonObject> {
  const ends = new EventEnds();
  ends.begin(events);
  for (let start = 0; start < events.length; ) {
    const end = ends.after(start);
    const { data } = readEvent(events, start, end);
    start = end;
    const chunk = data === undefined || data === '[DONE]' ? undefined : parseExactObject(data);
    if (chunk !== undefined) yield chunk;
  }
}

function addChoice(choices: Map<unknown, Open>, { delta, index = 0, ...others }: JsonObject): void {
  let choice = choices.get(index);
  if (choice === undefined) {
    choice = { index, message: { role: 'assistant', content: null }, finish_reason: null };
    choices.set(index, choice);
  }
  keepLast(choice, others);
  const message = choice['message'];
  if (isObject(delta) && isObject(message)) addDelta(message, delta);
}

function addDelta(message: Open, { tool_calls: calls, role, ...others }: JsonObject): void {
  if (role) message['role'] = role;
  for (const [key, value] of Object.entries(others)) {
    const before = message[key];
    if (typeof value === 'string') message[key] = typeof before === 'string' ? before + value : value;
    else if (isArray(value)) message[key] = Array.isArray(before) ? before.concat(value) : value;
    else if (value !== null || before === undefined) message[key] = value;
  }
  if (!isArray(calls)) return;
  const known = isArray(message['tool_calls']) ? [...message['tool_calls']] : [];
  message['tool_calls'] = known;
  for (const call of calls) if (isObject(call)) addCall(known, call);
}

function addCall(calls: unknown[], { index, function: called, ...others }: JsonObject): void {
  const place = typeof index === 'number' && index < MAX_CALLS ? index : calls.length;
  const known = isObject(calls[place]) ? calls[place] : undefined;
  const before = isObject(known?.['function']) ? known['function'] : { name: '', arguments: '' };
  const more = isObject(called) ? called : {};
  const joined = { ...before, ...defined(more), arguments: `${before['arguments'] ?? ''}${more['arguments'] ?? ''}` };
  calls[place] = { ...known, ...defined(others), function: joined };
}

function keepLast(into: Open, values: JsonObject): void {
  for (const [key, value] of Object.entries(values)) if (value !== null || !(key in into)) into[key] = value;
}

/** Further pieces of a call say null, or '', of what its first one said. */
function defined(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== ''));
}
