import { isArray, isObject, type JsonObject, parseObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts } from '../answer-form.ts';

const keys = new PeekKeys(['usage', 'error', 'service_tier']);
/** Ends the key of an error, and the finish reason; a text that holds the word has its quotes escaped. */
const ERROR = Buffer.from('rror"');
const USAGE = Buffer.from('usage"');
const TIER = Buffer.from('service_tier"');
const TIER_VALUE = /^service_tier"\s*:\s*"([^"\\]{1,64})"/;
/** OpenAI writes the tier right before or behind the usage. */
const TIER_REACH_BYTES = 1_024;
const LONGEST_TIER_BYTES = 128;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A `chat.completion`: https://platform.openai.com/docs/api-reference/chat/object */
export function whole(answer: Buffer): AnswerFacts | undefined {
  if (answer.indexOf(ERROR) >= 0) {
    const all = parseObject(answer.toString('utf8'));
    if (all !== undefined) return { usage: all['usage'], answer: all, error: failureIn(all, undefined) };
  }
  // Nearly always its last keys tell all.
  const usageAt = answer.lastIndexOf(USAGE);
  const last = valuesOfEnd(answer, keys, USAGE, usageAt);
  const values = last ? withTier(last, answer, usageAt) : topLevelValues(answer, keys);
  return values && { usage: values['usage'], answer: values, error: undefined };
}

export function beginning(bytes: Buffer): AnswerFacts | undefined {
  return bytes.indexOf(USAGE) < 0 ? undefined : factsOf(valuesOfBeginning(bytes, keys));
}

export function end(bytes: Buffer): AnswerFacts | undefined {
  const usageAt = bytes.lastIndexOf(USAGE);
  const values = valuesOfEnd(bytes, keys, USAGE, usageAt);
  return values && factsOf(withTier(values, bytes, usageAt));
}

/** The tier that stands in front of the usage, where what is read begins. */
function withTier(values: JsonObject, answer: Buffer, usageAt: number): JsonObject {
  if (values['service_tier'] !== undefined) return values;
  const before = usageAt <= TIER_REACH_BYTES ? answer : answer.subarray(usageAt - TIER_REACH_BYTES, usageAt);
  const at = before.lastIndexOf(TIER, before === answer ? usageAt : before.length);
  // Within a text its quotes are escaped.
  if (at < 1 || before[at - 1] !== QUOTE || before[at - 2] === BACKSLASH) return values;
  const tier = TIER_VALUE.exec(before.toString('latin1', at, at + LONGEST_TIER_BYTES))?.[1];
  return tier === undefined ? values : { ...values, service_tier: tier };
}

/**
 * What an answer or a chunk says of a failure: an error at its top (also of an event that is called so, and of older
 * vLLM: the object itself), or at a choice (OpenRouter), or the finish reason `error`.
 */
export function failureIn(answer: JsonObject, event: string | undefined): unknown {
  const { error, choices } = answer;
  // Of an error that is a string the code stands beside it.
  if (error) return typeof error === 'string' ? answer : error;
  if (event === 'error' || answer['object'] === 'error') return answer;
  if (!isArray(choices)) return undefined;
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    if (choice['error']) return choice['error'];
    if (choice['finish_reason'] === 'error') return { message: 'It finished with the reason "error".' };
  }
  return undefined;
}

/** Some say '' on each chunk until the last. */
export function isFinished(choice: JsonObject): boolean {
  const reason = choice['finish_reason'];
  return typeof reason === 'string' && reason !== '';
}

function factsOf(values: JsonObject): AnswerFacts {
  return { usage: values['usage'], answer: values, error: failureIn(values, undefined) };
}
