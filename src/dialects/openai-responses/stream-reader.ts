import { scalarText } from '../../codec/exact-json.ts';
import { FamiliarBeginning, FamiliarEvent, gapsOf } from '../../codec/familiar-event.ts';
import { isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelRange, topLevelValues } from '../../codec/top-level-values.ts';
import type { UsageListener } from '../answer-form.ts';
import { type EventForm, type EventPlace, EventReader } from '../event-reader.ts';

/** Events beyond this size (a whole response, an image) have only their small values looked at. */
const LARGE_BYTES = 16_384;
const OPEN_BRACE = 0x7b;
const eventKeys = new PeekKeys(['type', 'error', 'message', 'code']);
const RESPONSE = 'response';
const responseKeys = new PeekKeys(['usage', 'error', 'service_tier', 'tool_usage', 'status']);

/** Behind these the answer is whole. */
const ENDS: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete']);
/** Items that are nothing yet when they are added. */
const EMPTY_ITEMS: ReadonlySet<unknown> = new Set(['message', 'reasoning']);
/** A tool that the provider runs goes on: `response.web_search_call.searching`. */
const RUNNING_TOOL = /^response\.\w+_call\.\w+$/;

/**
 * Events of a response: https://platform.openai.com/docs/api-reference/responses-streaming. One that brings nothing but
 * another piece of text is recognised by its bytes.
 */
export function responsesReader(told: UsageListener): EventReader {
  return new EventReader(new ResponseEvents(told));
}

class ResponseEvents implements EventForm {
  /** Only its own end says that a response is whole. */
  readonly finished = false;
  readonly endsWithDone = true;
  readonly #told: UsageListener;

  constructor(told: UsageListener) {
    this.#told = told;
  }

  skim(place: EventPlace, reader: EventReader): boolean {
    const { bytes, start, end } = place;
    if (isDull(bytes, start, end)) return true;
    return end - start > LARGE_BYTES && this.#skimLarge(bytes.subarray(start, end), place, reader);
  }

  take(event: JsonObject, name: string | undefined, place: EventPlace, reader: EventReader): void {
    const type = event['type'] ?? name;
    this.#judge(type, event, objectOf(event[RESPONSE]), place, reader);
    if (isText(event)) {
      reader.brings();
      learn(event, place, reader);
    } else if (bringsContent(type, event)) reader.brings();
  }

  #judge(
    type: unknown,
    event: JsonObject,
    response: JsonObject | undefined,
    place: EventPlace,
    reader: EventReader,
  ): void {
    const { error } = event;
    if (isObject(error) || (typeof error === 'string' && error !== '')) reader.fail(error, place);
    else if (type === 'error') reader.fail(event, place);
    else if (type === 'response.failed') reader.fail(response?.['error'] ?? { message: 'It failed.' }, place);
    else if (ENDS.has(type)) {
      if (response) this.#told(response['usage'], response);
      reader.end(place);
    }
  }

  /** False: it must be parsed. */
  #skimLarge(event: Buffer, place: EventPlace, reader: EventReader): boolean {
    const at = event.indexOf(OPEN_BRACE);
    const json = at < 0 ? undefined : event.subarray(at);
    const values = json && topLevelValues(json, eventKeys);
    if (json === undefined || values === undefined) return false;
    const range = topLevelRange(json, RESPONSE);
    const response = range && topLevelValues(json.subarray(range.start, range.end), responseKeys);
    this.#judge(values['type'], values, response, place, reader);
    if (response === undefined) reader.brings();
    return true;
  }
}

/** By its first bytes where they name the event, else by all that is around what differs. */
function learn(event: JsonObject, { bytes, start, end }: EventPlace, reader: EventReader): void {
  if (!reader.learns) return;
  const beginning = FamiliarBeginning.of(scalarText(event['type']) ?? '', bytes, start, end);
  if (beginning !== undefined) {
    reader.learn(beginning);
    return;
  }
  const { delta, obfuscation, sequence_number: number } = event;
  const gaps = gapsOf(bytes.subarray(start, end), [
    ['text', 'delta', delta],
    ...(typeof obfuscation === 'string' ? [['padding', 'obfuscation', obfuscation] as const] : []),
    ...(number === undefined ? [] : [['number', 'sequence_number', number] as const]),
  ]);
  if (gaps !== undefined) reader.learn(FamiliarEvent.of(bytes, start, end, gaps));
}

const EVENT = Buffer.from('event: response.');
const LF = 0x0a;
/** A longer name is none that is known. */
const MAX_NAME_BYTES = 64;
/** Other events tell the same as these, which begin or end something. */
const DULL = /^(created|queued|in_progress|\w+_part\.added|\w+\.done|output_text\.annotation\.added)$/;
/** The few names that there are, read before. */
const dullNames = new Map<string, boolean>();

/** Whether the name of an event says that it brings nothing to be read: half of what other events cost is their JSON. */
function isDull(events: Buffer, start: number, end: number): boolean {
  const from = start + EVENT.length;
  if (from >= end || events.compare(EVENT, 0, EVENT.length, start, from) !== 0) return false;
  const lineEnd = events.indexOf(LF, from);
  if (lineEnd < 0 || lineEnd - from > MAX_NAME_BYTES) return false;
  const name = events.toString('latin1', from, lineEnd);
  let dull = dullNames.get(name);
  if (dull === undefined) {
    dull = DULL.test(name);
    if (dullNames.size < 256) dullNames.set(name, dull);
  }
  return dull;
}

/** `response.output_text.delta` and its like, of reasoning, refusals, arguments and code. */
function isText({ type, delta }: JsonObject): boolean {
  return typeof delta === 'string' && delta !== '' && typeof type === 'string' && type.endsWith('.delta');
}

function bringsContent(type: unknown, event: JsonObject): boolean {
  if (type === 'response.output_item.added') return !EMPTY_ITEMS.has(objectOf(event['item'])?.['type']);
  return typeof type === 'string' && RUNNING_TOOL.test(type);
}
