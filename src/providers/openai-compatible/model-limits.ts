import { createHash } from 'node:crypto';
import type { InferenceRequest } from '../../inference/request.ts';

/*
 * What models of this form refuse, of that which clients of other forms send without being asked: an agent made for Claude
 * always names the most that Claude writes, and how hard it shall think.
 */

/** https://platform.openai.com/docs/guides/reasoning: no sampling, no sequences to stop at. */
const OPENAI_REASONING = /(^|\/)(gpt-[5-9](?!\d)(?!.*-chat)|o[134](-|$))/;
const OPENAI = /(^|\/)(gpt-\d|chatgpt-|o[134](-|$))/;
/** Those that are known to take `reasoning_effort`; others answer a word for it with 400. */
const TAKES_EFFORT =
  /(^|[/.:])(gpt-[5-9](?!\d)(?!.*-chat)|o[134](-|$)|gpt-oss|gemini-(2\.5|[3-9])|grok-(3-mini|4\.[3-9])|glm-(5[.p][2-9]|[6-9])|kimi-k[3-9]|magistral|qwen-?3|deepseek)/i;
/** https://developers.openai.com/api/docs/guides/reasoning: under these names OpenAI and Azure serve them. */
const REASONS_IN_RESPONSES = /^gpt-(5\.[4-9]|[6-9](?!\d))(?!.*-(chat|search))/;
/** Words of the effort that only some of OpenAI's know. https://developers.openai.com/api/docs/guides/reasoning */
const TAKES_XHIGH = /gpt-(5\.[2-9]|5\.1-codex-max|[6-9](?!\d))/;
const TAKES_MINIMAL = /gpt-5(?!\.)/;
/** The most that they write; more is a 400. https://platform.openai.com/docs/models */
const MAX_OUTPUT: readonly (readonly [RegExp, number])[] = [
  [/(^|\/)gpt-4o/, 16_384],
  [/(^|\/)gpt-4\.1/, 32_768],
  [/(^|\/)gpt-4-turbo/, 4_096],
  [/(^|\/)gpt-4(-0|$)/, 8_192],
  [/(^|\/)gpt-3\.5/, 4_096],
];
/** A longer `user` is a 400 at OpenAI: a digest of it tells users apart as well. */
const MAX_USER_CHARACTERS = 64;

/** Mistral's models, wherever they are served: "Unexpected role 'user' after role 'tool'". */
const MISTRALS = /mistral|mixtral|ministral|magistral|devstral|codestral|pixtral/i;

/** Whether nothing but an answer, or a further result, may stand behind the results of calls. */
export function wantsAnswerBehindResults(model: string): boolean {
  return MISTRALS.test(model);
}

/** Whether the model refuses functions in a chat unless it is told not to reason: both together are for Responses alone. */
export function refusesFunctionsInChat(model: string): boolean {
  return REASONS_IN_RESPONSES.test(model);
}

export function maxOutputTokens({ model, maxOutputTokens: asked }: InferenceRequest): number | undefined {
  const most = MAX_OUTPUT.find(([models]) => models.test(model))?.[1];
  return asked === undefined || most === undefined ? asked : Math.min(asked, most);
}

/** Hints, so what a model refuses is left out. */
export function sampling({ model, temperature, topP, topK, stop }: InferenceRequest): object {
  if (OPENAI_REASONING.test(model)) return {};
  const sequences = stop?.filter((text) => text !== '');
  return {
    temperature,
    top_p: topP,
    top_k: OPENAI.test(model) ? undefined : topK,
    stop: sequences?.length ? sequences : undefined,
  };
}

/** A wish: of a budget the effort for which Anthropic's older models would be given about as much. */
export function effort({ model, reasoning }: InferenceRequest): string | undefined {
  if (reasoning === undefined || !TAKES_EFFORT.test(model)) return undefined;
  const { effort: word, budgetTokens, enabled } = reasoning;
  if (enabled === false) return undefined;
  if (OPENAI.test(model)) {
    if (word === 'max' || word === 'xhigh') return TAKES_XHIGH.test(model) ? 'xhigh' : 'high';
    if (word === 'minimal' && !TAKES_MINIMAL.test(model)) return 'low';
  }
  if (word !== undefined || budgetTokens === undefined) return word;
  if (budgetTokens < 4_096) return 'low';
  return budgetTokens < 12_288 ? 'medium' : 'high';
}

export function user({ user: name }: InferenceRequest): string | undefined {
  if (name === undefined || name.length <= MAX_USER_CHARACTERS) return name;
  return createHash('sha256').update(name).digest('hex');
}
