import type { ExpectedStream, UsageListener } from '../answer-form.ts';
import { EventReader } from '../event-reader.ts';
import { ChoiceEvents, type ChoiceKind } from '../openai-json/choice-events.ts';

const COMPLETIONS: ChoiceKind = {
  // Prompts times `n`.
  maxChoices: 2_048,
  hasContent: ({ text }) => typeof text === 'string' && text !== '',
};

/** `text_completion` events, of which each is parsed: https://platform.openai.com/docs/api-reference/completions/object */
export function completionReader(expected: ExpectedStream, told: UsageListener): EventReader {
  return new EventReader(new ChoiceEvents(expected, told, COMPLETIONS));
}
