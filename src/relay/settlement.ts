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
  /** Takes a record that is followed by a better one; undefined: nobody wants it. */
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
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
  if (result.shortened) {
    use(record, result.shortened.usage, 'estimate', options.price);
    record.errorDetail = result.shortened.detail;
    close();
    return;
  }
  const { usage } = result.meter;
  if (usage) use(record, usage, 'provider', options.price);
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
  if (options.provisional) {
    const provisional: ExchangeRecord = { ...record, pending: true };
    use(provisional, { ...quickEstimate(result, exchange, options.stream), ...usage }, 'estimate', options.price);
    options.provisional(provisional);
  }
  options.estimate(request).then(
    (estimate) => {
      if (estimate) use(record, { ...estimate, ...usage }, 'estimate', options.price);
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

function use(record: ExchangeRecord, used: Usage, source: 'provider' | 'estimate', price: Price): void {
  record.usage = used;
  record.usageSource = source;
  record.costNanoUsd = price.costNanoUsd(used, record.startedAt);
  if (record.costNanoUsd !== undefined) record.priceTable = price.basis(used, record.startedAt);
}

/**
 * For the time until the tokens are counted: should the process end meanwhile, this is what the ledger knows.
 * About four bytes a token; of a stream nearly every piece of content is one.
 */
function quickEstimate({ content, meter }: RelayResult, { bytesIn }: Exchange, stream: boolean): Usage {
  const outputTokens = stream && content.pieces > 0 ? content.pieces : Math.ceil(meter.answerBytes / 4);
  return { inputTokens: Math.ceil(bytesIn / 4), outputTokens };
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
    attemptsJson: result.attemptsJson,
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
