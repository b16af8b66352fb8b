import { epochMs } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Usage } from '../inference/usage.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { Price } from '../usage/price-table.ts';
import { type Prompt, promptOf } from '../usage/prompt.ts';
import type { RelayResult } from './relay.ts';

/** What an estimate is made from, where the provider did not say what was used. */
export interface EstimateRequest {
  readonly prompt: Prompt;
  readonly outputSample: Buffer;
  readonly outputTotalBytes: number;
  readonly model: string;
}

export type Estimator = (request: EstimateRequest) => Promise<Usage | undefined>;

export interface SettlementOptions {
  readonly thread: number;
  readonly exchange: Exchange;
  readonly model: string;
  readonly stream: boolean;
  readonly price: Price;
  readonly estimate: Estimator;
  readonly record: (record: ExchangeRecord) => void;
  readonly admission: Admission;
  readonly teamsJson: string | undefined;
  readonly metadataJson: string | undefined;
}

/** What settlement needs of an admission (policy/admission.ts): said here, because relay and policy do not know each other. */
export interface Admission {
  readonly rulesJson: string | undefined;
  readonly chargesJson: string | undefined;
  readonly reservedNanoUsd: number | undefined;
  settle(outcome: {
    dispatched: boolean;
    usage: Usage | undefined;
    costNanoUsd: number | undefined;
    endedAtMs: number;
  }): void;
}

/** The record of an exchange that reached a target: made once, when nothing is left to do. */
export function settle(result: RelayResult, options: SettlementOptions): void {
  const { exchange } = options;
  const record = recordOf(result, options);
  const { usage } = result.meter;
  if (usage) {
    record.usage = usage;
    record.usageSource = 'provider';
    record.costNanoUsd = options.price.costNanoUsd(usage, record.startedAt);
  }
  // Without an answer's bytes nothing was generated that could be billed.
  const known = usage?.outputTokens !== undefined;
  if (known || result.meter.answerBytes === 0 || (result.error && !result.cut && !exchange.aborted)) {
    close();
    return;
  }
  const request: EstimateRequest = {
    prompt: result.prompt ?? promptOf(exchange.body, exchange.body.length),
    outputSample: result.meter.sample(),
    outputTotalBytes: result.meter.answerBytes,
    model: result.target.modelId,
  };
  options.estimate(request).then(
    (estimate) => {
      if (estimate) {
        record.usage = { ...estimate, ...usage };
        record.usageSource = 'estimate';
        record.costNanoUsd = options.price.costNanoUsd(record.usage, record.startedAt);
      }
      close();
    },
    // The exchange happened all the same: a record without usage says that nobody knows.
    close,
  );

  /** What was held is given back exactly here, and what was used is charged. */
  function close(): void {
    const { usage: used, costNanoUsd } = record;
    const endedAtMs = record.startedAt + record.durationMs;
    options.admission.settle({ dispatched: result.dispatched, usage: used, costNanoUsd, endedAtMs });
    options.record(record);
  }
}

function recordOf(result: RelayResult, options: SettlementOptions): ExchangeRecord {
  const { exchange } = options;
  const { error, target } = result;
  const now = performance.now();
  const upstreamMs = result.endedAt > 0 ? result.endedAt - result.sentAt : 0;
  const durationMs = now - exchange.startedAt;
  const bodyMs = exchange.bodyReadAt - exchange.startedAt;
  return {
    id: exchange.id,
    requestId: exchange.requestId,
    startedAt: epochMs(exchange.startedAt),
    durationMs,
    thread: options.thread,
    method: exchange.method,
    path: exchange.path,
    status: result.status,
    outcome: outcomeOf(result, exchange.aborted !== undefined),
    errorCode: error?.code,
    errorDetail: detailOf(error),
    subject: exchange.principal.subject,
    keyId: exchange.principal.keyId,
    model: options.model,
    target: target.id,
    provider: target.provider,
    stream: options.stream,
    attempts: result.attempts,
    overheadMs: Math.max(0, durationMs - bodyMs - upstreamMs),
    upstreamMs,
    firstTokenMs: result.content.firstAt > 0 ? result.content.firstAt - exchange.startedAt : undefined,
    interTokenMs:
      options.stream && result.content.pieces > 1
        ? (result.content.lastAt - result.content.firstAt) / (result.content.pieces - 1)
        : undefined,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.sink.bytesOut,
    teamsJson: options.teamsJson,
    metadataJson: options.metadataJson,
    rulesJson: options.admission.rulesJson,
    chargesJson: options.admission.chargesJson,
    priceVersion: options.price.version,
    reservedNanoUsd: options.admission.reservedNanoUsd,
  };
}

function outcomeOf(result: RelayResult, aborted: boolean): ExchangeRecord['outcome'] {
  if (!result.error) return 'ok';
  if (aborted) return 'client-closed';
  return result.cut ? 'cut' : 'error';
}

function detailOf(error: GatewayError | undefined): string | undefined {
  if (!error) return undefined;
  const { detail, setting } = error.context;
  return detail ?? setting;
}
