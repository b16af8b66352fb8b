import type { Cost } from '../config/cost-schema.ts';
import { codeLoader } from '../core/code-loader.ts';
import { madeOnce } from '../core/made-once.ts';
import { cleanRate, layeredTable, type RateTable, type SteppedRate } from './token-rates.ts';

/** An account brings zod, of which the schema is made, before one of its prices is asked for. */
const schema = madeOnce((): typeof import('../config/cost-schema.ts') =>
  codeLoader(import.meta.url)('../config/cost-schema'),
);

/** USD per 1,000 of something to nano-dollars each. */
const nanoEachFrom1000 = 1e6;

/** What the `cost` block of an integration says. */
export interface AccountCost {
  /** `public`: the list price holds. `unreadable`: nobody knows what it says, and it is never the list price instead. */
  readonly table: RateTable | 'public' | 'unreadable';
  /** By the columns of terms; what an account says of them wins over what its provider publishes. */
  readonly multipliers: Multipliers;
}

export type Multipliers = Partial<NonNullable<Extract<Cost, { metric: 'per_1000_tokens' }>['multipliers']>>;

const NO_MULTIPLIERS: Multipliers = {};

export function accountCost(cost: unknown): AccountCost {
  if (cost === undefined || cost === null) return { table: 'public', multipliers: NO_MULTIPLIERS };
  const parsed = schema().costSchema.safeParse(cost);
  if (!parsed.success) return { table: 'unreadable', multipliers: NO_MULTIPLIERS };
  const multipliers = ('multipliers' in parsed.data ? parsed.data.multipliers : undefined) ?? NO_MULTIPLIERS;
  return { table: tableOf(parsed.data), multipliers };
}

function tableOf(block: Cost): RateTable | 'public' {
  switch (block.metric) {
    case 'public_cost':
      return 'public';
    case 'per_1000_embedding_tokens':
      return layeredTable({ input: flat(block.value) }, 0);
    case 'per_1000_tokens': {
      const { value } = block;
      return layeredTable(
        {
          input: stepped(value.input, value.input_tiers),
          output: stepped(value.output, value.output_tiers),
          cacheRead: stepped(value.cache_read, value.cache_read_tiers),
          cacheWrite: stepped(value.cache_write, value.cache_write_tiers),
          audioInput: flat(value.audio_input),
          audioOutput: flat(value.audio_output),
          imageInput: flat(value.image_input),
          imageOutput: flat(value.image_output),
        },
        0,
        { webSearch: each(value.web_search, 1000) },
      );
    }
    case 'per_1000_searches':
      return layeredTable({}, 0, { searchUnit: each(block.value, 1000) });
    case 'per_million_characters':
      return layeredTable({}, 0, { inputCharacter: each(block.value.input, 1e6) });
    case 'per_minute_of_audio':
      return layeredTable({}, 0, { audioInputMs: each(block.value.input, 60_000) });
    case 'per_image':
      return {
        ...layeredTable({}, 0, { outputImage: each(block.value.output, 1) }),
        images: (block.value.variants ?? []).map(({ size, quality, output }) => ({
          size: size?.toLowerCase(),
          quality: quality?.toLowerCase(),
          nanoUsd: cleanRate(output * 1e9),
        })),
      };
    case 'per_1000_pages':
      return layeredTable({}, 0, {
        page: each(block.value.pages, 1000),
        annotatedPage: each(block.value.annotated_pages, 1000),
      });
  }
}

function each(dollars: number | null | undefined, of: number): number | undefined {
  return dollars === null || dollars === undefined ? undefined : cleanRate((dollars * 1e9) / of);
}

interface Tier {
  from: number;
  cost_per_token: number;
}

function flat(base: number | null | undefined): SteppedRate | undefined {
  return stepped(base, undefined);
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
    base: base * nanoEachFrom1000,
    steps: (tiers ?? []).map((tier) => ({
      fromInputTokens: tier.from,
      rate: tier.cost_per_token * (tier.cost_per_token < base / 30 ? 1e9 : nanoEachFrom1000),
    })),
  };
}
