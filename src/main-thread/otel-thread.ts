import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { FromOtelThread, OtelCounts, ToOtelThread } from '../threads/otel-messages.ts';
import { threadEntry } from '../threads/thread-entry.ts';
import type { MainService } from './main-service.ts';
import { SideThread } from './side-thread.ts';

export interface OtelThreadOptions {
  readonly log: Log;
  /** As GET /metrics shows them. */
  renderMetrics(): Promise<string>;
}

/** Messages with records that may wait for the thread; beyond it spans are not made, and the exchanges are counted. */
const MAX_UNDERWAY = 64;
/** How long spans that are not sent yet may take at the end of the process. */
const CLOSE_MS = 5_000;
const EXIT_MS = 1_000;
/** The pause before the next thread, so that one that dies at once does not use up the machine. */
const RESTART_MS = 5_000;

const NOTHING: OtelCounts = { accepted: 0, unsampled: 0, exported: 0, refused: 0, failed: 0, 'queue-full': 0 };

/** The main thread's side of the thread that exports by OTLP (otel-thread/). Without a `gateway-otel-config` there is none. */
export class OtelThread implements MainService {
  readonly #options: OtelThreadOptions;
  readonly #thread: SideThread<ToOtelThread, FromOtelThread>;
  #configuration: Configuration | undefined;
  #sent = 0;
  #taken = 0;
  #behind = 0;
  #counts = NOTHING;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OtelThreadOptions) {
    this.#options = options;
    this.#thread = new SideThread({
      entry: threadEntry('otel-thread/otel-thread'),
      name: 'otel',
      hear: (message) => this.#hear(message),
      onError: (error) => options.log.error({ error }, 'the thread of OTLP failed'),
      onExit: () => this.#onExit(),
    });
  }

  register(registry: MetricRegistry): void {
    const counter = (name: string, help: string, value: () => number) =>
      registry.single('counter', name, help, () => (this.#configuration?.otel.length ? value() : undefined));
    counter('ai_gateway_spans_accepted_total', 'Spans that were made for export', () => this.#counts.accepted);
    registry.family('counter', 'ai_gateway_spans_exported_total', 'Spans by what a collector did with them', () => {
      if (this.#configuration === undefined || this.#configuration.otel.length === 0) return [];
      const { exported, refused, failed } = this.#counts;
      return [
        { labels: { outcome: 'success', reason: '' }, value: exported },
        { labels: { outcome: 'failure', reason: 'refused' }, value: refused },
        { labels: { outcome: 'failure', reason: 'unreachable' }, value: failed },
      ];
    });
    registry.family('counter', 'ai_gateway_span_drops_total', 'Spans that were not exported, by reason', () => {
      if (this.#configuration === undefined || this.#configuration.otel.length === 0) return [];
      return [
        { labels: { reason: 'queue_full' }, value: this.#counts['queue-full'] },
        { labels: { reason: 'exporter_behind' }, value: this.#behind },
        { labels: { reason: 'unsampled' }, value: this.#counts.unsampled },
      ];
    });
  }

  /** Copied, since the ledger takes the frames themselves. */
  take(frames: readonly Uint8Array[]): void {
    if (!this.#thread.isRunning) return;
    if (this.#sent - this.#taken >= MAX_UNDERWAY) {
      this.#behind += 1;
      return;
    }
    this.#sent += 1;
    const copies = frames.map((frame) => new Uint8Array(frame));
    this.#thread.post(
      { type: 'records', frames: copies },
      copies.map(({ buffer }) => buffer),
    );
  }

  reconfigure(configuration: Configuration): void {
    this.#configuration = configuration;
    if (configuration.otel.length > 0) this.#begin();
    if (this.#thread.isRunning) this.#configure(configuration);
    clearInterval(this.#timer);
    if (!configuration.otel.some(({ metrics }) => metrics !== undefined)) return;
    this.#timer = setInterval(() => void this.#sendMetrics(), configuration.server.otel.metricsIntervalMs).unref();
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.#thread.close({ type: 'close', withinMs: CLOSE_MS }, CLOSE_MS + EXIT_MS);
  }

  #begin(): void {
    if (this.#thread.isRunning) return;
    this.#sent = 0;
    this.#taken = 0;
    this.#thread.begin();
  }

  #configure({ otel, server }: Configuration): void {
    this.#thread.post({ type: 'configure', configuration: { otel, server } });
  }

  async #sendMetrics(): Promise<void> {
    const text = await this.#options.renderMetrics();
    if (!this.#thread.isClosing) this.#thread.post({ type: 'metrics', text });
  }

  #hear(message: FromOtelThread): void {
    switch (message.type) {
      case 'state':
        this.#taken = message.taken;
        this.#counts = message.counts;
        return;
      case 'log':
        this.#options.log[message.level](message.fields, message.message);
        return;
      case 'closed':
        this.#counts = message.counts;
    }
  }

  #onExit(): void {
    setTimeout(() => {
      const configuration = this.#configuration;
      if (this.#thread.isClosing || configuration === undefined || configuration.otel.length === 0) return;
      this.#begin();
      this.#configure(configuration);
    }, RESTART_MS).unref();
  }
}
