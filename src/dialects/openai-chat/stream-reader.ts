import { EventEnds } from '../../codec/event-cutter.ts';
import { parseExactObject } from '../../codec/exact-json.ts';
import { FamiliarEvent } from '../../codec/familiar-event.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import {
  type EventEdit,
  type ExpectedStream,
  MAX_UNREADABLE_EVENTS,
  NOT_JSON,
  type StreamReader,
  type UsageListener,
} from '../answer-form.ts';
import { answerIn, failureIn, isFinished, whole } from '../openai-json/choice-facts.ts';
import { CallIndices, setIndices } from './call-indices.ts';
import { contentGap, hasContent } from './delta-content.ts';

/** An event up to here is parsed, if it must be; of a larger one (an image) only the keys are looked at. */
const MAX_PARSED_BYTES = 262_144;
/** Choices whose finish reasons are remembered: as many as `n` may be. */
const MAX_CHOICES = 128;
/** Events learned in a row that no other was like: this stream has no familiar ones. */
const MAX_VAIN_LESSONS = 8;
const FINISH = Buffer.from('"finish_reason"');
const NO_EDITS: readonly EventEdit[] = [];

/**
 * `chat.completion.chunk` events: https://platform.openai.com/docs/api-reference/chat-streaming. One that brings
 * nothing but another piece of text is recognised by its bytes; every other one is parsed.
 */
export class ChatStreamReader implements StreamReader {
  content = 0;
  passed = 0;
  edits: readonly EventEdit[] = NO_EDITS;
  error: unknown;
  ended = false;
  readonly #expected: ExpectedStream;
  readonly #told: UsageListener;
  readonly #ends = new EventEnds();
  readonly #familiar = new FamiliarEvent();
  readonly #calls = new CallIndices();
  readonly #finished = new Set<number>();
  #choices: number;
  #vainLessons = 0;
  #unreadable = 0;

  constructor(expected: ExpectedStream, told: UsageListener) {
    this.#expected = expected;
    this.#choices = expected.choices;
    this.#told = told;
  }

  get finished(): boolean {
    return this.#finished.size >= this.#choices;
  }

  read(events: Buffer): void {
    this.content = 0;
    this.edits = NO_EDITS;
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
    if (end - start > MAX_PARSED_BYTES && this.#isLarge(events.subarray(start, end))) return end;
    const { name, data } = readEvent(events, start, end);
    if (data === undefined) return end;
    if (data === '[DONE]') {
      this.ended = true;
      this.passed = end;
      return end;
    }
    const chunk = answerIn(data);
    if (chunk === undefined) {
      if (name === 'error') this.#fail({ message: data }, start);
      else if (data !== '') this.#unreadable += 1;
      if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.#fail(NOT_JSON, start);
      return end;
    }
    const failure = failureIn(chunk, name);
    if (failure !== undefined) {
      this.#fail(failure, start);
      return end;
    }
    this.#told(chunk['usage'], chunk);
    const { choices, usage } = chunk;
    if (!isArray(choices)) return end;
    if (choices.length === 0) {
      if (isObject(usage) && this.#expected.usageEvent === 'take-out') this.#edit({ start, end, bytes: undefined });
      return end;
    }
    if (!this.#bringsContent(choices)) return end;
    this.content += 1;
    const indices = this.#calls.of(choices);
    if (indices !== undefined) {
      this.#edit({ start, end, bytes: withIndices(data, indices) });
      // Further pieces of this call may look as those of an earlier one.
      this.#familiar.forget();
    } else if (!this.#calls.repaired) this.#learn(chunk, events, start, end);
    return end;
  }

  #bringsContent(choices: readonly unknown[]): boolean {
    let content = false;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
      this.#choices = Math.max(this.#choices, index + 1);
      if (isFinished(choice) && this.#finished.size < MAX_CHOICES) this.#finished.add(index);
      content ||= hasContent(choice['delta']);
    }
    return content;
  }

  #learn(chunk: JsonObject, events: Buffer, start: number, end: number): void {
    if (this.#vainLessons === MAX_VAIN_LESSONS) return;
    const gap = contentGap(chunk, events, start, end);
    if (gap === undefined) return;
    this.#vainLessons += 1;
    this.#familiar.learn(events, start, end, gap.text, gap.padding);
  }

  /** False: it must be parsed, however large it is. */
  #isLarge(event: Buffer): boolean {
    const at = event.indexOf('{');
    const facts = at < 0 ? undefined : whole(event.subarray(at));
    if (facts === undefined || facts.error !== undefined || mayFinish(event)) return false;
    this.content += 1;
    this.#told(facts.usage, facts.answer);
    return true;
  }

  #fail(error: unknown, at: number): void {
    this.error = error;
    this.passed = at;
  }

  #edit(edit: EventEdit): void {
    this.edits = [...this.edits, edit];
  }
}

/** Whether a finish reason in it is something else than null. */
function mayFinish(event: Buffer): boolean {
  for (let at = event.indexOf(FINISH); at >= 0; at = event.indexOf(FINISH, at + 1)) {
    if (!/^: ?n/.test(event.toString('latin1', at + FINISH.length, at + FINISH.length + 3))) return true;
  }
  return false;
}

/** The chunk with other indices of its calls; numbers keep their digits. */
function withIndices(data: string, indices: readonly number[]): Buffer {
  const chunk = parseExactObject(data);
  if (isArray(chunk?.['choices'])) setIndices(chunk['choices'], indices);
  return dataEvent(JSON.stringify(chunk));
}
