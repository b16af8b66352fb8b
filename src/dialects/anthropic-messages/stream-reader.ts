import { EventEnds } from '../../codec/event-cutter.ts';
import { isArray, isObject, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import {
  type EventEdit,
  MAX_UNREADABLE_EVENTS,
  NOT_JSON,
  type StreamReader,
  type UsageListener,
} from '../answer-form.ts';

/** How nearly every event begins; behind the first content it need not be parsed. */
const DELTA = Buffer.from('event: content_block_delta\n');
/** A larger event is a result of the provider's own tools, or the arguments of a call: content, which is not read. */
const MAX_PARSED_BYTES = 262_144;
const NO_EDITS: readonly EventEdit[] = [];

/** Events of a message: https://platform.claude.com/docs/en/build-with-claude/streaming#event-types */
export class MessagesStreamReader implements StreamReader {
  content = 0;
  passed = 0;
  readonly edits = NO_EDITS;
  error: unknown;
  ended = false;
  finished = false;
  readonly #told: UsageListener;
  readonly #ends = new EventEnds();
  #hadContent = false;
  #unreadable = 0;
  /** All of usage told so far, by Anthropic's keys: the last event may give counts without their cache parts. */
  #usage: JsonObject = {};

  constructor(told: UsageListener) {
    this.#told = told;
  }

  read(events: Buffer): void {
    this.content = 0;
    this.passed = events.length;
    this.#ends.begin(events);
    for (let start = 0; start < this.passed; ) {
      const end = this.#ends.after(start);
      if (end - start > MAX_PARSED_BYTES || (this.#hadContent && beginsWith(events, start, DELTA))) this.content += 1;
      else this.#event(events, start, end);
      start = end;
    }
    this.#hadContent ||= this.content > 0;
  }

  #event(events: Buffer, start: number, end: number): void {
    const { name, data } = readEvent(events, start, end);
    if (data === undefined || data === '') return;
    const event = parseObject(data);
    if (event === undefined) {
      this.#unreadable += 1;
      if (name === 'error') this.#fail({ message: data }, start);
      else if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.#fail(NOT_JSON, start);
      return;
    }
    switch (name ?? event['type']) {
      case 'content_block_start':
        if (bringsContent(event['content_block'])) this.content += 1;
        return;
      case 'content_block_delta':
        if (bringsContent(event['delta'])) this.content += 1;
        return;
      case 'message_start':
        this.#merge(objectOf(event['message'])?.['usage'], event);
        return;
      case 'message_delta':
        this.finished ||= typeof objectOf(event['delta'])?.['stop_reason'] === 'string';
        this.#merge(event['usage'], event);
        return;
      case 'message_stop':
        this.ended = true;
        this.passed = end;
        return;
      case 'error':
        this.#fail(event['error'] ?? event, start);
        return;
      default: // ping, and whatever comes one day; but those in between have errors of their own making.
        if (event['error']) this.#fail(event['error'], start);
    }
  }

  #merge(usage: unknown, event: JsonObject): void {
    if (!isObject(usage)) return;
    const said = Object.entries(usage).filter(([, count]) => count !== null);
    this.#usage = { ...this.#usage, ...Object.fromEntries(said) };
    this.#told(this.#usage, event);
  }

  #fail(error: unknown, at: number): void {
    this.error = error;
    this.passed = at;
  }
}

/** A block or a delta with text, thinking, a call or its input. A signature or a citation belongs to what came. */
function bringsContent(part: unknown): boolean {
  if (!isObject(part)) return false;
  if (typeof part['name'] === 'string') return true;
  if (part['type'] === 'redacted_thinking' || isArray(part['content'])) return true;
  return Boolean(part['text'] || part['thinking'] || part['partial_json']);
}

function beginsWith(bytes: Buffer, at: number, beginning: Buffer): boolean {
  for (let i = 0; i < beginning.length; i += 1) if (bytes[at + i] !== beginning[i]) return false;
  return true;
}
