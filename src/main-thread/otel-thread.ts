import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { FromOtelThread, OtelCounts, ToOtelThread } from '../threads/otel-messages.ts';
import type { MainService } from './main-service.ts';

export interface OtelThreadOptions {
  readonly entry: URL;
  readonly log: Log;
  /** As GET /metrics shows them. */
  renderMetrics(): Promise<string>;
}

/** Messages with records that may wait for the thread; beyond it spans are not made, and the exchanges are counted. */
const MAX_UNDERWAY = 64;
/** At the end of the process, for what is not sent yet. */
const CLOSE_MS = 5_000;
const EXIT_MS = 1_000;
/** After a death, so that one that dies at once again and again does not eat the machine. */
const RESTART_MS = 5_000;

const NOTHING: OtelCounts = { accepted: 0, unsampled: 0, exported: 0, refused: 0, failed: 0, 'queue-full': 0 };

/** The main thread's side of the thread that exports by OTLP (otel-thread/). Without a `gateway-otel-config` there is none. */
export class OtelThread implements MainService {
  readonly #options: OtelThreadOptions;
  #worker: Worker | undefined;
  #configuration: Configuration | undefined;
  #sent = 0;
  #taken = 0;
  #behind = 0;
  #counts = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #onClosed: (() => void) | undefined;

  constructor(options: OtelThreadOptions) {
    this.#options = options;
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
    if (this.#worker === undefined) return;
    if (this.#sent - this.#taken >= MAX_UNDERWAY) {
      this.#behind += 1;
      return;
    }
    this.#sent += 1;
    const copies = frames.map((frame) => new Uint8Array(frame));
    this.#post(
      { type: 'records', frames: copies },
      copies.map(({ buffer }) => buffer),
    );
  }

  reconfigure(configuration: Configuration): void {
    this.#configuration = configuration;
    if (configuration.otel.length > 0) this.#worker ??= this.#begin();
    if (this.#worker !== undefined) this.#configure(configuration);
    clearInterval(this.#timer);
    if (!configuration.otel.some(({ metrics }) => metrics !== undefined)) return;
    this.#timer = setInterval(() => void this.#sendMetrics(), configuration.server.otel.metricsIntervalMs).unref();
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#post({ type: 'close', withinMs: CLOSE_MS });
    await Promise.race([closed, delay(CLOSE_MS + EXIT_MS, undefined, { ref: false })]);
    await worker.terminate();
  }

  #begin(): Worker {
    this.#sent = 0;
    this.#taken = 0;
    const worker = new Worker(this.#options.entry, { name: 'otel' });
    worker.on('message', (message: FromOtelThread) => this.#hear(message));
    worker.on('error', (error) => this.#options.log.error({ error }, 'the thread of OTLP failed'));
    worker.on('exit', () => this.#onExit());
    return worker;
  }

  #configure({ otel, server }: Configuration): void {
    this.#post({ type: 'configure', configuration: { otel, server } });
  }

  async #sendMetrics(): Promise<void> {
    const text = await this.#options.renderMetrics();
    if (this.#worker !== undefined && !this.#closing) this.#post({ type: 'metrics', text });
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
        this.#onClosed?.();
    }
  }

  #onExit(): void {
    this.#worker = undefined;
    if (this.#closing) return;
    setTimeout(() => {
      const configuration = this.#configuration;
      if (this.#closing || configuration === undefined || configuration.otel.length === 0) return;
      this.#worker = this.#begin();
      this.#configure(configuration);
    }, RESTART_MS).unref();
  }

  #post(message: ToOtelThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }
}
