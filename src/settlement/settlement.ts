import { epochMs } from '../core/clock.ts';
import type { ProviderWords } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { ApiForm } from '../dialects/dialect.ts';
import { type ServedAs, servedAfter } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { RareCounts } from '../inference/usage-counters.ts';
import type { Admission } from '../limits/admission.ts';
import type { Target } from '../providers/provider.ts';
import type { Outcome } from '../relay/relay.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { Price } from '../usage/price-table.ts';
import { promptOf } from '../usage/prompt.ts';
import { quickEstimate, quickInputTokens } from '../usage/quick-estimate.ts';
import type { EstimateRequest } from '../usage/token-estimate.ts';

export type Estimator = (request: EstimateRequest) => Promise<Usage | undefined>;

export interface SettlementOptions {
  readonly thread: number;
  readonly log: Log;
  readonly exchange: Exchange;
  /** The client's API form. */
  readonly form: { readonly name: string; readonly answerText: ApiForm['answerText'] };
  readonly model: string;
  readonly stream: boolean;
  /** As the client asked to be served: so it is priced where the provider did not tell. */
  readonly servedAs: ServedAs | undefined;
  /** Answers that were asked for; 0: none, since the operation generates nothing (embeddings). */
  readonly choices: number;
  /** See PeekedRequest. */
  readonly counted: Readonly<RareCounts> | undefined;
  readonly free: true | undefined;
  readonly price: (target: Target) => Price;
  readonly estimate: Estimator;
  readonly record: (record: ExchangeRecord) => void;
  /** Takes a record that is followed by a better one; undefined: nobody wants it. */
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  readonly admission: Admission;
  readonly teamsJson: string | undefined;
  readonly metadataJson: string | undefined;
  /** See ExchangeRecord; undefined: the cache was not asked. */
  readonly cacheJson?: string | undefined;
  readonly providerWords: ProviderWords;
  readonly guardrailsJson?: string | undefined;
  /** performance.now() when the exchange was over, where it is settled later. */
  readonly closedAt?: number | undefined;
}

/**
 * The record of an exchange that reached a target: made once, when nothing is left to do. What was held for the exchange
 * is settled exactly once; a fault on the way is logged, never thrown, and gives it back.
 */
export function settle(result: Outcome, options: SettlementOptions): void {
  try {
    settleByUse(result, options);
  } catch (cause) {
    giveBack(cause, result, options);
  }
}

function settleByUse(result: Outcome, options: SettlementOptions): void {
  const price = options.price(result.target);
  const record = recordOf(result, price, options);
  const { shortened } = result;
  if (shortened) {
    use(record, servedAsAsked(shortened.usage, result, options), 'estimate', price);
    record.errorDetail = shortened.detail;
  } else if (options.free) record.costNanoUsd = 0;
  else if (result.partsTold !== undefined) use(record, result.meter.usage ?? {}, result.partsTold, price);
  else if (!isFailureOfProvider(result)) {
    const told = withCounted(result, options);
    if (told) use(record, generated(told, told.outputTokens, options), 'provider', price);
    else if (options.counted !== undefined) record.unknownCost = price.unknownCost({}, record.startedAt);
    if (options.counted === undefined && needsEstimate(result, options)) {
      settleByEstimate(record, price, result, options);
      return;
    }
  }
  close(record, result, options);
}

/** What was held is given back exactly here, and what was used is charged. */
function close(record: ExchangeRecord, result: Outcome, options: SettlementOptions): void {
  const { dispatched } = result;
  const { admission, record: take } = options;
  chargeLosers(record, result, options);
  const { usage } = record;
  const costNanoUsd = record.costNanoUsd ?? record.unknownCost?.atMostNanoUsd;
  const endedAtMs = record.startedAt + record.durationMs;
  admission.settle({ dispatched, usage, costNanoUsd, endedAtMs });
  take(record);
}

/**
 * A second attempt is billed although its answer was not wanted, and whatever became of the other: for what its provider
 * told until it was stopped, else for the prompt, as the other one counted it. So are the answered parts of one that failed. The receipt says for which attempt how much.
 */
function chargeLosers(record: ExchangeRecord, { losers }: Outcome, { price, free }: SettlementOptions): void {
  if (losers.length === 0 || free || record.attemptsJson === undefined) return;
  const hops: { nano_usd?: number }[] = JSON.parse(record.attemptsJson);
  let lostNanoUsd: number | undefined;
  for (const { target, meter, hop } of losers) {
    const inputTokens = record.usage?.inputTokens ?? quickInputTokens(record.bytesIn);
    const costNanoUsd = price(target).costNanoUsd(meter.usage ?? { inputTokens, outputTokens: 0 }, record.startedAt);
    if (costNanoUsd === undefined) continue;
    lostNanoUsd = (lostNanoUsd ?? 0) + costNanoUsd;
    hops[hop]!.nano_usd = costNanoUsd;
  }
  if (lostNanoUsd === undefined) return;
  record.attemptsJson = JSON.stringify(hops);
  const { unknownCost } = record;
  // An answer that failed costs nothing itself.
  if (unknownCost === undefined) record.costNanoUsd = (record.costNanoUsd ?? 0) + lostNanoUsd;
  else if (unknownCost.atMostNanoUsd !== undefined)
    record.unknownCost = { ...unknownCost, atMostNanoUsd: unknownCost.atMostNanoUsd + lostNanoUsd };
}

