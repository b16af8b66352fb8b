import { EventEnds } from '../../codec/event-cutter.ts';
import { isObject, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import { NumberedEvent, type NumberedGap } from '../../codec/numbered-event.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { topLevelRange, topLevelValues } from '../../codec/top-level-values.ts';
import {
  type EventEdit,
  MAX_UNREADABLE_EVENTS,
  NOT_JSON,
  type StreamReader,
  type UsageListener,
} from '../answer-form.ts';

/** Of a larger event (a whole response, an image) only the small values are looked at. */
const LARGE_BYTES = 16_384;
const OPEN_BRACE = 0x7b;
/** Events learned in a row that no other was like: this stream has no familiar ones. */
const MAX_VAIN_LESSONS = 8;
const NO_EDITS: readonly EventEdit[] = [];
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
export class ResponsesStreamReader implements StreamReader {
  content = 0;
  passed = 0;
  readonly edits = NO_EDITS;
  error: unknown;
  ended = false;
  readonly #told: UsageListener;
  readonly #ends = new EventEnds();
  readonly #familiar = new NumberedEvent();
  #vainLessons = 0;
  #unreadable = 0;

  constructor(told: UsageListener) {
    this.#told = told;
  }

  get finished(): boolean {
    return this.ended;
  }

  read(events: Buffer): void {
    this.content = 0;
    this.passed = events.length;
    let isFirst = true;
    for (let at = 0; at < this.passed; ) {
      const end = this.#familiar.match(events, at);
      if (end >= 0) {
        this.content += 1;
        this.#vainLessons = 0;
        at = end;
        continue;
      }
      if (isFirst) this.#ends.begin(events);
      isFirst = false;
      at = this.#unfamiliar(events, at);
    }
  }

  /** Offset behind it. */
  #unfamiliar(events: Buffer, start: number): number {
    const end = this.#ends.after(start);
    if (isDull(events, start, end)) return end;
    if (end - start > LARGE_BYTES && this.#isLarge(events.subarray(start, end), start, end)) return end;
    const { name, data } = readEvent(events, start, end);
    if (data === undefined || data === '') return end;
    if (data === '[DONE]') {
      this.ended = true;
      this.passed = end;
      return end;
    }
    const event = parseObject(data);
    if (event === undefined) {
      if (name === 'error') this.#fail({ message: data }, start);
      else {
        this.#unreadable += 1;
        if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.#fail(NOT_JSON, start);
      }
      return end;
    }
    const type = event['type'] ?? name;
    this.#take(type, event, objectOf(event[RESPONSE]), start, end);
    if (isText(event)) {
      this.content += 1;
      this.#learn(event, events, start, end);
    } else if (bringsContent(type, event)) this.content += 1;
    return end;
  }

  #take(type: unknown, event: JsonObject, response: JsonObject | undefined, start: number, end: number): void {
    const { error } = event;
    if (isObject(error) || (typeof error === 'string' && error !== '')) this.#fail(error, start);
    else if (type === 'error') this.#fail(event, start);
    else if (type === 'response.failed') this.#fail(response?.['error'] ?? { message: 'It failed.' }, start);
    else if (ENDS.has(type)) {
      if (response) this.#told(response['usage'], response);
      this.ended = true;
      this.passed = end;
    }
  }

  /** False: it must be parsed. */
  #isLarge(event: Buffer, start: number, end: number): boolean {
    const at = event.indexOf(OPEN_BRACE);
    const json = at < 0 ? undefined : event.subarray(at);
    const values = json && topLevelValues(json, eventKeys);
    if (json === undefined || values === undefined) return false;
    const type = values['type'];
    const range = topLevelRange(json, RESPONSE);
    const response = range && topLevelValues(json.subarray(range.start, range.end), responseKeys);
    this.#take(type, values, response, start, end);
    if (response === undefined) this.content += 1;
    return true;
  }

  #learn(event: JsonObject, events: Buffer, start: number, end: number): void {
    if (this.#vainLessons === MAX_VAIN_LESSONS) return;
    const gaps = gapsOf(event, events.subarray(start, end));
    if (gaps === undefined) return;
    this.#vainLessons += 1;
    this.#familiar.learn(events, start, end, gaps);
  }

  #fail(error: unknown, at: number): void {
    this.error = error;
    this.passed = at;
  }
}

const EVENT = Buffer.from('event: response.');
const LF = 0x0a;
/** A longer name is none that is known. */
const MAX_NAME_BYTES = 64;
/** What is begun or ended by these is told by others as well. */
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

/** Where text, number and padding stand; undefined where that is not certain. */
function gapsOf(event: JsonObject, bytes: Buffer): NumberedGap[] | undefined {
  const { delta, obfuscation, sequence_number: number } = event;
  const gaps: (NumberedGap | undefined)[] = [gapOf(bytes, 'delta', delta, 'text')];
  if (typeof obfuscation === 'string') gaps.push(gapOf(bytes, 'obfuscation', obfuscation, 'padding'));
  if (number !== undefined) gaps.push(gapOf(bytes, 'sequence_number', number, 'number'));
  const known = gaps.filter((gap) => gap !== undefined);
  return known.length < gaps.length ? undefined : known.sort((one, other) => one.start - other.start);
}

/** Where `"key":value` stands, if it stands there once. */
function gapOf(bytes: Buffer, key: string, value: unknown, kind: NumberedGap['kind']): NumberedGap | undefined {
  const written = JSON.stringify(value);
  if (kind === 'number' && !/^\d+$/.test(written)) return undefined;
  const quote = kind === 'number' ? 0 : 1;
  for (const colon of [':', ': ']) {
    const token = Buffer.from(`"${key}"${colon}${written}`);
    const at = bytes.indexOf(token);
    if (at < 0) continue;
    const end = at + token.length - quote;
    if (bytes.indexOf(token, at + 1) >= 0) return undefined;
    return { kind, start: end + 2 * quote - Buffer.byteLength(written), end };
  }
  return undefined;
}
