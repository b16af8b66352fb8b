import type { ListTerms } from '../../inference/served-as.ts';

const FAST_MODE = 'https://platform.claude.com/docs/en/build-with-claude/fast-mode#pricing';

/**
 * What Anthropic's answers cost that were not served as by default, next to its standard rates of tokens, those of the
 * cache included; they multiply each other. The priority tier is capacity bought by contract: its price is unknown.
 */
export const listTerms: ListTerms = {
  multipliers: [
    {
      term: 'serviceTier',
      values: ['batch'],
      factor: 0.5,
      source: 'https://platform.claude.com/docs/en/about-claude/pricing#batch-processing',
    },
    { term: 'speed', values: ['fast'], models: /claude-opus-4-[67](-\d|$)/, factor: 6, source: FAST_MODE },
    { term: 'speed', values: ['fast'], models: /claude-opus-(4-8|5|5-5)(-\d{8}|$)/, factor: 2, source: FAST_MODE },
    {
      term: 'inferenceGeo',
      values: ['us'],
      factor: 1.1,
      source: 'https://platform.claude.com/docs/en/about-claude/pricing#data-residency-pricing',
    },
  ],
};
