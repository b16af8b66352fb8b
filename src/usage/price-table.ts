import type { ServedAs } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { PriceSource } from '../providers/provider.ts';
import { NO_PRICE, type UnknownCost } from '../telemetry/exchange-record.ts';
import { accountCost } from './account-cost.ts';
import { basisOf, REPORTED_BASIS } from './price-basis.ts';
import { type CatalogueEntry, catalogueEntry } from './price-catalogue.ts';
import { TermFactors } from './term-factors.ts';
import { atMostNanoUsd, pricedNanoUsd } from './token-cost.ts';
import {
  bandOf,
  multipliedTable,
  type RateTable,
  type SummedRequests,
  scaledTable,
  tableForImage,
  tableForSum,
  withHourWrites,
  withPlainAudio,
} from './token-rates.ts';

/** The price of one target, compiled once per configuration. */
export interface Price {
  /** Which table a cost came from: `account`, the price library or the price list with its version, or `none`. */
  readonly version: string;
  /**
   * Integer nano-dollars (1e-9 USD) for what an exchange used; undefined where no price is known or something that is
   * billed cannot be priced. `atMs` (milliseconds since the Unix epoch, now by default) matters for prices that change by
   * the clock.
   */
  costNanoUsd(usage: Usage, atMs?: number): number | undefined;
  /** The rates as JSON that `costNanoUsd` of the same arguments comes from, or `reported`; undefined where there are none. */
  basis(usage: Usage, atMs: number): string | undefined;
  /** Why `costNanoUsd` of the same arguments is undefined. */
  unknownCost(usage: Usage, atMs?: number): UnknownCost;
  /**
   * The most that a request can cost which asks to be `usage.servedAs` so, and uses so much; undefined where no price is
   * known.
   */
  atMostNanoUsd(usage: Usage, atMs?: number): number | undefined;
  /** From how many input tokens on the rates hold by which a request of so many is priced; nearly always 0. */
  bandFrom(inputTokens: number | undefined, atMs?: number): number;
  /** The price of counts that several requests used together: a sum reaches no step of it. */
  ofSum(summed: SummedRequests): Price;
}

/**
 * Sources of a price, in the order in which they are believed:
 * 1. the account's own `cost`: the contract that was signed; `discount_percent` is off the list price, so not off it;
 * 2. what the provider itself says it billed (`providerCostUsd`), if more than zero: it holds what no token table sees
 *    (the route OpenRouter took, Perplexity's search fees). A reported zero may mean "billed elsewhere" (OpenRouter with
 *    the customer's own key), so it never hides a list price. Skipped where the account says `public_cost`;
 * 3. the catalogue's list price, less `discount_percent`;
 * 4. what the provider says, be it zero where no list price is known.
 *
 * The rates of 1 and 3 are those of an answer that was served as by default: tier, speed and geography multiply them.
 */
export function compilePrice(source: PriceSource): Price {
  const { table, multipliers } = accountCost(source.cost);
  const factors = new TermFactors(multipliers, source.terms, source.modelId);
  if (table === 'unreadable') return new TablePrice('account', () => undefined, factors, 'never');
  if (table !== 'public') return new TablePrice('account', () => table, factors, 'never');
  if (source.terms?.free?.test(source.modelId)) return new TablePrice(FREE, () => FREE_TABLE, factors, 'never');
  const entry = source.catalogueId === undefined ? undefined : catalogueEntry(source.catalogueId, source.modelId);
  const untold = source.terms?.untold?.find(({ models }) => models.test(source.modelId))?.column;
  if (entry === undefined) return new TablePrice('none', () => undefined, factors, 'first');
  const listAt = derived(entry.tableAt, (list) => offList(list, source));
  const reported = source.cost === undefined || source.cost === null ? 'first' : 'last';
  return new TablePrice(entry.version, listAt, factors, reported, untold);
}

/** Billed nothing, by what its provider publishes. */
const FREE = 'free';
const FREE_TABLE: RateTable = { perExchange: 0, bands: [{ fromInputTokens: 0, rates: {} }] };
const NOTHING_SPECIAL: ServedAs = {};
const MAX_IMAGE_TABLES = 64;

/** When what the provider says it billed is believed: before the table, where that gives nothing, or never. */
type Reported = 'first' | 'last' | 'never';

class TablePrice implements Price {
  readonly version: string;
  readonly #tableAt: (atMs: number) => RateTable | undefined;
  readonly #factors: TermFactors;
  readonly #reported: Reported;
  /** Column of what is billed and never told. */
  readonly #untold: string | undefined;
  /** By size and quality; an account's own table never changes. */
  readonly #imageTables = new Map<string, RateTable>();
  /** By base table and factor: as few as there are tiers. */
  readonly #multiplied = new WeakMap<RateTable, Map<number, RateTable>>();

  constructor(
    version: string,
    tableAt: (atMs: number) => RateTable | undefined,
    factors: TermFactors,
    reported: Reported,
    untold?: string,
  ) {
    this.version = version;
    this.#tableAt = tableAt;
    this.#factors = factors;
    this.#reported = reported;
    this.#untold = untold;
  }

