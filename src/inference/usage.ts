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

/** Later counts win, counter by counter; undefined leaves as is. Providers send partial counts in order. */
export function mergeUsage(into: Usage, later: Usage): void {
  if (later.inputTokens !== undefined) into.inputTokens = later.inputTokens;
  if (later.outputTokens !== undefined) into.outputTokens = later.outputTokens;
  if (later.cacheReadInputTokens !== undefined) into.cacheReadInputTokens = later.cacheReadInputTokens;
  if (later.cacheCreationInputTokens !== undefined) into.cacheCreationInputTokens = later.cacheCreationInputTokens;
  if (later.cacheCreation1hInputTokens !== undefined)
    into.cacheCreation1hInputTokens = later.cacheCreation1hInputTokens;
  if (later.reasoningOutputTokens !== undefined) into.reasoningOutputTokens = later.reasoningOutputTokens;
  if (later.audioInputTokens !== undefined) into.audioInputTokens = later.audioInputTokens;
  if (later.audioOutputTokens !== undefined) into.audioOutputTokens = later.audioOutputTokens;
  if (later.providerCostUsd !== undefined) into.providerCostUsd = later.providerCostUsd;
}
