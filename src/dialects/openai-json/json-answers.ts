import { isObject, type JsonObject, parseObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts, AnswerForm } from '../answer-form.ts';

const USAGE = Buffer.from('usage"');
/** An answer up to here is parsed where it has the word `error`. */
const MOST_FAILURE_BYTES = 65_536;
const ERROR = Buffer.from('"error"');

/** Answers that are one JSON object, never a stream; `beside`: its small values that tell of usage, besides `usage`. */
export function jsonAnswers(beside: readonly string[] = []): AnswerForm {
  const keys = new PeekKeys(['usage', 'error', ...beside]);
  const told = beside.map((name) => Buffer.from(`${name}"`));
  return {
    whole(answer) {
      if (answer.length <= MOST_FAILURE_BYTES && answer.indexOf(ERROR) >= 0) {
        const all = parseObject(answer.toString('utf8'));
        if (all !== undefined) return factsOf(all);
      }
      const values = beside.length === 0 ? valuesOfEnd(answer, keys, USAGE) : undefined;
      const told = values ?? topLevelValues(answer, keys);
      return told && factsOf(told);
    },
    beginning: (bytes) => factsOf(valuesOfBeginning(bytes, keys)),
    end(bytes) {
      for (const key of [USAGE, ...told]) {
        const values = valuesOfEnd(bytes, keys, key);
        if (values !== undefined) return factsOf(values);
      }
      return undefined;
    },
  };
}

function factsOf(values: JsonObject): AnswerFacts {
  const { error } = values;
  return { usage: values['usage'], answer: values, error: isFailure(error) ? error : undefined };
}

/** Some write `"error": null` beside a good answer. */
function isFailure(error: unknown): boolean {
  return (typeof error === 'string' && error !== '') || isObject(error);
}
