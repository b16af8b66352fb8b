import { ExchangeMetrics } from './exchange-metrics.ts';
import type { RecordView } from './exchange-record.ts';
import { MetricRegistry, type Sample } from './metric-registry.ts';
import type { ThreadStats } from './thread-stats.ts';

export interface MetricsOptions {
  tenantName?: string;
  /** Series per family before the rest is counted under `other`. */
  maxSeries?: number;
  /** Keys of request metadata that become labels. */
  metadataKeys?: readonly string[];
  /** Read when somebody scrapes. */
  inFlight(): number;
  bodyMemoryBytes(): number;
  logLinesDropped(): number;
}

/** Everything that GET /metrics shows. Lives on the main thread; nothing of it is touched by a relay thread. */
export class Metrics {
  readonly #registry = new MetricRegistry();
  readonly #exchanges: ExchangeMetrics;
  readonly #threads = new Map<number, ThreadStats>();
  #configFailures = 0;
  #configLoadedAtMs: number | undefined;
  #configFailedAtMs: number | undefined;

  constructor(options: MetricsOptions) {
    this.#exchanges = new ExchangeMetrics({
      tenantName: options.tenantName ?? 'default',
      maxSeries: options.maxSeries ?? 1000,
      metadataKeys: options.metadataKeys ?? [],
    });
    this.#exchanges.register(this.#registry);
    this.#registerGateway(options);
    this.#registerThreads();
    this.#registerProcess();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.render();
  }

  renderBytes(): Promise<Buffer> {
    return this.#registry.renderBytes();
  }

  /** The registry, for parts of the main thread that count for themselves. */
  get registry(): MetricRegistry {
    return this.#registry;
  }

  add(record: RecordView): void {
    this.#exchanges.add(record);
  }

  setThread(stats: ThreadStats): void {
    this.#threads.set(stats.thread, stats);
  }

  threadStopped(thread: number): void {
    this.#threads.delete(thread);
  }

  configLoaded(atMs: number): void {
    this.#configLoadedAtMs = atMs;
  }

  /** A configuration was faulty and the old one stays in force. */
  configFailed(atMs: number): void {
    this.#configFailures += 1;
    this.#configFailedAtMs = atMs;
  }

  #registerGateway(options: MetricsOptions): void {
    const registry = this.#registry;
    registry.single('counter', 'ai_gateway_config_parsing_failures_total', 'Configurations that were refused', () => {
      return this.#configFailures;
    });
    const seconds = (atMs: number | undefined) => atMs && atMs / 1000;
    registry.single(
      'gauge',
      'sluice_config_loaded_timestamp_seconds',
      'When the configuration in force was loaded, in seconds since the Unix epoch',
      () => seconds(this.#configLoadedAtMs),
    );
    registry.single(
      'gauge',
      'sluice_config_failed_timestamp_seconds',
      'When a configuration was last refused, in seconds since the Unix epoch',
      () => seconds(this.#configFailedAtMs),
    );
    registry.single('gauge', 'sluice_in_flight', 'Exchanges open now, over all threads', options.inFlight);
    registry.single(
      'gauge',
      'sluice_body_memory_bytes',
      'Request bodies held now, over all threads, in bytes',
      options.bodyMemoryBytes,
    );
    registry.single(
      'counter',
      'sluice_log_lines_dropped_total',
      'Log lines thrown away because standard output was not read',
      options.logLinesDropped,
    );
  }

  #registerThreads(): void {
    const perThread = (of: (stats: ThreadStats) => number) => () =>
      [...this.#threads.values()].map((stats): Sample => ({ labels: { thread: stats.thread }, value: of(stats) }));
    const registry = this.#registry;
    registry.family(
      'gauge',
      'sluice_event_loop_delay_ms',
      'How late timers fired on a relay thread since its last report, in milliseconds',
      () => {
        const samples: Sample[] = [];
        for (const { thread, eventLoopDelayMs } of this.#threads.values())
          for (const [quantile, value] of Object.entries(eventLoopDelayMs))
            samples.push({ labels: { thread, quantile }, value });
        return samples;
      },
    );
    registry.family(
      'gauge',
      'sluice_event_loop_utilization_ratio',
      'Share of the time since its last report in which a relay thread was busy, 0 to 1',
      perThread((stats) => stats.eventLoopUtilization),
    );
    registry.family(
      'gauge',
      'sluice_upstream_connections',
      'Connections to providers, by relay thread',
      perThread((stats) => stats.upstreamConnections),
    );
    registry.family(
      'gauge',
      'sluice_upstream_queued',
      'Exchanges that wait for a connection to a provider, by relay thread',
      perThread((stats) => stats.upstreamQueued),
    );
    registry.family(
      'counter',
      'sluice_records_dropped_total',
      'Exchange records thrown away because the main thread did not keep up, by relay thread',
      perThread((stats) => stats.recordsDropped),
    );
    registry.family(
      'counter',
      'sluice_counters_away_requests_total',
      'Requests whose limits were decided without Redis because it was away, by relay thread',
      perThread((stats) => stats.countersAwayRequests),
    );
    registry.family(
      'counter',
      'sluice_counters_settlements_dropped_total',
      'Uses of limits that Redis was never told because too many waited for it, by relay thread',
      perThread((stats) => stats.settlementsDropped),
    );
  }

  #registerProcess(): void {
    const registry = this.#registry;
    const startedAt = Math.round(performance.timeOrigin / 1000);
    registry.single(
      'gauge',
      'process_start_time_seconds',
      'Start of the process, in seconds since the Unix epoch',
      () => {
        return startedAt;
      },
    );
    registry.single(
      'counter',
      'process_cpu_seconds_total',
      'User and system CPU time of all threads, in seconds',
      () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    );
    registry.single('gauge', 'process_resident_memory_bytes', 'Resident memory of all threads, in bytes', () => {
      return process.memoryUsage.rss();
    });
  }
}
