import type { Labels, Sample } from './metric-registry.ts';

/** Upper bounds in milliseconds, ascending; what is above the last one counts in `+Inf` alone. */
export type Buckets = readonly number[];

/** Observations of one series: one count per bucket, made cumulative when they are read. */
export class Histogram {
  readonly #buckets: Buckets;
  readonly #counts: number[];
  #sum = 0;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
    this.#counts = new Array<number>(buckets.length + 1).fill(0);
  }

  observe(value: number): void {
    const buckets = this.#buckets;
    let low = 0;
    let high = buckets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= buckets[middle]!) high = middle;
      else low = middle + 1;
    }
    this.#counts[low]! += 1;
    this.#sum += value;
  }

  collect(name: string, series: Labels, out: Sample[]): void {
    let count = 0;
    const metricName = `${name}_bucket`;
    for (let index = 0; index < this.#buckets.length; index++) {
      count += this.#counts[index]!;
      out.push({ metricName, labels: { le: this.#buckets[index]! }, sharedLabels: series, value: count });
    }
    count += this.#counts[this.#buckets.length]!;
    out.push({ metricName, labels: { le: '+Inf' }, sharedLabels: series, value: count });
    out.push({ metricName: `${name}_sum`, labels: {}, sharedLabels: series, value: this.#sum });
    out.push({ metricName: `${name}_count`, labels: {}, sharedLabels: series, value: count });
  }
}
