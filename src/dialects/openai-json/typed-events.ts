import { EventEnds } from '../../codec/event-cutter.ts';
import { isObject, type JsonObject, parseObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { topLevelValues } from '../../codec/top-level-values.ts';
import {
  type EventEdit,
  MAX_UNREADABLE_EVENTS,
  NOT_JSON,
  type StreamReader,
  type UsageListener,
} from '../answer-form.ts';

/** A larger event (an image) is not turned into text: its small values are found in its bytes. */
const LARGE_BYTES = 16_384;
const OPEN_BRACE = 0x7b;
const NO_EDITS: readonly EventEdit[] = [];
const keys = new PeekKeys(['type', 'usage', 'error', 'message', 'code', 'svg_usage', 'duration']);
/** Events that bring nothing of the answer. */
const WITHOUT_CONTENT = /\.(created|queued|in_progress|done)$/;

/**
 * Events of OpenAI that name themselves, each a JSON object with a `type`: images
 * (https://platform.openai.com/docs/api-reference/images-streaming), speech and transcripts
 * (https://platform.openai.com/docs/api-reference/audio). The last one tells usage; `[DONE]` may follow it.
 */
export class TypedEventReader implements StreamReader {
  content = 0;
  passed = 0;
  readonly edits = NO_EDITS;
  error: unknown;
  ended = false;
  finished = false;
  readonly #told: UsageListener;
  readonly #last: RegExp;
  readonly #ends = new EventEnds();
  #unreadable = 0;

  /** `last`: the types of events behind which the answer is whole. */
  constructor(last: RegExp, told: UsageListener) {
    this.#last = last;
    this.#told = told;
  }

  read(events: Buffer): void {
    this.content = 0;
    this.passed = events.length;
    this.#ends.begin(events);
    for (let at = 0; at < this.passed; ) at = this.#event(events, at);
  }

  /** Offset behind it. */
  #event(events: Buffer, start: number): number {
    const end = this.#ends.after(start);
    const values = end - start > LARGE_BYTES ? largeValues(events.subarray(start, end)) : undefined;
    if (values !== undefined) {
      this.#take(values, undefined, start);
      return end;
    }
    const { name, data } = readEvent(events, start, end);
    if (data === undefined || data === '') return end;
    if (data === '[DONE]') {
      this.ended = true;
      this.passed = end;
      return end;
    }
    const value = parseObject(data);
    if (value !== undefined) this.#take(value, name, start);
    else if (name === 'error') this.#fail({ message: data }, start);
    else {
      this.#unreadable += 1;
      if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.#fail(NOT_JSON, start);
    }
    return end;
  }

  #take(event: JsonObject, name: string | undefined, at: number): void {
    const { type, error, usage } = event;
    if (isObject(error) || (typeof error === 'string' && error !== '')) this.#fail(error, at);
    else if (type === 'error' || name === 'error') this.#fail(event, at);
    else {
      this.#told(usage, event);
      const named = typeof type === 'string' ? type : (name ?? '');
      if (!WITHOUT_CONTENT.test(named)) this.content += 1;
      if (this.#last.test(named)) this.finished = true;
    }
  }

  #fail(error: unknown, at: number): void {
    this.error = error;
    this.passed = at;
  }
}

/** Undefined: it must be read as text. */
function largeValues(event: Buffer): JsonObject | undefined {
  const at = event.indexOf(OPEN_BRACE);
  return at < 0 ? undefined : topLevelValues(event.subarray(at), keys);
}
