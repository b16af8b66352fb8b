import type { ListTerms } from '../../inference/served-as.ts';

/**
 * Tiers (`flex`, `priority`, `reserved`) and `optimized` latency are priced model by model, and AWS publishes no factor:
 * the cost of an answer that was served so is unknown, unless the manifest says it.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html
 */
export const listTerms: ListTerms = {
  multipliers: [],
  hourWrites: {
    models: /claude/,
    ofInput: 2,
    source: 'https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing',
  },
};
