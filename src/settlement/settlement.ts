import { epochMs } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { ApiForm } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import type { RelayResult } from '../relay/relay.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { Price } from '../usage/price-table.ts';
import { promptOf } from '../usage/prompt.ts';
import { quickEstimate } from '../usage/quick-estimate.ts';
import type { EstimateRequest } from '../usage/token-estimate.ts';

export type Estimator = (request: EstimateRequest) => Promise<Usage | undefined>;

export interface SettlementOptions {
  readonly thread: number;
  readonly exchange: Exchange;
  /** The client's API form. */
  readonly form: ApiForm;
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
  over(): void;
  settle(outcome: {
    dispatched: boolean;
    usage: Usage | undefined;
    costNanoUsd: number | undefined;
    endedAtMs: number;
  }): void;
}

/** The record of an exchange that reached a target: made once, when nothing is left to do. */
export function settle(result: RelayResult, options: SettlementOptions): void {
  const record = recordOf(result, options);
  const { meter, shortened } = result;
  if (shortened) {
    use(record, shortened.usage, 'estimate', options.price);
    record.errorDetail = shortened.detail;
  } else if (!isFailureOfProvider(result.error)) {
    if (meter.usage) use(record, meter.usage, 'provider', options.price);
    if (needsEstimate(result, options.exchange)) {
      settleByEstimate(record, result, options);
      return;
    }
  }
  close(record, result, options);
}

/** What was held is given back exactly here, and what was used is charged. */
function close(
  record: ExchangeRecord,
  { dispatched }: RelayResult,
  { admission, record: take }: SettlementOptions,
): void {
  const { usage, costNanoUsd } = record;
  const endedAtMs = record.startedAt + record.durationMs;
  admission.settle({ dispatched, usage, costNanoUsd, endedAtMs });
  take(record);
}

function settleByEstimate(record: ExchangeRecord, result: RelayResult, options: SettlementOptions): void {
  const { exchange, form, price, provisional } = options;
  const { meter } = result;
  const answerForm = result.target.wire.name;
  const request: EstimateRequest = {
    promptForm: form.name,
    answerForm,
    prompt: result.prompt ?? promptOf(exchange.body, exchange.body.length),
    outputSample: meter.sample(),
    outputTotalBytes: meter.answerBytes,
    model: result.target.modelId,
  };
  const pieces = options.stream ? result.content.pieces : 0;
  const answerText = answerForm === form.name ? form.answerText : () => undefined;
  const quick = quickEstimate({ bodyBytes: exchange.bytesIn, meter, answerText, pieces });
  if (provisional) {
    const early: ExchangeRecord = { ...record, pending: true };
    use(early, filledUp(meter.usage, quick), 'estimate', price);
    provisional(early);
  }
  options.admission.over();
  const closeWith = (estimate: Usage): void => {
    use(record, filledUp(meter.usage, estimate), 'estimate', price);
    close(record, result, options);
  };
  options.estimate(request).then(
    (estimate) => closeWith({ ...quick, ...estimate }),
    // As where too many wait to be counted: an exchange that nobody counts would be free of charge.
    () => closeWith(quick),
  );
}

function use(record: ExchangeRecord, used: Usage, source: 'provider' | 'estimate', price: Price): void {
  record.usage = used;
  record.usageSource = source;
  record.costNanoUsd = price.costNanoUsd(used, record.startedAt);
  if (record.costNanoUsd !== undefined) record.priceTable = price.basis(used, record.startedAt);
}

/** Its own verdict, with a status or inside a 200: nothing is charged for it, whatever came before it. */
function isFailureOfProvider(error: GatewayError | undefined): boolean {
  return error?.rule.stage === 'provider';
}

/**
 * The provider's count stands where the answer is whole, and where nothing came behind it. Without an answer's bytes, or
 * with those of an error, nothing was generated that could be billed.
 */
function needsEstimate({ error, cut, meter, content }: RelayResult, { aborted }: Exchange): boolean {
  const told = error === undefined ? meter.usage?.outputTokens !== undefined : meter.countedOutput;
  if (told || meter.answerBytes === 0) return false;
  return error === undefined || cut || aborted !== undefined || content.pieces > 0;
}

/** What the provider said stands, but for a count of output that was only its first. */
function filledUp(told: Usage | undefined, estimate: Usage): Usage {
  const filled: Usage = { ...estimate, ...told };
  const first = told?.outputTokens;
  if (first !== undefined && estimate.outputTokens !== undefined)
    filled.outputTokens = Math.max(first, estimate.outputTokens);
  return filled;
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
