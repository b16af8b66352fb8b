import type { InferenceRequest } from '../../inference/request.ts';
import type { ModelFamily } from './model-family.ts';

/** https://ai.google.dev/api/generate-content#ThinkingConfig */
interface ThinkingConfig {
  includeThoughts?: boolean;
  thinkingBudget?: number;
  thinkingLevel?: string;
}

/** As Google's own OpenAI endpoint maps them. https://ai.google.dev/gemini-api/docs/openai#thinking */
const BUDGET_OF_EFFORT: ReadonlyMap<string, number> = new Map([
  ['minimal', 1024],
  ['low', 1024],
  ['medium', 8192],
  ['high', 24_576],
  ['xhigh', 32_768],
  ['max', 32_768],
]);
const LEVEL_OF_EFFORT: ReadonlyMap<string, string> = new Map([
  ['minimal', 'minimal'],
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'high'],
  ['max', 'high'],
]);

/** A wish: where the model cannot think, or cannot stop thinking, the nearest that it can. */
export function thinkingConfig(
  { reasoning }: Pick<InferenceRequest, 'reasoning'>,
  family: ModelFamily,
): ThinkingConfig | undefined {
  if (reasoning === undefined || family.thinking === 'none') return undefined;
  const { effort, budgetTokens, enabled } = reasoning;
  if (enabled === false || effort === 'none' || budgetTokens === 0) return least(family);
  if (effort === undefined && budgetTokens === undefined && !enabled) return undefined;
  if (family.thinking === 'level') return { includeThoughts: true, thinkingLevel: levelOf(reasoning, family) };
  const budget = budgetTokens ?? BUDGET_OF_EFFORT.get(effort ?? '');
  if (budget === undefined) return { includeThoughts: true };
  const { minBudgetTokens, maxBudgetTokens } = family;
  return { includeThoughts: true, thinkingBudget: Math.min(maxBudgetTokens, Math.max(minBudgetTokens, budget)) };
}

function least(family: ModelFamily): ThinkingConfig {
  return family.thinking === 'level'
    ? { thinkingLevel: family.lowestLevel }
    : { thinkingBudget: family.minBudgetTokens };
}

function levelOf(
  { effort, budgetTokens }: NonNullable<InferenceRequest['reasoning']>,
  family: ModelFamily,
): string | undefined {
  const level = effort === undefined ? levelOfBudget(budgetTokens) : LEVEL_OF_EFFORT.get(effort);
  return level === 'minimal' ? family.lowestLevel : level;
}

function levelOfBudget(tokens: number | undefined): string | undefined {
  if (tokens === undefined) return undefined;
  if (tokens < 2048) return 'low';
  return tokens < 12_288 ? 'medium' : 'high';
}
