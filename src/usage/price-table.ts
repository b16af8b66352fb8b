import type { Usage } from '../inference/usage.ts';
import type { PriceSource } from '../providers/provider.ts';
import { accountTable } from './account-cost.ts';
import { basisOf, REPORTED_BASIS } from './price-basis.ts';
import { type CatalogueEntry, catalogueEntry, catalogueVersion } from './price-catalogue.ts';
import { type RateTable, scaledTable, tokenCostNanoUsd } from './token-rates.ts';

/** The price of one target, compiled once per configuration. */
export interface Price {
  /** Which table a cost came from: `account`, the price library with its version, or `none`. */
  readonly version: string;
  /**
   * Integer nano-dollars (1e-9 USD) for what an exchange used; undefined where no price is known or a billed count is
   * missing. `atMs` (milliseconds since the Unix epoch, now by default) matters for prices that change by the clock.
   */
  costNanoUsd(usage: Usage, atMs?: number): number | undefined;
  /** The rates as JSON that `costNanoUsd` of the same arguments comes from, or `reported`; undefined where there are none. */
  basis(usage: Usage, atMs: number): string | undefined;
}

/**
 * Who is believed, in this order:
 * 1. the account's own `cost`: the contract that was signed; `discount_percent` is off the list price, so not off it;
 * 2. what the provider itself says it billed (`providerCostUsd`), if more than zero: it holds what no token table sees
 *    (the route OpenRouter took, Perplexity's search fees). A reported zero may mean "billed elsewhere" (OpenRouter with
 *    the customer's own key), so it never hides a list price. Skipped where the account says `public_cost`;
 * 3. the catalogue's list price, less `discount_percent`;
 * 4. what the provider says, be it zero.
 */
export function compilePrice(source: PriceSource): Price {
  const own = accountTable(source.cost);
  if (own === 'uncounted') return { version: 'account', costNanoUsd: () => undefined, basis: () => undefined };
  if (own !== 'public') {
    return { version: 'account', costNanoUsd: (usage) => tokenCostNanoUsd(own, usage), basis: () => basisOf(own) };
  }
  const entry = source.catalogueId === undefined ? undefined : catalogueEntry(source.catalogueId, source.modelId);
  if (entry === undefined) return { version: 'none', costNanoUsd: reportedNanoUsd, basis: () => REPORTED_BASIS };
  const listAt = discounted(entry, source.discountPercent);
  const billFirst = source.cost === undefined || source.cost === null;
  return {
    version: catalogueVersion,
    costNanoUsd: (usage, atMs = Date.now()) => {
      const reported = reportedNanoUsd(usage);
      if (billFirst && reported !== undefined && reported > 0) return reported;
      const list = listAt(atMs);
      return (list && tokenCostNanoUsd(list, usage)) ?? reported;
    },
    basis: (usage, atMs) => {
      if (billFirst && (reportedNanoUsd(usage) ?? 0) > 0) return REPORTED_BASIS;
      const list = listAt(atMs);
      return list && tokenCostNanoUsd(list, usage) !== undefined ? basisOf(list) : REPORTED_BASIS;
    },
  };
}

function reportedNanoUsd(usage: Usage): number | undefined {
  const { providerCostUsd } = usage;
  if (providerCostUsd === undefined) return undefined;
  const nano = Math.round(providerCostUsd * 1e9);
  return Number.isSafeInteger(nano) && nano >= 0 ? nano : undefined;
}

function discounted(entry: CatalogueEntry, percent: number | undefined): (atMs: number) => RateTable | undefined {
  if (percent === undefined || percent === 0) return entry.tableAt;
  const factor = Math.min(1, Math.max(0, 1 - percent / 100));
  let list: RateTable | undefined;
  let reduced: RateTable | undefined;
  return (atMs) => {
    const current = entry.tableAt(atMs);
    if (current !== list) {
      list = current;
      reduced = current && scaledTable(current, factor);
    }
    return reduced;
  };
}
