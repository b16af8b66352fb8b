import { z } from 'zod';
import type { RecordView } from './exchange-record.ts';
import { type Buckets, Histogram } from './histogram.ts';
import type { Labels, MetricRegistry, Sample } from './metric-registry.ts';

/** Guards come from the configuration; over many reloads there may be any number of them. */
const MAX_SERIES = 1_000;
const OTHER = 'other';

const results = z.array(z.object({ guardrail: z.string(), result: z.string(), ms: z.number() }));
/** From a look into a table to the deadline of a guard that is asked elsewhere. */
const buckets: Buckets = [0.05, 0.1, 0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** How often each guard was asked, what it came to and how long it took. Read from records. */
export class GuardrailMetrics {
  readonly #counts = new Map<string, { readonly name: string; readonly result: string; value: number }>();
  readonly #times = new Map<string, { readonly labels: Labels; readonly histogram: Histogram }>();

  add({ guardrailsJson }: RecordView): void {
    if (guardrailsJson === undefined) return;
    for (const { guardrail, result, ms } of results.parse(JSON.parse(guardrailsJson))) {
      const name = this.#times.has(guardrail) || this.#times.size < MAX_SERIES ? guardrail : OTHER;
      this.#count(name, result);
      this.#timesOf(name).observe(ms);
    }
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'ai_gateway_guardrail_requests_total',
      'Times that a guard was asked, by what it came to: passed, failed, mutated or error',
      () =>
        [...this.#counts.values()].map(
          ({ name, result, value }): Sample => ({ labels: { guardrail_fqn: name, result }, value }),
        ),
    );
    const latency = 'ai_gateway_guardrail_execution_latency_ms';
    registry.family('histogram', latency, 'How long a guard took, in milliseconds', () => {
      const samples: Sample[] = [];
      for (const { labels, histogram } of this.#times.values()) histogram.collect(latency, labels, samples);
      return samples;
    });
  }

  #count(name: string, result: string): void {
    const key = `${name} ${result}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { name, result, value: 1 });
    else known.value += 1;
  }

  #timesOf(name: string): Histogram {
    let known = this.#times.get(name);
    if (known === undefined) {
      known = { labels: { guardrail_fqn: name }, histogram: new Histogram(buckets) };
      this.#times.set(name, known);
    }
    return known.histogram;
  }
}
