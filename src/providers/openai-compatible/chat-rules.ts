import { type KeyRule, KeyRules } from '../../codec/key-rules.ts';
import type { ChatRules } from '../provider.ts';
import type { HostRow, RequestQuirks } from './host-row.ts';
import { MODEL_FAMILIES } from './model-families.ts';

/** What a host refuses of these is left out, whatever it says: the answer is the same kind of answer without it. */
export const HARMLESS: ReadonlySet<string> = new Set([
  'frequency_penalty',
  'metadata',
  'prediction',
  'presence_penalty',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'reasoning_effort',
  'safety_identifier',
  'seed',
  'service_tier',
  'store',
  'stream_options',
  'temperature',
  'top_p',
  'user',
  'verbosity',
]);

/**
 * Fields that other hosts do not take are left out where they ask for nothing, in JSON without blanks; else the
 * request is refused, by the field's name.
 */
export const ASKS_FOR_NOTHING: Readonly<Record<string, readonly string[]>> = {
  logit_bias: ['{}'],
  logprobs: ['false'],
  modalities: ['["text"]'],
  n: ['1'],
  parallel_tool_calls: ['true'],
  response_format: ['{"type":"text"}'],
  stop: ['[]'],
  tool_choice: ['"auto"', '"none"'],
  tools: ['[]'],
  top_logprobs: ['0'],
};

/** What OpenAI alone has: hosts that refuse every key they do not know refuse these. All are harmless. */
export const OPENAI_ALONE = [
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
  'verbosity',
] as const;

/** What our translations of other vendors' answers have in messages beside reasoning, and clients send back. */
export const TRANSLATIONS_ALONE = [
  'additional_model_response_fields',
  'citation_metadata',
  'citations',
  'code_execution',
  'container',
  'context_management',
  'continuation_token',
  'finish_message',
  'grounding_metadata',
  'images',
  'inline_data',
  'other_content',
  'prompt_feedback',
  'safety_ratings',
  'server_tools',
  'thinking_blocks',
  'thought_inline_data',
  'trace',
  'url_context_metadata',
] as const;

/** What answers of OpenAI, of other hosts and of our own translations have in messages, and clients send back. */
export const ANSWERS_ALONE = [
  'annotations',
  'audio',
  'function_call',
  'provider_specific_fields',
  'reasoning_details',
  'refusal',
  ...TRANSLATIONS_ALONE,
] as const;

/**
 * OpenAI's own models, wherever they are served: they take no reasoning in messages, nothing of what other vendors'
 * answers have there, and ids of tool calls of at most 40 characters.
 */
export const OPENAI_MODELS: Quirky = {
  families: ['openai-reasoning'],
  refusedInMessages: [...TRANSLATIONS_ALONE],
  reasoningBack: 'never',
  maxToolCallIdCharacters: 40,
};

const REASONING_KEYS = ['reasoning_content', 'reasoning'] as const;

/** By row, then by the families that a model is of: there are a few of each, and models without number. */
const compiled = new WeakMap<Quirky, Map<string, ChatRules | undefined>>();

type Quirky = RequestQuirks & Pick<HostRow, 'families'>;

/** What a host takes otherwise of a model; undefined: nothing, so that its requests cost nothing more. */
export function chatRules(row: Quirky, modelId: string): ChatRules | undefined {
  const families = MODEL_FAMILIES.filter(({ name, models }) => row.families?.includes(name) && models.test(modelId));
  const key = families.map(({ name }) => name).join();
  const known = compiled.get(row) ?? new Map<string, ChatRules | undefined>();
  compiled.set(row, known);
  if (!known.has(key)) known.set(key, compile([row, ...families]));
  return known.get(key);
}

function compile(quirks: readonly RequestQuirks[]): ChatRules | undefined {
  const parameters = rulesOf(parameterRules(quirks));
  const messages = rulesOf(messageRules(quirks));
  const maxToolCallIdCharacters = quirks.find((each) => each.maxToolCallIdCharacters)?.maxToolCallIdCharacters;
  if (parameters === undefined && messages === undefined && maxToolCallIdCharacters === undefined) return undefined;
  const takesReasoning = quirks.some(({ reasoningBack }) => reasoningBack !== undefined);
  return { parameters, messages, takesReasoning, ...(maxToolCallIdCharacters && { maxToolCallIdCharacters }) };
}

function rulesOf(rules: readonly KeyRule[]): KeyRules | undefined {
  return rules.length === 0 ? undefined : new KeyRules(rules);
}

/** One rule a parameter; what comes later in the list, the family of the model, goes before the row. */
function parameterRules(quirks: readonly RequestQuirks[]): KeyRule[] {
  const rules = new Map<string, KeyRule>();
  const put = (key: string, part: Omit<KeyRule, 'key'>) => rules.set(key, { ...rules.get(key), ...part, key });
  for (const { refused = [], renamed = {}, effort } of quirks) {
    for (const key of refused) {
      put(key, HARMLESS.has(key) ? { drop: 'all' } : { drop: ASKS_FOR_NOTHING[key] ?? [], refuse: true });
    }
    for (const [key, rename] of Object.entries(renamed)) put(key, { rename });
    if (effort) put('reasoning_effort', { drop: leftOut(effort), words: wordsOf(effort) });
  }
  return [...rules.values()];
}

function leftOut(words: Readonly<Record<string, string | null>>): string[] {
  return Object.keys(words).flatMap((word) => (words[word] === null ? [JSON.stringify(word)] : []));
}

function wordsOf(words: Readonly<Record<string, string | null>>): Record<string, string> {
  const pairs = Object.entries(words).flatMap(([from, to]) =>
    to === null ? [] : [[JSON.stringify(from), JSON.stringify(to)]],
  );
  return Object.fromEntries(pairs);
}

function messageRules(quirks: readonly RequestQuirks[]): KeyRule[] {
  const refused = new Set(quirks.flatMap(({ refusedInMessages = [] }) => refusedInMessages));
  const rules: KeyRule[] = [...refused].map((key) => ({ key, drop: 'all' }));
  const back = quirks.findLast(({ reasoningBack }) => reasoningBack !== undefined)?.reasoningBack;
  for (const key of REASONING_KEYS) {
    if (back === undefined || key === back) continue;
    rules.push(back === 'never' ? { key, drop: 'all' } : { key, rename: back });
  }
  return rules;
}
