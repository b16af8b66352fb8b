import type { ListTerms } from '../../inference/served-as.ts';

const PRICING = 'https://ai.google.dev/gemini-api/docs/pricing';

/** What the tiers of the Gemini API cost next to its standard rates. */
export const listTerms: ListTerms = {
  multipliers: [
    { term: 'serviceTier', values: ['flex', 'batch'], factor: 0.5, source: PRICING },
    {
      term: 'serviceTier',
      values: ['priority'],
      models: /^gemini-(2\.5-flash(-lite)?|3\.[78]-flash)(-\d|-preview|$)/,
      factor: 1.8,
      source: PRICING,
    },
  ],
  // "Input rate is unified across text, image, video and audio" where the list names none for audio.
  audioAsText: true,
};
