import type { ListTerms } from '../../inference/served-as.ts';

const PRICING = 'https://developers.openai.com/api/docs/pricing';
/** Priority processing was renamed fast mode on 30 July 2026; both words are taken and told. */
const FAST_MODE = 'https://openai.com/api-fast-mode/';
const fast = ['priority', 'fast'];

/**
 * What the tiers of OpenAI's answers cost next to its standard rates: input, cached input and output alike, short context
 * and long. Batches and flex are billed alike. `scale` is capacity that was bought before, by contract: unknown.
 */
export const listTerms: ListTerms = {
  multipliers: [
    { term: 'serviceTier', values: ['flex', 'batch'], factor: 0.5, source: PRICING },
    // 12.5 and 75 dollars to 5 and 30.
    { term: 'serviceTier', values: fast, models: /^gpt-5\.5(-\d|$)/, factor: 2.5, source: FAST_MODE },
    // 0.45 and 3.60 to 0.25 and 2.
    { term: 'serviceTier', values: fast, models: /^gpt-5-mini(-\d|$)/, factor: 1.8, source: FAST_MODE },
    {
      term: 'serviceTier',
      values: fast,
      models: /^(gpt-5(\.[12])?(-codex)?|gpt-5\.4(-mini)?|gpt-5\.6-(sol|terra|luna))(-\d|$)/,
      factor: 2,
      source: FAST_MODE,
    },
    // 0.2 and 0.8 to 0.1 and 0.4.
    { term: 'serviceTier', values: fast, models: /^gpt-4\.1-nano(-\d|$)/, factor: 2, source: FAST_MODE },
    // 3.5 and 14 to 2 and 8; 8.75 and 26.25 to 5 and 15.
    {
      term: 'serviceTier',
      values: fast,
      models: /^(gpt-4\.1(-mini)?|o3)(-\d|$)|^gpt-4o-2024-05-13$/,
      factor: 1.75,
      source: FAST_MODE,
    },
    // 0.25 and 1 to 0.15 and 0.6.
    { term: 'serviceTier', values: fast, models: /^gpt-4o-mini(-\d|$)/, factor: 5 / 3, source: FAST_MODE },
    // 4.25 and 17 to 2.5 and 10.
    { term: 'serviceTier', values: fast, models: /^gpt-4o(-\d|$)/, factor: 1.7, source: FAST_MODE },
    // 2 and 8 to 1.1 and 4.4.
    { term: 'serviceTier', values: fast, models: /^o4-mini(-\d|$)/, factor: 20 / 11, source: FAST_MODE },
    // 60 and 300 to 10 and 50.
    { term: 'serviceTier', values: ['ultrafast'], models: /^gpt-6-astra(-\d|$)/, factor: 6, source: PRICING },
  ],
  // https://developers.openai.com/api/docs/guides/moderation
  free: /^(omni|text)-moderation-/,
  // Each request searches the web at a price of its own, and usage does not tell it.
  untold: [{ models: /-search-(preview|api)/, column: 'web_search_requests' }],
};
