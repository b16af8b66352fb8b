import { EventEnds } from '../codec/event-cutter.ts';
import { type Familiar, isSame, viewOf } from '../codec/familiar-event.ts';
import { type JsonObject, parseObject } from '../codec/json-value.ts';
import type { KnownEvents } from '../codec/known-events.ts';
import { readEvent } from '../codec/sse-event.ts';
import { type EventEdit, MAX_UNREADABLE_EVENTS, NOT_JSON, type StreamReader } from './answer-form.ts';

/** Events learned in a row that no other was like: this stream has no familiar ones. */
const MAX_VAIN_LESSONS = 8;
/** One for all streams of a thread: a walk begins and ends within one read. */
const ends = new EventEnds();
/** As nearly all write it. */
const DONE = new DataView(new TextEncoder().encode('data: [DONE]\n\n').buffer);
const NO_EDITS: readonly EventEdit[] = [];

/** Where an event stands in what was read. */
export interface EventPlace {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** What one form makes of its events, for one stream; it tells the reader what it found. */
export interface EventForm {
  /** As of StreamReader. */
  readonly finished: boolean;
  /** Whether `[DONE]` is the end of an answer. */
  readonly endsWithDone: boolean;
  /** An event whose data is a JSON object. `name`: its `event` field. */
  take(event: JsonObject, name: string | undefined, place: EventPlace, reader: EventReader): void;
  /** What can be read of an event without making text of it; false: it must be parsed. Absent: each must. */
  skim?(place: EventPlace, reader: EventReader): boolean;
  /** Whether each stream has such an event, and `take` makes the same of it whatever came before. Absent: none is. */
  recurs?(event: JsonObject): boolean;
  /** Default: data that is no JSON object is none that can be read. */
  parse?(data: string): JsonObject | undefined;
}

/**
 * The reader of all forms: walks over the events of a read, by their bytes alone where they are familiar. It is one class
 * and no base of many, so that what is done for each event stays in the few shapes that the optimizer knows.
 */
export class EventReader implements StreamReader {
  content = 0;
  passed = 0;
  edits: readonly EventEdit[] = NO_EDITS;
  error: unknown;
  ended = false;
  readonly #form: EventForm;
  #familiar: Familiar | undefined;
  readonly #known: KnownEvents | undefined;
  #recalls = false;
  #vainLessons = 0;
  #unreadable = 0;

  /**
   * `familiar`: events of this kind are content and nothing else, before one was read. `known`: what events said that come
   * once in each stream.
   */
  constructor(form: EventForm, familiar?: Familiar, known?: KnownEvents) {
    this.#form = form;
    this.#familiar = familiar;
    this.#known = known;
  }

  get finished(): boolean {
    return this.#form.finished;
  }

  read(events: Buffer): void {
    this.content = 0;
    this.edits = NO_EDITS;
    this.passed = events.length;
    let isFirst = true;
    for (let at = 0; at < this.passed; ) {
      const end = this.#familiar === undefined ? -1 : this.#familiar.match(events, at);
      if (end >= 0) {
        this.content += 1;
        this.#vainLessons = 0;
        at = end;
        continue;
      }
      const behind = this.#known === undefined ? -1 : this.#recall(this.#known, events, at);
      if (behind >= 0) {
        at = behind;
        continue;
      }
      if (isFirst) ends.begin(events);
      isFirst = false;
      at = this.#unfamiliar(events, at);
    }
    if (!isFirst) ends.end();
  }

  // ── what a form tells ─────────────────────────────────────────────────────

  /** The event brings content. */
  brings(): void {
    this.content += 1;
  }

  /** The form's own end is this event. */
  end({ end }: EventPlace): void {
    this.ended = true;
    this.passed = end;
  }

  fail(error: unknown, { start }: EventPlace): void {
    this.error = error;
    this.passed = start;
  }

  edit(edit: EventEdit): void {
    this.edits = [...this.edits, edit];
  }

  /** Whether `learn` would still be heard. */
  get learns(): boolean {
    return this.#vainLessons < MAX_VAIN_LESSONS && !this.#recalls;
  }

  /** Further events of this kind are content and nothing else. */
  learn(familiar: Familiar | undefined): void {
    if (familiar === undefined || !this.learns) return;
    this.#vainLessons += 1;
    this.#familiar = familiar;
  }

  forget(): void {
    this.#familiar = undefined;
  }

  // ── events that must be looked at ─────────────────────────────────────────

  /** Offset behind it; -1: it is not known. */
  #recall(known: KnownEvents, bytes: Buffer, start: number): number {
    const end = known.match(bytes, start);
    if (end < 0) return -1;
    this.#recalls = true;
    this.#form.take(known.event!, undefined, { bytes, start, end }, this);
    this.#recalls = false;
    return end;
  }

  /** Offset behind it. */
  #unfamiliar(bytes: Buffer, start: number): number {
    const form = this.#form;
    if (form.endsWithDone && isDone(bytes, start)) {
      const end = start + DONE.byteLength;
      this.end({ bytes, start, end });
      return end;
    }
    const end = ends.after(start);
    const place = { bytes, start, end };
    if (form.skim?.(place, this)) return end;
    const { name, data } = readEvent(bytes, start, end);
    if (data === undefined || (data === '' && name !== 'error')) return end;
    if (data === '[DONE]') {
      if (form.endsWithDone) this.end(place);
      return end;
    }
    const event = form.parse ? form.parse(data) : parseObject(data);
    if (event !== undefined) {
      form.take(event, name, place, this);
      if (this.#known !== undefined && name === undefined && this.error === undefined && form.recurs?.(event)) {
        this.#known.learn(bytes, start, end, event);
      }
    } else if (name === 'error') this.fail({ message: data }, place);
    else {
      this.#unreadable += 1;
      if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.fail(NOT_JSON, place);
    }
    return end;
  }
}

function isDone(bytes: Buffer, start: number): boolean {
  return (
    start + DONE.byteLength <= bytes.length && isSame(DONE, 0, DONE.byteLength, viewOf(bytes), bytes.byteOffset + start)
  );
}
