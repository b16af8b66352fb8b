import type { InferenceRequest } from '../../inference/request.ts';

/** Models from before thinking; any other is taken for one that thinks. https://docs.cohere.com/docs/models */
const NEVER_THINKS = /^(command(-light|-nightly|-r|-r-plus|-r7b|-a-03|-a-vision|-a-translate)?(-|$)|c4ai-|aya)/;
const THINKS = /reasoning|command-a-plus/;

export function thinks(model: string): boolean {
  return THINKS.test(model) || !NEVER_THINKS.test(model);
}

/** Beyond these efforts a model thinks as long as it wants. */
const BUDGET_OF_EFFORT: ReadonlyMap<string, number> = new Map([
  ['minimal', 1024],
  ['low', 2048],
  ['medium', 8192],
]);

/** A wish: a model that cannot think is not asked to. https://docs.cohere.com/docs/reasoning */
export function thinking({ reasoning, model }: Pick<InferenceRequest, 'reasoning' | 'model'>): object | undefined {
  if (reasoning === undefined || !thinks(model)) return undefined;
  const { effort, budgetTokens, enabled } = reasoning;
  if (enabled === false || effort === 'none' || budgetTokens === 0) return { type: 'disabled' };
  if (effort === undefined && budgetTokens === undefined && !enabled) return undefined;
  return { type: 'enabled', token_budget: budgetTokens ?? BUDGET_OF_EFFORT.get(effort ?? '') };
}
