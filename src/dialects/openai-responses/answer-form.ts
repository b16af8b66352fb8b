import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts, AnswerForm } from '../answer-form.ts';
import { responsesReader } from './stream-reader.ts';
import { toEvents } from './to-events.ts';
import { toWhole } from './to-whole.ts';

const keys = new PeekKeys(['usage', 'error', 'service_tier', 'tool_usage', 'status', 'object']);
const USAGE = Buffer.from('usage"');

/** Responses, whole and streamed: https://platform.openai.com/docs/api-reference/responses/object */
export const answerForm = {
  stream: (_expected, told) => responsesReader(told),
  whole(answer) {
    const values = topLevelValues(answer, keys);
    return values && factsOf(values);
  },
  beginning: (bytes) => factsOf(valuesOfBeginning(bytes, keys)),
  end(bytes) {
    const values = valuesOfEnd(bytes, keys, USAGE);
    return values && factsOf(values);
  },
  toEvents,
  toWhole,
} satisfies AnswerForm;

function factsOf(values: JsonObject): AnswerFacts {
  const { error, status } = values;
  const told = isObject(error) || (typeof error === 'string' && error !== '') ? error : undefined;
  const failure = told ?? (status === 'failed' ? { message: 'It failed.' } : undefined);
  return { usage: values['usage'], answer: values, error: failure };
}
