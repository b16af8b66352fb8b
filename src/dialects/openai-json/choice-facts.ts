import { isArray, isObject, type JsonObject, objectOf, parseObject } from '../../codec/json-value.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { topLevelValues, valuesOfBeginning, valuesOfEnd } from '../../codec/top-level-values.ts';
import type { AnswerFacts } from '../answer-form.ts';

const keys = new PeekKeys(['usage', 'error', 'service_tier']);
/** Ends the key of an error, and the finish reason; a text that holds the word has its quotes escaped. */
const ERROR = Buffer.from('rror"');
const CHOICES = Buffer.from('"choices"');
/** Hardly an answer is smaller, and to read one costs little. */
const SMALL_BYTES = 256;
/** What hosts of this form call the words of a failure that they send without `error`. */
const FAILURE_WORDS = ['message', 'detail', 'errors', 'error_message', 'error_msg', 'msg'];
const NO_CHOICES = { message: 'Its answer has no choices.' };
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
  if (answer.length < SMALL_BYTES || answer.indexOf(ERROR) >= 0 || answer.indexOf(CHOICES) < 0) {
    const all = answerIn(answer.toString('utf8'));
    const error = all && (failureIn(all, undefined) ?? noChoices(all));
    if (error !== undefined) return { usage: all?.['usage'], answer: all ?? {}, error };
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

/** An answer or a chunk; some hosts put a failure into a list. Undefined: it is neither. */
export function answerIn(text: string): JsonObject | undefined {
  const answer = parseObject(text);
  if (answer !== undefined || !text.trimStart().startsWith('[')) return answer;
  // As the member of an object, since a list is none.
  const list = parseObject(`{"list":${text}}`)?.['list'];
  return isArray(list) ? objectOf(list[0]) : undefined;
}

/**
 * What an answer or a chunk says of a failure: an error at its top (also of an event that is called so, and of older
 * vLLM: the object itself), or at a choice (OpenRouter), or the finish reason `error`; and where choices should stand but
 * do not, whatever else it says.
 */
export function failureIn(answer: JsonObject, event: string | undefined): unknown {
  const { error, choices } = answer;
  // An error that is a string has its code beside it.
  if (error) return typeof error === 'string' ? answer : error;
  if (event === 'error' || answer['object'] === 'error' || answer['type'] === 'error') return answer;
  if (!isArray(choices)) return FAILURE_WORDS.some((name) => saysAnything(answer[name])) ? answer : undefined;
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    if (choice['error']) return choice['error'];
    if (choice['finish_reason'] === 'error') return { message: 'It finished with the reason "error".' };
  }
  return undefined;
}

function saysAnything(value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : isArray(value) || isObject(value);
}

function noChoices({ choices }: JsonObject): unknown {
  return isArray(choices) ? undefined : NO_CHOICES;
}

/** Some say '' on each chunk until the last. */
export function isFinished(choice: JsonObject): boolean {
  const reason = choice['finish_reason'];
  return typeof reason === 'string' && reason !== '';
}

function factsOf(values: JsonObject): AnswerFacts {
  return { usage: values['usage'], answer: values, error: failureIn(values, undefined) };
}