function giveBack(cause: unknown, { dispatched }: Outcome, { admission, exchange, log }: SettlementOptions): void {
  log.error({ exchange: exchange.id, error: cause }, 'an exchange could not be settled');
  try {
    admission.settle({ dispatched, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
  } catch {
    // The settling itself is what failed, and that was logged.
  }
}

function settleByEstimate(record: ExchangeRecord, price: Price, result: Outcome, options: SettlementOptions): void {
  const { exchange, form, provisional } = options;
  const { meter } = result;
  const answerForm = result.wireName ?? form.name;
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
  const quick = generated(
    quickEstimate({ bodyBytes: exchange.bytesIn, meter, answerText, pieces }),
    undefined,
    options,
  );
  const useEstimate = (of: ExchangeRecord, estimate: Usage): void =>
    use(
      of,
      servedAsAsked(generated(filledUp(meter.usage, estimate), meter.usage?.outputTokens, options), result, options),
      'estimate',
      price,
    );
  if (provisional) {
    const early: ExchangeRecord = { ...record, pending: true };
    useEstimate(early, quick);
    provisional(early);
  }
  options.admission.over();
  const closeWith = (estimate: Usage): void => {
    useEstimate(record, estimate);
    close(record, result, options);
  };
  options
    .estimate(request)
    .then(
      (estimate) => closeWith({ ...quick, ...estimate }),
      // As where too many wait to be counted: an exchange that nobody counts would be free of charge.
      () => closeWith(quick),
    )
    .catch((cause) => giveBack(cause, result, options));
}

function use(record: ExchangeRecord, used: Usage, source: 'provider' | 'estimate', price: Price): void {
  record.usage = used;
  record.usageSource = source;
  const costNanoUsd = price.costNanoUsd(used, record.startedAt);
  const known = costNanoUsd !== undefined;
  record.costNanoUsd = costNanoUsd;
  record.priceTable = known ? price.basis(used, record.startedAt) : undefined;
  record.unknownCost = known ? undefined : price.unknownCost(used, record.startedAt);
}

/** What the request itself tells is used where an answer came, whatever the answer tells besides. */
function withCounted(result: Outcome, { counted, servedAs }: SettlementOptions): Usage | undefined {
  const { error, meter } = result;
  if (counted === undefined || (error !== undefined && meter.answerBytes === 0)) return meter.usage;
  const told = meter.usage;
  if (told?.rare === undefined && isEmpty(counted)) return told;
  const used: Usage = { ...told, rare: { ...counted, ...told?.rare } };
  if (servedAs === undefined) return used;
  // No answer tells size and quality of an image, whatever else it tells.
  const { imageSize, imageQuality } = servedAs;
  const asked = told === undefined ? servedAs : servedAfter({ imageSize, imageQuality }, told.servedAs ?? {});
  return asked === undefined ? used : { ...used, servedAs: asked };
}

function isEmpty(counts: Readonly<RareCounts>): boolean {
  return Object.keys(counts).length === 0;
}

/** A provider that told nothing did not tell its tier either: what was asked for is the best that is known. */
function servedAsAsked(used: Usage, { meter }: Outcome, { servedAs }: SettlementOptions): Usage {
  return meter.usage === undefined && servedAs !== undefined ? { ...used, servedAs } : used;
}

/**
 * Its own verdict, with a status or inside a 200, or what is no answer at all: nothing is charged for it, whatever came
 * before it.
 */
function isFailureOfProvider({ error, cut }: Outcome): boolean {
  return error?.rule.stage === 'provider' || (error?.code === 'upstream_protocol' && !cut);
}

/**
 * The provider's count stands where the answer is whole, and where nothing came behind it. Without an answer's bytes, or
 * with those of an error, nothing was generated that could be billed.
 */
function needsEstimate(
  { error, cut, meter, content }: Outcome,
  { exchange: { aborted }, choices }: SettlementOptions,
): boolean {
  // Units and tokens of the input are told, or nothing is.
  if (choices === 0) return error === undefined && meter.usage === undefined && meter.answerBytes > 0;
  const told = error === undefined ? meter.usage?.outputTokens !== undefined : meter.countedOutput;
  if (told || meter.answerBytes === 0) return false;
  return error === undefined || cut || aborted !== undefined || content.pieces > 0;
}

/** Where nothing is generated there are no output tokens, unless the provider counts some all the same. */
function generated(usage: Usage, told: number | undefined, { choices, counted }: SettlementOptions): Usage {
  return choices === 0 && counted === undefined ? { ...usage, outputTokens: told ?? 0 } : usage;
}

/** What the provider said stands, but for a count of output that was only its first. */
function filledUp(told: Usage | undefined, estimate: Usage): Usage {
  const filled: Usage = { ...estimate, ...told };
  const first = told?.outputTokens;
  if (first !== undefined && estimate.outputTokens !== undefined)
    filled.outputTokens = Math.max(first, estimate.outputTokens);
  return filled;
}

function recordOf(result: Outcome, price: Price, options: SettlementOptions): ExchangeRecord {
  const { exchange } = options;
  const { error, target } = result;
  const now = options.closedAt ?? performance.now();
  const { upstreamMs } = result;
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
    // What the drain deadline ends was not left by its client.
    outcome: outcomeOf(result, exchange.aborted !== undefined && exchange.aborted !== 'drain'),
    errorCode: error?.code,
    errorDetail: error?.recordedDetail(options.providerWords),
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
    rulesJson: result.rulesJson,
    chargesJson: options.admission.chargesJson,
    attemptsJson: result.attemptsJson,
    priceVersion: price.version,
    reservedNanoUsd: options.admission.reservedNanoUsd,
    traceparent: exchange.headers.clientTraceparent,
    guardrailsJson: options.guardrailsJson,
    cacheJson: options.cacheJson,
  };
}

function outcomeOf(result: Outcome, aborted: boolean): ExchangeRecord['outcome'] {
  if (!result.error) return 'ok';
  if (aborted) return 'client-closed';
  return result.cut ? 'cut' : 'error';
}
