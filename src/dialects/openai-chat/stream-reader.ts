import { parseExactObject } from '../../codec/exact-json.ts';
import { FamiliarEvent } from '../../codec/familiar-event.ts';
import { isArray, type JsonObject } from '../../codec/json-value.ts';
import { KnownEvents } from '../../codec/known-events.ts';
import { readEvent } from '../../codec/sse-event.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import type { ExpectedStream, StreamLessons, UsageListener } from '../answer-form.ts';
import { type EventPlace, EventReader } from '../event-reader.ts';
import { ChoiceEvents, type ChoiceKind } from '../openai-json/choice-events.ts';
import { whole } from '../openai-json/choice-facts.ts';
import { CallIndices, setIndices } from './call-indices.ts';
import { contentGaps, hasContent, isFirstText, LOOSE_KEYS, recurs } from './delta-content.ts';

/** An event up to here is parsed, if it must be; of a larger one (an image) only the keys are looked at. */
const MAX_PARSED_BYTES = 262_144;
/** As many as `n` may be. */
const MAX_CHOICES = 128;
const FINISH = Buffer.from('"finish_reason"');

/**
 * `chat.completion.chunk` events: https://platform.openai.com/docs/api-reference/chat-streaming. One that brings
 * nothing but another piece of text is recognised by its bytes; every other one is parsed.
 */
export function chatReader(expected: ExpectedStream, told: UsageListener): EventReader {
  // Where one answer was asked for, there is one place in which its texts stand.
  const lessons = expected.choices === 1 ? expected.lessons : undefined;
  const form = new ChoiceEvents(expected, told, new ChatChoices(lessons));
  if (lessons === undefined) return new EventReader(form);
  lessons.known ??= new KnownEvents(LOOSE_KEYS);
  return new EventReader(form, lessons.familiar, lessons.known);
}

class ChatChoices implements ChoiceKind {
  readonly maxChoices = MAX_CHOICES;
  readonly recurs = recurs;
  readonly #calls = new CallIndices();
  readonly #lessons: StreamLessons | undefined;

  constructor(lessons: StreamLessons | undefined) {
    this.#lessons = lessons;
  }

  hasContent({ delta }: JsonObject): boolean {
    return hasContent(delta);
  }

  came(chunk: JsonObject, choices: readonly unknown[], { bytes, start, end }: EventPlace, reader: EventReader): void {
    const indices = this.#calls.of(choices);
    if (indices !== undefined) {
      reader.edit({ start, end, bytes: withIndices(bytes.subarray(start, end), indices) });
      // Further pieces of this call may look as those of an earlier one.
      reader.forget();
    } else if (!this.#calls.repaired && reader.learns) {
      const gaps = contentGaps(chunk, bytes.subarray(start, end));
      if (gaps === undefined) return;
      const familiar = FamiliarEvent.of(bytes, start, end, gaps);
      reader.learn(familiar);
      // To which call arguments belong, and how many answers there are, is a matter of each stream.
      if (this.#lessons !== undefined && isFirstText(choices[0])) this.#lessons.familiar = familiar;
    }
  }

  skim({ bytes, start, end }: EventPlace, reader: EventReader, told: UsageListener): boolean {
    if (end - start <= MAX_PARSED_BYTES) return false;
    const event = bytes.subarray(start, end);
    const at = event.indexOf('{');
    const facts = at < 0 ? undefined : whole(event.subarray(at));
    if (facts === undefined || facts.error !== undefined || mayFinish(event)) return false;
    reader.brings();
    told(facts.usage, facts.answer);
    return true;
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
function withIndices(event: Buffer, indices: readonly number[]): Buffer {
  const chunk = parseExactObject(readEvent(event, 0, event.length).data ?? '');
  if (isArray(chunk?.['choices'])) setIndices(chunk['choices'], indices);
  return dataEvent(JSON.stringify(chunk));
}
