import { FamiliarBeginning } from '../../codec/familiar-event.ts';
import { isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { UsageListener } from '../answer-form.ts';
import { type EventForm, type EventPlace, EventReader } from '../event-reader.ts';

/** A larger event is a result of the provider's own tools, or the arguments of a call: content, which is not read. */
const MAX_PARSED_BYTES = 262_144;
/** Nearly every event is one; behind the first content they need not be parsed. */
const DELTA = 'content_block_delta';

/** Events of a message: https://platform.claude.com/docs/en/build-with-claude/streaming#event-types */
export function messagesReader(told: UsageListener): EventReader {
  return new EventReader(new MessageEvents(told));
}

class MessageEvents implements EventForm {
  finished = false;
  readonly endsWithDone = false;
  readonly #told: UsageListener;
  /** All of usage told so far, by Anthropic's keys: the last event may give counts without their cache parts. */
  #usage: JsonObject = {};

  constructor(told: UsageListener) {
    this.#told = told;
  }

  skim({ start, end }: EventPlace, reader: EventReader): boolean {
    if (end - start <= MAX_PARSED_BYTES) return false;
    reader.brings();
    return true;
  }

  take(event: JsonObject, name: string | undefined, place: EventPlace, reader: EventReader): void {
    switch (name ?? event['type']) {
      case 'content_block_start':
        if (bringsContent(event['content_block'])) reader.brings();
        return;
      case DELTA:
        if (!bringsContent(event['delta'])) return;
        reader.brings();
        reader.learn(FamiliarBeginning.of(DELTA, place.bytes, place.start, place.end));
        return;
      case 'message_start':
        this.#merge(objectOf(event['message'])?.['usage'], event);
        return;
      case 'message_delta':
        this.finished ||= typeof objectOf(event['delta'])?.['stop_reason'] === 'string';
        this.#merge(event['usage'], event);
        return;
      case 'message_stop':
        reader.end(place);
        return;
      case 'error':
        reader.fail(event['error'] ?? event, place);
        return;
      default: // ping, and whatever comes one day; but those in between have errors of their own making.
        if (event['error']) reader.fail(event['error'], place);
    }
  }

  #merge(usage: unknown, event: JsonObject): void {
    if (!isObject(usage)) return;
    const said = Object.entries(usage).filter(([, count]) => count !== null);
    this.#usage = { ...this.#usage, ...Object.fromEntries(said) };
    this.#told(this.#usage, event);
  }
}

/** A block or a delta with text, thinking, a call or its input. A signature or a citation belongs to what came. */
function bringsContent(part: unknown): boolean {
  if (!isObject(part)) return false;
  if (typeof part['name'] === 'string') return true;
  if (part['type'] === 'redacted_thinking' || isArray(part['content'])) return true;
  return Boolean(part['text'] || part['thinking'] || part['partial_json']);
}
