import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues } from '../../codec/top-level-values.ts';
import type { UsageListener } from '../answer-form.ts';
import { type EventForm, type EventPlace, EventReader } from '../event-reader.ts';

/** A larger event (an image) is not turned into text: its small values are found in its bytes. */
const LARGE_BYTES = 16_384;
const OPEN_BRACE = 0x7b;
const keys = new PeekKeys(['type', 'usage', 'error', 'message', 'code', 'svg_usage', 'duration']);
/** Events that bring nothing of the answer. */
const WITHOUT_CONTENT = /\.(created|queued|in_progress|done)$/;

/**
 * Events of OpenAI that name themselves, each a JSON object with a `type`: images
 * (https://platform.openai.com/docs/api-reference/images-streaming), speech and transcripts
 * (https://platform.openai.com/docs/api-reference/audio). The last one tells usage; `[DONE]` may follow it.
 * `last`: the types of events behind which the answer is whole.
 */
export function typedReader(last: RegExp, told: UsageListener): EventReader {
  return new EventReader(new TypedEvents(last, told));
}

class TypedEvents implements EventForm {
  finished = false;
  readonly endsWithDone = true;
  readonly #told: UsageListener;
  readonly #last: RegExp;

  constructor(last: RegExp, told: UsageListener) {
    this.#last = last;
    this.#told = told;
  }

  skim(place: EventPlace, reader: EventReader): boolean {
    const { bytes, start, end } = place;
    const values = end - start > LARGE_BYTES ? largeValues(bytes.subarray(start, end)) : undefined;
    if (values !== undefined) this.take(values, undefined, place, reader);
    return values !== undefined;
  }

  take(event: JsonObject, name: string | undefined, place: EventPlace, reader: EventReader): void {
    const { type, error, usage } = event;
    if (isObject(error) || (typeof error === 'string' && error !== '')) reader.fail(error, place);
    else if (type === 'error' || name === 'error') reader.fail(event, place);
    else {
      this.#told(usage, event);
      const named = typeof type === 'string' ? type : (name ?? '');
      if (!WITHOUT_CONTENT.test(named)) reader.brings();
      if (this.#last.test(named)) this.finished = true;
    }
  }
}

/** Undefined: it must be read as text. */
function largeValues(event: Buffer): JsonObject | undefined {
  const at = event.indexOf(OPEN_BRACE);
  return at < 0 ? undefined : topLevelValues(event.subarray(at), keys);
}
