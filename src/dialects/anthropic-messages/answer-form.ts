import { type JsonObject, parseObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts, AnswerForm } from '../answer-form.ts';
import { messagesReader } from './stream-reader.ts';
import { toEvents } from './to-events.ts';
import { toWhole } from './to-whole.ts';

const keys = new PeekKeys(['type', 'usage', 'error']);
const USAGE = Buffer.from('usage"');
const CONTENT = Buffer.from('"content"');

/** Messages, whole and streamed: https://platform.claude.com/docs/en/build-with-claude/streaming */
export const answerForm = {
  stream: (_expected, told) => messagesReader(told),
  whole(answer) {
    const values = topLevelValues(answer, keys);
    return values && (values['type'] === 'message' ? factsOf(values) : otherFacts(answer, values));
  },
  beginning: (bytes) => (bytes.indexOf(USAGE) < 0 ? undefined : factsOf(valuesOfBeginning(bytes, keys))),
  end(bytes) {
    const values = valuesOfEnd(bytes, keys, USAGE);
    return values && factsOf(values);
  },
  toEvents,
  toWhole,
} satisfies AnswerForm;

/** What does not call itself a message is one only with its content; else it is what some host says of a failure. */
function otherFacts(answer: Buffer, values: JsonObject): AnswerFacts {
  const facts = factsOf(values);
  if (facts.error !== undefined || answer.indexOf(CONTENT) >= 0) return facts;
  return { ...facts, error: parseObject(answer.toString('utf8')) ?? values };
}

function factsOf(values: JsonObject): AnswerFacts {
  const error = values['error'] || (values['type'] === 'error' ? values : undefined);
  return { usage: values['usage'], answer: values, error };
}
