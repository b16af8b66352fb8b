import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import type { ExpectedStream, UsageListener } from '../answer-form.ts';
import type { EventForm, EventPlace, EventReader } from '../event-reader.ts';
import { answerIn, failureIn, isFinished } from './choice-facts.ts';

/** What chats and completions do not have in common. */
export interface ChoiceKind {
  /** Choices whose finish reasons are remembered. */
  readonly maxChoices: number;
  hasContent(choice: JsonObject): boolean;
  /** An event brought content in these choices. */
  came?(chunk: JsonObject, choices: readonly unknown[], place: EventPlace, reader: EventReader): void;
  /** As of EventForm. */
  recurs?(chunk: JsonObject): boolean;
  skim?(place: EventPlace, reader: EventReader, told: UsageListener): boolean;
}

/** Events with `choices`, of which each has a finish reason at its end. */
export class ChoiceEvents implements EventForm {
  readonly endsWithDone = true;
  readonly parse = answerIn;
  readonly #expected: ExpectedStream;
  readonly #told: UsageListener;
  readonly #kind: ChoiceKind;
  /** Undefined: none is. */
  #finished: Set<number> | undefined;
  #choices: number;

  constructor(expected: ExpectedStream, told: UsageListener, kind: ChoiceKind) {
    this.#expected = expected;
    this.#choices = expected.choices;
    this.#told = told;
    this.#kind = kind;
  }

  get finished(): boolean {
    return this.#finished !== undefined && this.#finished.size >= this.#choices;
  }

  skim(place: EventPlace, reader: EventReader): boolean {
    return this.#kind.skim?.(place, reader, this.#told) ?? false;
  }

  recurs(chunk: JsonObject): boolean {
    return this.#kind.recurs?.(chunk) ?? false;
  }

  take(chunk: JsonObject, name: string | undefined, place: EventPlace, reader: EventReader): void {
    const failure = failureIn(chunk, name);
    if (failure !== undefined) {
      reader.fail(failure, place);
      return;
    }
    const { choices, usage } = chunk;
    this.#told(usage, chunk);
    if (!isArray(choices)) return;
    if (choices.length === 0) {
      const { start, end } = place;
      if (isObject(usage) && this.#expected.usageEvent === 'take-out') reader.edit({ start, end, bytes: undefined });
    } else if (this.#bringContent(choices)) {
      reader.brings();
      this.#kind.came?.(chunk, choices, place, reader);
    }
  }

  #bringContent(choices: readonly unknown[]): boolean {
    let content = false;
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
      this.#choices = Math.max(this.#choices, index + 1);
      if (isFinished(choice)) this.#finish(index);
      content ||= this.#kind.hasContent(choice);
    }
    return content;
  }

  #finish(choice: number): void {
    this.#finished ??= new Set();
    if (this.#finished.size < this.#kind.maxChoices) this.#finished.add(choice);
  }
}