  costNanoUsd(usage: Usage, atMs = Date.now()): number | undefined {
    // Nearly always nothing but counts was told.
    if (usage.providerCostUsd !== undefined || usage.servedAs !== undefined || this.#untold !== undefined)
      return this.#specialNanoUsd(usage, atMs);
    const table = this.#baseFor(undefined, atMs);
    if (table === undefined) return undefined;
    const priced = pricedNanoUsd(table, usage);
    return typeof priced === 'number' ? priced : undefined;
  }

  #specialNanoUsd(usage: Usage, atMs: number): number | undefined {
    const reported = this.#reportedNanoUsd(usage);
    if (reported !== undefined && reported > 0 && this.#reported === 'first') return reported;
    const table = this.#tableFor(usage, atMs);
    const priced = typeof table === 'object' ? this.#priced(table, usage) : table;
    if (typeof priced === 'number') return priced;
    return priced === undefined || reported !== 0 ? reported : undefined;
  }

  basis(usage: Usage, atMs: number): string | undefined {
    const reported = this.#reportedNanoUsd(usage);
    if (reported !== undefined && reported > 0 && this.#reported === 'first') return REPORTED_BASIS;
    const table = this.#tableFor(usage, atMs);
    if (typeof table === 'object' && typeof this.#priced(table, usage) === 'number') return basisOf(table);
    return reported === undefined ? undefined : REPORTED_BASIS;
  }

  unknownCost(usage: Usage, atMs = Date.now()): UnknownCost {
    const table = this.#tableFor(usage, atMs);
    const priced = typeof table === 'object' ? this.#priced(table, usage) : table;
    const atMost = this.atMostNanoUsd(usage, atMs);
    return {
      part: typeof priced === 'string' ? priced : NO_PRICE,
      ...(atMost !== undefined && { atMostNanoUsd: atMost }),
    };
  }

  atMostNanoUsd(usage: Usage, atMs = Date.now()): number | undefined {
    const { servedAs } = usage;
    const base = this.#baseFor(servedAs, atMs);
    if (base === undefined) return undefined;
    const table = servedAs === undefined ? base : this.#multipliedBy(this.#factors.dearest(servedAs), base);
    return atMostNanoUsd(table, usage);
  }

  bandFrom(inputTokens: number | undefined, atMs = Date.now()): number {
    const table = this.#tableAt(atMs);
    return table === undefined ? 0 : bandOf(table, inputTokens).fromInputTokens;
  }

  ofSum(summed: SummedRequests): Price {
    const tableAt = derived(this.#tableAt, (table) => tableForSum(table, summed));
    return new TablePrice(this.version, tableAt, this.#factors, this.#reported, this.#untold);
  }

  /** A text: what of the answer cannot be priced. */
  #priced(table: RateTable, usage: Usage): number | string {
    return this.#untold ?? pricedNanoUsd(table, usage);
  }

  /** A text: the term that has no price. */
  #tableFor({ servedAs }: Usage, atMs: number): RateTable | string | undefined {
    const base = this.#baseFor(servedAs, atMs);
    if (base === undefined || servedAs === undefined) return base;
    const factor = this.#factors.factor(servedAs);
    return typeof factor === 'string' ? factor : this.#multipliedBy(factor, base);
  }

  #baseFor(servedAs: ServedAs | undefined, atMs: number): RateTable | undefined {
    const table = this.#tableAt(atMs);
    return table?.images === undefined ? table : this.#ofImages(table, servedAs ?? NOTHING_SPECIAL);
  }

  #ofImages(table: RateTable, servedAs: ServedAs): RateTable {
    const { imageSize = '', imageQuality = '' } = servedAs;
    const key = `${imageSize} ${imageQuality}`;
    let chosen = this.#imageTables.get(key);
    if (chosen === undefined) {
      // Sizes are clients' own words.
      if (this.#imageTables.size >= MAX_IMAGE_TABLES) this.#imageTables.clear();
      chosen = tableForImage(table, servedAs);
      this.#imageTables.set(key, chosen);
    }
    return chosen;
  }

  #multipliedBy(factor: number, base: RateTable): RateTable {
    if (factor === 1) return base;
    let tables = this.#multiplied.get(base);
    if (tables === undefined) {
      tables = new Map();
      this.#multiplied.set(base, tables);
    }
    let table = tables.get(factor);
    if (table === undefined) {
      table = multipliedTable(base, factor);
      tables.set(factor, table);
    }
    return table;
  }

  #reportedNanoUsd({ providerCostUsd }: Usage): number | undefined {
    if (providerCostUsd === undefined || this.#reported === 'never') return undefined;
    const nano = Math.round(providerCostUsd * 1e9);
    return Number.isSafeInteger(nano) && nano >= 0 ? nano : undefined;
  }
}

/** What holds of a list price for this account; the very same table where nothing differs. */
function offList(list: RateTable, { discountPercent, terms, modelId }: PriceSource): RateTable {
  let whole = terms?.audioAsText ? withPlainAudio(list) : list;
  if (terms?.hourWrites?.models.test(modelId)) whole = withHourWrites(whole, terms.hourWrites.ofInput);
  if (discountPercent === undefined || discountPercent === 0) return whole;
  return scaledTable(whole, Math.min(1, Math.max(0, 1 - discountPercent / 100)));
}

/** Made anew only when the clock brings another table. */
function derived(
  tableAt: CatalogueEntry['tableAt'],
  derive: (table: RateTable) => RateTable,
): (atMs: number) => RateTable | undefined {
  let from: RateTable | undefined;
  let made: RateTable | undefined;
  return (atMs) => {
    const current = tableAt(atMs);
    if (current !== from) {
      from = current;
      made = current && derive(current);
    }
    return made;
  };
}
