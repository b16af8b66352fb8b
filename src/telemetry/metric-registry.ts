import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Metric } from 'prom-client';

/*
 * The only door to prom-client, which keeps the families and writes the text format. Its own counters sort and hash the
 * labels on every observation: too slow for the way of a record. So the values live in our accumulators, and a family
 * hands them over when somebody scrapes. So of prom-client only its registry is loaded; all of it brings OpenTelemetry.
 */
const Registry: typeof import('prom-client').Registry = createRequire(import.meta.url)('prom-client/lib/registry');

export type MetricType = 'counter' | 'gauge' | 'histogram';
export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  /** Where it differs from the family's (`…_bucket`, `…_sum`, `…_count`). */
  metricName?: string;
  /** Labels of this sample alone, as `le`. */
  labels: Labels;
  /** Labels of its series: one object per series for its whole life, since the registry keeps their text by object. */
  sharedLabels?: Labels;
  value: number;
}

const noLabels: Labels = {};

/** Written in one piece: a thousand take a millisecond or two. */
const SAMPLES_PER_PIECE = 500;
/** How long a turn may go on, in ms: a thousand callers have 90,000 samples, which take an eighth of a second. */
const TURN_MS = 2;

export class MetricRegistry {
  readonly #registry = new Registry();
  readonly #families = new Map<string, () => Sample[]>();
  /** What the registry writes next. */
  #piece: Sample[] = [];
  readonly #others: (() => string)[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All families in Prometheus' text format, and behind them those of other threads. */
  async render(): Promise<string> {
    let text = '';
    for await (const piece of this.#pieces()) text += piece;
    return text;
  }

  /** The same in UTF-8: to encode ten megabytes at once takes 40 ms. */
  async renderBytes(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.#pieces()) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  }

  /** What else the thread has to do is done between them. The samples of a family are of one moment. */
  async *#pieces(): AsyncGenerator<string> {
    let turnEndsAt = performance.now() + TURN_MS;
    let separator = '';
    for (const [name, samples] of this.#families) {
      const all = samples();
      let heading = 0;
      for (let at = 0; at === 0 || at < all.length; at += SAMPLES_PER_PIECE) {
        const text = await this.#write(name, all.slice(at, at + SAMPLES_PER_PIECE));
        // Two lines; each piece has them.
        if (at === 0) heading = text.indexOf('\n', text.indexOf('\n') + 1);
        yield at === 0 ? separator + text : text.slice(heading);
        if (performance.now() < turnEndsAt) continue;
        await nextTurn();
        turnEndsAt = performance.now() + TURN_MS;
      }
      separator = '\n\n';
    }
    yield '\n';
    for (const other of this.#others) yield other();
  }

  #write(name: string, piece: Sample[]): Promise<string> {
    this.#piece = piece;
    // The registry asks for the values before it waits for anything.
    return this.#registry.getSingleMetricAsString(name);
  }

  /** Families of another thread as text, whenever somebody scrapes; none of them may be here as well. */
  append(other: () => string): void {
    this.#others.push(other);
  }

  family(type: MetricType, name: string, help: string, samples: () => Sample[]): void {
    const metric = { name, help, type, get: async () => ({ name, help, type, values: this.#piece }) };
    // The registry calls `get` and reads `name`; the declared type asks for a whole class of prom-client's own.
    this.#registry.registerMetric(metric as unknown as Metric);
    this.#families.set(name, samples);
  }

  /** A family of one series without labels; left out while its value is unknown. */
  single(type: 'counter' | 'gauge', name: string, help: string, value: () => number | undefined): void {
    this.family(type, name, help, () => {
      const current = value();
      return current === undefined ? [] : [{ labels: noLabels, value: current }];
    });
  }
}
