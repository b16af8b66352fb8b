import type { InferenceRequest, Message } from '../../inference/request.ts';
import { plainSignature } from '../../inference/signature.ts';
import { forcesTools } from './forced-tools.ts';
import type { ModelFamily } from './model-family.ts';

/** What the body says about thinking. */
export interface ThinkingFields {
  thinking?: { type: string; budget_tokens?: number; display?: 'summarized' };
  effort?: string;
}

/** The least Anthropic takes; and it must stay below max_tokens, which holds thinking and answer. */
const MIN_BUDGET_TOKENS = 1024;
/** The largest share of max_tokens for thoughts, when only an effort was asked for: the rest is left to answer with. */
const LARGEST_SHARE = 0.8;
const BUDGET_OF_EFFORT: ReadonlyMap<string, number> = new Map([
  ['minimal', 1024],
  ['low', 2048],
  ['medium', 8192],
  ['high', 16_384],
  ['xhigh', 32_000],
  ['max', 32_000],
]);
const DEFAULT_BUDGET_TOKENS = 8192;

/**
 * The client's wish for reasoning in the terms of this model family. It is a wish: where the model, its max_tokens or
 * the conversation rule it out, it is left out rather than refused, since the answer is the same kind of answer.
 */
export function toThinking(request: InferenceRequest, family: ModelFamily, maxTokens: number): ThinkingFields {
  const { reasoning } = request;
  if (reasoning === undefined || family.thinking === 'none') return {};
  if (reasoning.enabled === false || reasoning.effort === 'none') return switchedOff(family);
  if (reasoning.effort === undefined && reasoning.budgetTokens === undefined && !reasoning.enabled) return {};
  return family.thinking === 'adaptive' ? adaptive(reasoning, family) : budgeted(request, reasoning, maxTokens);
}

type Reasoning = NonNullable<InferenceRequest['reasoning']>;

function switchedOff(family: ModelFamily): ThinkingFields {
  if (family.thinkingOff === 'omit') return {};
  if (family.thinkingOff === 'lowest-effort') return { effort: 'low' };
  return { thinking: { type: family.thinkingOff } };
}

function adaptive(reasoning: Reasoning, family: ModelFamily): ThinkingFields {
  const display = family.hidesThinking ? 'summarized' : undefined;
  return { thinking: { type: 'adaptive', display }, effort: adaptiveEffort(reasoning, family) };
}

function adaptiveEffort({ effort, budgetTokens }: Reasoning, family: ModelFamily): string | undefined {
  if (effort === 'minimal') return 'low';
  if (effort === 'xhigh' && !family.hasExtraHighEffort) return 'max';
  if (effort !== undefined || budgetTokens === undefined) return effort;
  // These models take no budget any more: the effort whose budget would have been nearest.
  if (budgetTokens < 4096) return 'low';
  return budgetTokens < 12_288 ? 'medium' : 'high';
}

function budgeted(request: InferenceRequest, reasoning: Reasoning, maxTokens: number): ThinkingFields {
  if (forcesTools(request) || maxTokens <= MIN_BUDGET_TOKENS || lacksThinking(request.messages)) return {};
  const wanted = reasoning.budgetTokens ?? effortBudget(reasoning.effort, maxTokens);
  const budget = Math.max(MIN_BUDGET_TOKENS, Math.min(wanted, maxTokens - 1));
  return { thinking: { type: 'enabled', budget_tokens: budget } };
}

function effortBudget(effort: string | undefined, maxTokens: number): number {
  const budget = BUDGET_OF_EFFORT.get(effort ?? '') ?? DEFAULT_BUDGET_TOKENS;
  return Math.min(budget, Math.floor(maxTokens * LARGEST_SHARE));
}

/**
 * In the middle of a tool loop Anthropic demands that the assistant's last turn begin with its thinking. Clients that
 * do not send it back (most that know only OpenAI) would get 400 at the second step of every loop.
 */
function lacksThinking(messages: readonly Message[]): boolean {
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const { role, parts } = messages[index]!;
    if (role === 'user') return false;
    if (role !== 'assistant') continue;
    const proven = parts.some(
      (part) => part.type === 'redacted-reasoning' || (part.type === 'reasoning' && plainSignature(part.signature)),
    );
    return !proven && parts.some((part) => part.type === 'tool-call');
  }
  return false;
}
