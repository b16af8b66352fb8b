/**
 * Neutral usage. Undefined is not zero: it means that nobody said. Names follow OpenTelemetry GenAI.
 * inputTokens holds all input tokens, those read from and written to a cache included;
 * outputTokens holds all output tokens, reasoning included.
 */
export interface Usage {
  inputTokens?: number;
  outputTokens?: number;
  cacheReadInputTokens?: number;
  cacheCreationInputTokens?: number;
  /** The part of cacheCreationInputTokens that was written for one hour (Anthropic prices it apart). */
  cacheCreation1hInputTokens?: number;
  reasoningOutputTokens?: number;
  audioInputTokens?: number;
  audioOutputTokens?: number;
  /** What the provider itself says it billed, in US dollars (OpenRouter, Perplexity). */
  providerCostUsd?: number;
}

/**
 * Of one exchange: more than any context holds. Ledger and budgets add whole nano-dollars up, which are exact to 2^53: a
 * provider that says thousands of millions each time would have them there after a few hundred answers.
 */
const MOST_TOKENS = 2 ** 24;

/**
 * Later counts win, counter by counter; undefined leaves as is. Providers send partial counts in order. What is no count
 * (negative, endless) is as if it was not said, and a fraction is rounded: one such answer must not spoil the ledger.
 */
export function mergeUsage(into: Usage, later: Usage): void {
  if (isCount(later.inputTokens)) into.inputTokens = Math.round(later.inputTokens);
  if (isCount(later.outputTokens)) into.outputTokens = Math.round(later.outputTokens);
  if (isCount(later.cacheReadInputTokens)) into.cacheReadInputTokens = Math.round(later.cacheReadInputTokens);
  if (isCount(later.cacheCreationInputTokens))
    into.cacheCreationInputTokens = Math.round(later.cacheCreationInputTokens);
  if (isCount(later.cacheCreation1hInputTokens))
    into.cacheCreation1hInputTokens = Math.round(later.cacheCreation1hInputTokens);
  if (isCount(later.reasoningOutputTokens)) into.reasoningOutputTokens = Math.round(later.reasoningOutputTokens);
  if (isCount(later.audioInputTokens)) into.audioInputTokens = Math.round(later.audioInputTokens);
  if (isCount(later.audioOutputTokens)) into.audioOutputTokens = Math.round(later.audioOutputTokens);
  if (later.providerCostUsd !== undefined) into.providerCostUsd = later.providerCostUsd;
}

function isCount(tokens: number | undefined): tokens is number {
  return tokens !== undefined && tokens >= 0 && tokens <= MOST_TOKENS;
}
