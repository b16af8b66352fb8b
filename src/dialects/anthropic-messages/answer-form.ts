import type { JsonObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts, AnswerForm } from '../answer-form.ts';
import { MessagesStreamReader } from './stream-reader.ts';
import { toEvents } from './to-events.ts';

const keys = new PeekKeys(['type', 'usage', 'error']);
const USAGE = Buffer.from('usage"');

/** Messages, whole and streamed: https://platform.claude.com/docs/en/build-with-claude/streaming */
export const answerForm: AnswerForm = {
  stream: (_expected, told) => new MessagesStreamReader(told),
  whole(answer) {
    const values = topLevelValues(answer, keys);
    return values && factsOf(values);
  },
  beginning: (bytes) => (bytes.indexOf(USAGE) < 0 ? undefined : factsOf(valuesOfBeginning(bytes, keys))),
  end(bytes) {
    const values = valuesOfEnd(bytes, keys, USAGE);
    return values && factsOf(values);
  },
  toEvents,
};

function factsOf(values: JsonObject): AnswerFacts {
  const error = values['error'] || (values['type'] === 'error' ? values : undefined);
  return { usage: values['usage'], answer: values, error };
}
