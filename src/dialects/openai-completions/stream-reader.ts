import { EventEnds } from '../../codec/event-cutter.ts';
import { isArray, isObject } from '../../codec/json-value.ts';
import { readEvent } from '../../codec/sse-event.ts';
import {
  type EventEdit,
  type ExpectedStream,
  MAX_UNREADABLE_EVENTS,
  NOT_JSON,
  type StreamReader,
  type UsageListener,
} from '../answer-form.ts';
import { answerIn, failureIn, isFinished } from '../openai-json/choice-facts.ts';

/** Choices whose finish reasons are remembered: prompts times `n`. */
const MAX_CHOICES = 2_048;
const NO_EDITS: readonly EventEdit[] = [];

/** `text_completion` events, of which each is parsed: https://platform.openai.com/docs/api-reference/completions/object */
export class CompletionStreamReader implements StreamReader {
  content = 0;
  passed = 0;
  edits: readonly EventEdit[] = NO_EDITS;
  error: unknown;
  ended = false;
  readonly #expected: ExpectedStream;
  readonly #told: UsageListener;
  readonly #ends = new EventEnds();
  readonly #finished = new Set<number>();
  #choices: number;
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
    this.#ends.begin(events);
    for (let at = 0; at < this.passed; ) {
      const end = this.#ends.after(at);
      this.#event(events, at, end);
      at = end;
    }
  }

  #event(events: Buffer, start: number, end: number): void {
    const { name, data } = readEvent(events, start, end);
    if (data === undefined) return;
    if (data === '[DONE]') {
      this.ended = true;
      this.passed = end;
      return;
    }
    const chunk = answerIn(data);
    if (chunk === undefined) {
      if (name === 'error') this.#fail({ message: data }, start);
      else if (data !== '') this.#unreadable += 1;
      if (this.#unreadable > MAX_UNREADABLE_EVENTS) this.#fail(NOT_JSON, start);
      return;
    }
    const failure = failureIn(chunk, name);
    if (failure !== undefined) {
      this.#fail(failure, start);
      return;
    }
    this.#told(chunk['usage'], chunk);
    const { choices, usage } = chunk;
    if (!isArray(choices)) return;
    if (choices.length === 0) {
      if (isObject(usage) && this.#expected.usageEvent === 'take-out')
        this.edits = [...this.edits, { start, end, bytes: undefined }];
      return;
    }
    if (this.#bringsContent(choices)) this.content += 1;
  }

  #bringsContent(choices: readonly unknown[]): boolean {
    let content = false;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
      this.#choices = Math.max(this.#choices, index + 1);
      if (isFinished(choice) && this.#finished.size < MAX_CHOICES) this.#finished.add(index);
      content ||= typeof choice['text'] === 'string' && choice['text'] !== '';
    }
    return content;
  }

  #fail(error: unknown, at: number): void {
    this.error = error;
    this.passed = at;
  }
}
