import { epochMs } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { Refusal } from '../edge/head-answers.ts';
import type { RefusedRequest } from '../pipeline/pipeline-options.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';

export interface RefusalRecordsOptions {
  readonly thread: number;
  readonly log: Log;
  add(record: ExchangeRecord): void;
}

const NOTHING_ASKED: RefusedRequest = { model: undefined };

/** Records of exchanges that reached no provider: refused ones, and those that the gateway answers by itself. */
export class RefusalRecords {
  readonly #options: RefusalRecordsOptions;
  readonly #blank: Pick<ExchangeRecord, 'thread' | 'stream' | 'attempts' | 'upstreamMs' | 'bytesIn' | 'bytesOut'>;

  constructor(options: RefusalRecordsOptions) {
    this.#options = options;
    this.#blank = { thread: options.thread, stream: false, attempts: 0, upstreamMs: 0, bytesIn: 0, bytesOut: 0 };
  }

  /** By the edge, before it was an exchange. */
  readonly turnedAway = (refusal: Refusal): void => this.#refused(refusal, NOTHING_ASKED);

  readonly refused = (exchange: Exchange, error: GatewayError, request: RefusedRequest = NOTHING_ASKED): void => {
    const clientJson = exchange.clientJson();
    const { clientTraceparent: traceparent } = exchange.headers;
    this.#refused({ ...labelsOf(exchange), principal: exchange.principal, error, clientJson }, request, traceparent);
  };

  answered(exchange: Exchange, status = 200, guardrailsJson?: string): void {
    const durationMs = performance.now() - exchange.startedAt;
    this.#options.add({
      ...this.#blank,
      ...labelsOf(exchange),
      startedAt: epochMs(exchange.startedAt),
      durationMs,
      overheadMs: durationMs,
      status,
      outcome: 'ok',
      subject: exchange.principal.subject,
      keyId: exchange.principal.keyId,
      bytesIn: exchange.bytesIn,
      bytesOut: exchange.sink.bytesOut,
      ...(guardrailsJson !== undefined && { guardrailsJson }),
    });
  }

  #refused(refusal: Refusal, request: RefusedRequest, traceparent?: string): void {
    const { id, requestId, method, path, startedAt, principal, error, clientJson } = refusal;
    const { log, add } = this.#options;
    const durationMs = performance.now() - startedAt;
    if (error.code === 'internal_error') log.error({ exchange: id, error: error.context.cause }, error.message);
    add({
      ...this.#blank,
      id,
      requestId,
      method,
      path,
      startedAt: epochMs(startedAt),
      durationMs,
      overheadMs: durationMs,
      status: error.status,
      outcome: 'error',
      errorCode: error.code,
      errorDetail: error.recordedDetail('keep'),
      subject: principal?.subject,
      keyId: principal?.keyId,
      ...request,
      rulesJson: error.context.rulesJson,
      clientJson,
      traceparent,
    });
  }
}

function labelsOf(exchange: Exchange): Pick<Exchange, 'id' | 'requestId' | 'method' | 'path' | 'startedAt'> {
  const { id, requestId, method, path, startedAt } = exchange;
  return { id, requestId, method, path, startedAt };
}
