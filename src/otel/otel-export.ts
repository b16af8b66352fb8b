import type { Buffer } from 'node:buffer';
import type { Configuration } from '../config/configuration.ts';
import type { OtelSettings, OtelTracesExport, OtlpEndpoint } from '../config/server/otel.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { EncodedSpans } from './encoded-spans.ts';
import { exchangeSpans } from './exchange-spans.ts';
import { ListedAttributes, ListedSpans } from './listed-spans.ts';
import { type ExportOutcome, OtlpExporter } from './otlp-exporter.ts';
import { type KeyValue, METRICS_FIELDS, type Metric, type Resource, type Span, TRACES_FIELDS } from './otlp-message.ts';
import { metricsOf } from './prometheus-metrics.ts';
import { isSampled } from './sampling.ts';

const TRACES = {
  path: '/v1/traces',
  service: 'opentelemetry.proto.collector.trace.v1.TraceService',
  fields: TRACES_FIELDS,
};
const METRICS = {
  path: '/v1/metrics',
  service: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
  fields: METRICS_FIELDS,
};
const MAX_BATCH_SPANS = 512;
/** Metrics are sent whole: one that waits is replaced by the next. */
const MAX_QUEUED_METRICS = 1;

export interface OtelExportOptions {
  readonly configuration: Pick<Configuration, 'otel' | 'server'>;
  readonly version: string;
  readonly http: HttpClient;
  readonly log: Log;
}

interface TracesTo {
  readonly settings: OtelTracesExport;
  /** It takes spans as protobuf. */
  readonly isEncoded: boolean;
  readonly exporter: OtlpExporter<Span | Buffer>;
}

/** Everything that is exported by OTLP under one configuration: spans of exchanges and the metrics of GET /metrics. */
export class OtelExport {
  readonly #traces: readonly TracesTo[];
  readonly #metrics: readonly OtlpExporter<{ metrics: readonly Metric[] }>[];
  readonly #settings: OtelSettings;
  readonly #startMs = Date.now();
  readonly #encoder = new EncodedSpans();
  #accepted = 0;
  #unsampled = 0;

  constructor({ configuration: { otel, server }, version, http, log }: OtelExportOptions) {
    this.#settings = server.otel;
    const scope = { name: 'sluice', version };
    const common = { http, log, timeoutMs: server.otel.timeoutMs };
    this.#traces = otel.flatMap(({ traces: settings }): TracesTo[] => {
      if (settings === undefined) return [];
      const resource = resourceOf(server.gatewayId, version, settings.resourceAttributes);
      const exporter = new OtlpExporter<Span | Buffer>({
        ...common,
        endpoint: settings.endpoint,
        signal: TRACES,
        maxQueued: server.otel.maxQueuedSpans,
        maxBatch: MAX_BATCH_SPANS,
        message: (spans) => ({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }),
      });
      const { protocol, encoding } = settings.endpoint;
      return [{ settings, isEncoded: protocol === 'grpc' || encoding === 'proto', exporter }];
    });
    this.#metrics = otel.flatMap(({ metrics: endpoint }: { metrics?: OtlpEndpoint }) => {
      if (endpoint === undefined) return [];
      const resource = resourceOf(server.gatewayId, version, {});
      const message = ([one]: readonly { metrics: readonly Metric[] }[]) => {
        return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: one?.metrics ?? [] }] }] };
      };
      return [
        new OtlpExporter({ ...common, endpoint, signal: METRICS, maxQueued: MAX_QUEUED_METRICS, maxBatch: 1, message }),
      ];
    });
  }

  get exportsMetrics(): boolean {
    return this.#metrics.length > 0;
  }

  /** A provisional record is not exported: the one that counts follows. */
  add(record: RecordView): void {
    if (record.pending || this.#traces.length === 0) return;
    if (!isSampled(record, this.#settings)) {
      this.#unsampled += 1;
      return;
    }
    let encoded: readonly Buffer[] | undefined;
    let listed: readonly Span[] | undefined;
    for (const { settings, isEncoded, exporter } of this.#traces) {
      if (!isEncoded || settings.when.length > 0) listed ??= this.#listed(record);
      if (listed !== undefined && !matches(listed, settings.when)) continue;
      if (isEncoded) encoded ??= this.#encoded(record);
      const spans = isEncoded ? encoded! : listed!;
      this.#accepted += spans.length;
      for (const span of spans) exporter.add(span);
    }
  }

  #listed(record: RecordView): readonly Span[] {
    const into = new ListedSpans();
    exchangeSpans(record, this.#settings.names, into);
    return into.spans;
  }

  #encoded(record: RecordView): readonly Buffer[] {
    exchangeSpans(record, this.#settings.names, this.#encoder);
    return this.#encoder.take();
  }

  /** `text`: as GET /metrics shows it. */
  addMetrics(text: string): void {
    const metrics = metricsOf(text, this.#startMs, Date.now());
    for (const exporter of this.#metrics) exporter.add({ metrics });
  }

  flush(): void {
    for (const { exporter } of this.#traces) exporter.flush();
    for (const exporter of this.#metrics) exporter.flush();
  }

  /** Spans that were made, exchanges that were not sampled, and what became of the spans. */
  counts(): { accepted: number; unsampled: number } & Record<ExportOutcome, number> {
    const sum = (outcome: ExportOutcome) =>
      this.#traces.reduce((total, { exporter }) => total + exporter.counts[outcome], 0);
    return {
      accepted: this.#accepted,
      unsampled: this.#unsampled,
      exported: sum('exported'),
      refused: sum('refused'),
      failed: sum('failed'),
      'queue-full': sum('queue-full'),
    };
  }

  async close(withinMs: number): Promise<void> {
    const exporters = [...this.#traces.map(({ exporter }) => exporter), ...this.#metrics];
    await Promise.all(exporters.map((exporter) => exporter.close(withinMs)));
  }
}

function resourceOf(gatewayId: string | undefined, version: string, more: Readonly<Record<string, string>>): Resource {
  const attributes = new ListedAttributes();
  const own = { 'service.name': 'sluice', 'service.version': version, 'service.instance.id': gatewayId };
  for (const [key, value] of Object.entries({ ...own, ...more })) attributes.text(key, value);
  return { attributes: attributes.list };
}

/** All conditions hold for one of the spans of the exchange. */
function matches(spans: readonly Span[], when: OtelTracesExport['when']): boolean {
  return when.length === 0 || spans.some(({ attributes }) => when.every((one) => holds(attributes, one)));
}

function holds(attributes: readonly KeyValue[], { key, values }: OtelTracesExport['when'][number]): boolean {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  if (value === undefined) return false;
  if (value.arrayValue) return value.arrayValue.values.some(({ stringValue = '' }) => values.includes(stringValue));
  const text = value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue;
  return values.includes(String(text));
}
