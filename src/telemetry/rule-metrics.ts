import type { ExchangeRecord } from './exchange-record.ts';
import type { MetricRegistry, Sample } from './metric-registry.ts';

/** Texts of applied rules that are remembered with what they mean: they repeat from record to record. */
const MOST_TEXTS = 4_096;
/** Rule ids come from the configuration; over many reloads there may still be any number of them. */
const MOST_RULES = 1_000;
const OTHER = 'other';

interface Applied {
  readonly ratelimit: readonly string[];
  readonly budget: readonly string[];
  /** Budget that sent the request to another model. */
  readonly downgradedBy: string | undefined;
  readonly refused: string | undefined;
}

/**
 * How often rules matched (nominated) and how often they refused or sent elsewhere (applied), under the reference
 * product's names (facts/product.md §4). Read from `rulesJson` of records.
 */
export class RuleMetrics {
  readonly #texts = new Map<string, Applied>();
  readonly #rateNominated = new Map<string, number>();
  readonly #rateApplied = new Map<string, number>();
  readonly #budgetNominated = new Map<string, number>();
  readonly #budgetApplied = new Map<string, number>();

  addAll(records: readonly ExchangeRecord[]): void {
    for (const record of records) if (record.rulesJson !== undefined) this.#add(record.rulesJson, record.errorCode);
  }

  #add(text: string, errorCode: string | undefined): void {
    const { ratelimit, budget, refused, downgradedBy } = this.#read(text);
    for (const id of ratelimit) count(this.#rateNominated, id);
    for (const id of budget) count(this.#budgetNominated, id);
    if (downgradedBy !== undefined) count(this.#budgetApplied, downgradedBy);
    if (refused !== undefined) count(errorCode === 'rate_limited' ? this.#rateApplied : this.#budgetApplied, refused);
  }

  #read(text: string): Applied {
    let applied = this.#texts.get(text);
    if (applied === undefined) {
      applied = parse(text);
      if (this.#texts.size >= MOST_TEXTS) this.#texts.clear();
      this.#texts.set(text, applied);
    }
    return applied;
  }

  register(registry: MetricRegistry): void {
    const family = (name: string, help: string, counts: ReadonlyMap<string, number>) =>
      registry.family('counter', name, help, () =>
        [...counts].map(([ruleId, value]): Sample => ({ labels: { ruleId }, value })),
      );
    family(
      'ai_gateway_rate_limit_nominated_total',
      'Requests that a rate limit rule matched, by rule',
      this.#rateNominated,
    );
    family(
      'ai_gateway_rate_limit_applied_total',
      'Requests that a rate limit rule refused, by rule',
      this.#rateApplied,
    );
    family('ai_gateway_budget_nominated_total', 'Requests that a budget matched, by budget', this.#budgetNominated);
    family(
      'ai_gateway_budget_applied_total',
      'Requests that a budget refused or sent to a cheaper model, by budget',
      this.#budgetApplied,
    );
  }
}

function count(counts: Map<string, number>, id: string): void {
  const label = counts.has(id) || counts.size < MOST_RULES ? id : OTHER;
  counts.set(label, (counts.get(label) ?? 0) + 1);
}

/** Written by policy/applied-rules.ts of the same build: its shape is not checked. */
function parse(text: string): Applied {
  const { ratelimit = [], budget = [], refused, downgrade } = JSON.parse(text);
  return { ratelimit, budget, refused, downgradedBy: downgrade?.by };
}
