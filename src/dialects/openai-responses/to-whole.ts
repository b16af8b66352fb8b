import { EventEnds } from '../../codec/event-cutter.ts';
import { parseExactObject, scalarText } from '../../codec/exact-json.ts';
import { isObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

const LAST = /^response\.(completed|incomplete|failed)$/;

/** A whole stream as one answer: its last event holds all of it. */
export function toWhole(events: Buffer): OrError<Buffer> {
  const ends = new EventEnds();
  ends.begin(events);
  for (let start = 0; start < events.length; ) {
    const end = ends.after(start);
    const { data } = readEvent(events, start, end);
    start = end;
    // Only few of them are parsed.
    if (data === undefined || !data.includes('"response"')) continue;
    const event = parseExactObject(data);
    const response = event?.['response'];
    if (isObject(response) && LAST.test(scalarText(event?.['type']) ?? ''))
      return Buffer.from(JSON.stringify(response));
  }
  return new GatewayError('upstream_protocol', { detail: 'Its stream has no last response.' });
}
