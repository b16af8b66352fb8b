import { z } from 'zod';
import type { RecordView } from './exchange-record.ts';
import type { MetricRegistry, Sample } from './metric-registry.ts';

/** Rules and targets come from the configuration; over many reloads there may be any number of them. */
const MAX_SERIES = 1_000;
const OTHER = 'other';
/** Texts remembered with the rule that they name. */
const MAX_TEXTS = 4_096;

const hops = z.array(z.object({ target: z.string(), error: z.string() }));

/** How often virtual models and rules chose, and how often what they chose failed. Read from records. */
export class RoutingMetrics {
  readonly #routed = new Map<string, number>();
  readonly #failed = new Map<string, { readonly target: string; readonly error: string; value: number }>();
  readonly #rules = new Map<string, string>();

  add({ rulesJson, attemptsJson }: RecordView): void {
    if (rulesJson !== undefined) this.#addRouted(rulesJson);
    if (attemptsJson !== undefined) for (const hop of hops.parse(JSON.parse(attemptsJson))) this.#addFailed(hop);
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'ai_gateway_load_balanced_requests_total',
      'Requests for which a virtual model or a routing rule chose the target, by its name',
      () => [...this.#routed].map(([ruleId, value]): Sample => ({ labels: { ruleId }, value })),
    );
    registry.family(
      'counter',
      'sluice_failed_attempts_total',
      'Attempts that another one followed or overtook, by target and error',
      () =>
        [...this.#failed.values()].map(({ target, error, value }): Sample => ({ labels: { target, error }, value })),
    );
  }

  #addRouted(text: string): void {
    let rule = this.#rules.get(text);
    if (rule === undefined) {
      const { routing } = JSON.parse(text);
      rule = routing === undefined ? '' : String(routing.rule ?? routing.model);
      if (this.#rules.size >= MAX_TEXTS) this.#rules.clear();
      this.#rules.set(text, rule);
    }
    if (rule === '') return;
    const label = this.#routed.has(rule) || this.#routed.size < MAX_SERIES ? rule : OTHER;
    this.#routed.set(label, (this.#routed.get(label) ?? 0) + 1);
  }

  #addFailed({ target, error }: { readonly target: string; readonly error: string }): void {
    const fits = this.#failed.has(`${target} ${error}`) || this.#failed.size < MAX_SERIES;
    const labels = fits ? { target, error } : { target: OTHER, error: OTHER };
    const key = `${labels.target} ${labels.error}`;
    const series = this.#failed.get(key);
    if (series === undefined) this.#failed.set(key, { ...labels, value: 1 });
    else series.value += 1;
  }
}
