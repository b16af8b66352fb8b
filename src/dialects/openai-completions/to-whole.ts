import { EventEnds } from '../../codec/event-cutter.ts';
import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

type Open = Record<string, unknown>;

/** A whole stream as one completion: texts are joined; of everything else the last that is not null stands. */
export function toWhole(events: Buffer): OrError<Buffer> {
  const completion: Open = {};
  const choices = new Map<unknown, Open>();
  const ends = new EventEnds();
  ends.begin(events);
  for (let start = 0; start < events.length; ) {
    const end = ends.after(start);
    const { data } = readEvent(events, start, end);
    start = end;
    const chunk = data === undefined || data === '[DONE]' ? undefined : parseExactObject(data);
    if (chunk !== undefined) addChunk(completion, choices, chunk);
  }
  if (choices.size === 0) return new GatewayError('upstream_protocol', { detail: 'Its stream has no choices.' });
  completion['choices'] = [...choices.values()];
  return Buffer.from(JSON.stringify(completion));
}

function addChunk(completion: Open, choices: Map<unknown, Open>, { choices: parts, ...rest }: JsonObject): void {
  keepLast(completion, rest);
  if (!isArray(parts)) return;
  for (const part of parts) {
    if (!isObject(part)) continue;
    const { index = 0, text, ...others } = part;
    let choice = choices.get(index);
    if (choice === undefined) {
      choice = { index, text: '' };
      choices.set(index, choice);
    }
    if (typeof text === 'string') choice['text'] = `${choice['text']}${text}`;
    keepLast(choice, others);
  }
}

function keepLast(into: Open, values: JsonObject): void {
  for (const [key, value] of Object.entries(values)) if (value !== null || !(key in into)) into[key] = value;
}
