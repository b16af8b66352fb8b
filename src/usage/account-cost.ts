import { costSchema } from '../config/cost-schema.ts';
import { layeredTable, type RateTable, type SteppedRate } from './token-rates.ts';

/** USD per 1,000 tokens to nano-dollars per token. */
const nanoPerTokenFrom1000 = 1e6;

/**
 * What the `cost` block of an integration says. `public`: the list price holds. `uncounted`: the
 * account bills by characters, minutes or pages (or by something unknown), which usage does not hold: the cost is
 * unknown then, and never the list price instead.
 */
export function accountTable(cost: unknown): RateTable | 'public' | 'uncounted' {
  if (cost === undefined || cost === null) return 'public';
  const parsed = costSchema.safeParse(cost);
  if (!parsed.success) return 'uncounted';
  const block = parsed.data;
  switch (block.metric) {
    case 'public_cost':
      return 'public';
    case 'per_1000_embedding_tokens':
      return layeredTable({ input: { base: block.value * nanoPerTokenFrom1000, steps: [] } }, 0);
    case 'per_1000_tokens': {
      const { value } = block;
      return layeredTable(
        {
          input: stepped(value.input, value.input_tiers),
          output: stepped(value.output, value.output_tiers),
          cacheRead: stepped(value.cache_read, value.cache_read_tiers),
          cacheWrite: stepped(value.cache_write, value.cache_write_tiers),
        },
        0,
      );
    }
    default:
      return 'uncounted';
  }
}

interface Tier {
  from: number;
  cost_per_token: number;
}

/**
 * The unit of a tier is ambiguous in existing manifests: its key says per token, the description beside it says per
 * 1,000 tokens. Real tiers lie within a few times of their base, and the two units lie a factor 1,000 apart: what is
 * below a thirtieth of the base is read as per token, all else as per 1,000. Mistaking one for the other would bill a
 * thousandfold.
 */
function stepped(base: number | null | undefined, tiers: readonly Tier[] | null | undefined): SteppedRate | undefined {
  if (base === null || base === undefined) return undefined;
  return {
    base: base * nanoPerTokenFrom1000,
    steps: (tiers ?? []).map((tier) => ({
      fromInputTokens: tier.from,
      rate: tier.cost_per_token * (tier.cost_per_token < base / 30 ? 1e9 : nanoPerTokenFrom1000),
    })),
  };
}
