import type { OtlpEndpoint } from '../config/server/otel.ts';
import type { HttpAnswer, HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import { grpcUnary } from './grpc-unary.ts';
import type { MessageFields } from './otlp-message.ts';
import { encodeProtobuf } from './protobuf.ts';

/** https://opentelemetry.io/docs/specs/otlp/#failures-1: what may be sent again. */
const RETRYABLE_STATUS = new Set([429, 502, 503, 504]);
/**
 * The statuses of gRPC that allow another try: cancelled, deadline exceeded, aborted, out of range, unavailable, data
 * loss.
 */
const RETRYABLE_GRPC = new Set([1, 4, 10, 11, 14, 15]);
const RETRY_FIRST_MS = 1000;
const RETRY_LONGEST_MS = 30_000;
/** A batch is given up after so many tries: what comes behind it is newer. */
const MAX_TRIES = 5;
const MAX_ANSWER_BYTES = 65_536;

/** What a collector did with a message. */
export type Sent =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'again' | 'refused'; readonly reason: string; readonly afterMs?: number };

export interface OtlpExporterOptions<T extends object> {
  readonly endpoint: OtlpEndpoint;
  /** As `/v1/traces` and the service of gRPC. */
  readonly signal: { readonly path: string; readonly service: string; readonly fields: MessageFields };
  /** Bounds what waits while the collector is slow or away; the oldest goes first. */
  readonly maxQueued: number;
  readonly maxBatch: number;
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly log: Log;
  message(items: readonly T[]): object;
}

export type ExportOutcome = 'exported' | 'refused' | 'failed' | 'queue-full';

/** Sends items to one collector in batches, one request at a time, and counts what became of them. Never throws. */
export class OtlpExporter<T extends object> {
  readonly counts: Record<ExportOutcome, number> = { exported: 0, refused: 0, failed: 0, 'queue-full': 0 };
  readonly #options: OtlpExporterOptions<T>;
  readonly #queue: T[] = [];
  #sending: Promise<void> | undefined;
  #troubled = false;
  #wake: (() => void) | undefined;
  #closing = false;

  constructor(options: OtlpExporterOptions<T>) {
    this.#options = options;
  }

  add(item: T): void {
    if (this.#queue.length >= this.#options.maxQueued) {
      this.#queue.shift();
      this.counts['queue-full'] += 1;
    }
    this.#queue.push(item);
    if (this.#queue.length >= this.#options.maxBatch) this.flush();
  }

  /** Sends what waits, unless a request is under way, which then goes on with it. */
  flush(): void {
    if (this.#sending !== undefined || this.#queue.length === 0) return;
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Everything was sent or given up, at the latest after `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.flush();
    this.#closing = true;
    this.#wake?.();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([this.#sending, late]);
    clearTimeout(timer);
    this.counts.failed += this.#queue.splice(0).length;
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.#options.maxBatch);
      await this.#sendBatch(batch);
    }
  }

  async #sendBatch(batch: readonly T[]): Promise<void> {
    const { message, log } = this.#options;
    const payload = message(batch);
    let delayMs = RETRY_FIRST_MS;
    for (let tries = 1; ; tries += 1) {
      const sent = await this.#send(payload);
      if (sent.outcome === 'accepted') {
        this.counts.exported += batch.length;
        if (this.#troubled) log.info({ endpoint: this.#shownEndpoint }, 'the collector takes what is sent again');
        this.#troubled = false;
        return;
      }
      if (!this.#troubled)
        log.warn({ endpoint: this.#shownEndpoint, reason: sent.reason }, 'the collector took nothing');
      this.#troubled = true;
      if (sent.outcome === 'refused' || tries >= MAX_TRIES || this.#closing) {
        this.counts[sent.outcome === 'refused' ? 'refused' : 'failed'] += batch.length;
        return;
      }
      await this.#pause(Math.min(sent.afterMs ?? delayMs * (0.5 + Math.random() / 2), RETRY_LONGEST_MS));
      delayMs = Math.min(delayMs * 2, RETRY_LONGEST_MS);
    }
  }

  /** Ends early when the exporter closes. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  get #shownEndpoint(): string {
    return new URL(this.#options.endpoint.url).host;
  }

  async #send(payload: object): Promise<Sent> {
    const { endpoint, signal, timeoutMs, http } = this.#options;
    try {
      if (endpoint.protocol === 'grpc') {
        const body = encodeProtobuf(payload, signal.fields);
        const path = `/${signal.service}/Export`;
        const { status, message } = await grpcUnary({
          url: endpoint.url,
          path,
          headers: endpoint.headers,
          body,
          timeoutMs,
        });
        if (status === 0) return { outcome: 'accepted' };
        return {
          outcome: RETRYABLE_GRPC.has(status) ? 'again' : 'refused',
          reason: `gRPC status ${status} ${message}`.trim(),
        };
      }
      const proto = endpoint.encoding === 'proto';
      const answer = await http({
        url: urlOf(endpoint.url, signal.path),
        method: 'POST',
        headers: [...endpoint.headers, 'content-type', proto ? 'application/x-protobuf' : 'application/json'],
        body: proto ? encodeProtobuf(payload, signal.fields) : JSON.stringify(payload),
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        whenLonger: 'cut',
      });
      return judged(answer);
    } catch (error) {
      return { outcome: 'again', reason: error instanceof Error ? error.message : 'it failed' };
    }
  }
}

function judged({ status, headers }: HttpAnswer): Sent {
  if (status >= 200 && status < 300) return { outcome: 'accepted' };
  const reason = `status ${status}`;
  if (!RETRYABLE_STATUS.has(status)) return { outcome: 'refused', reason };
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return { outcome: 'again', reason, ...(seconds >= 0 && { afterMs: seconds * 1000 }) };
}

/** The path of the signal is added to a base address, and not to one that has it: both are written. */
function urlOf(endpoint: string, path: string): string {
  const url = new URL(endpoint);
  if (!url.pathname.endsWith(path)) url.pathname = url.pathname.replace(/\/+$/, '') + path;
  return url.href;
}
