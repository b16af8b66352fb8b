import type { Usage } from '../inference/usage.ts';

/** As `UnknownCost.part`: no price is known of the model. */
export const NO_PRICE = 'price';

/** Why nobody knows what an exchange cost, although its answer was billed. */
export interface UnknownCost {
  /**
   * What could not be priced: `price` (no price is known), the column of a counter (`audio_input_tokens`), or a term with
   * its value (`service_tier=scale`).
   */
  readonly part: string;
  /** What budgets are charged all the same, in integer nano-dollars: the most that it can have been; absent: no idea. */
  readonly atMostNanoUsd?: number;
}

/**
 * The facts of one exchange when it is over. Everything observed (log line, metric, span, ledger row, charge) is
 * derived from this and from nothing else. Plain data; crosses threads as msgpack. No bodies, no secrets.
 */
export interface ExchangeRecord {
  id: string;
  requestId: string;
  /** Milliseconds since the Unix epoch. */
  startedAt: number;
  durationMs: number;
  thread: number;
  method: string;
  /** Route path, as `/chat/completions`. */
  path: string;
  /** Status the client saw; 499 where it left first. */
  status: number;
  outcome: 'ok' | 'error' | 'client-closed' | 'cut';
  /** Code of ERRORS; undefined where all went well. */
  errorCode?: string;
  /** The detail that the log alone has; never a secret, never a body. */
  errorDetail?: string;
  subject?: string;
  keyId?: string;
  /** Model as asked for, canonical (`account/model`); undefined where it was never resolved. */
  model?: string;
  /** Target that answered (or was tried last). */
  target?: string;
  provider?: string;
  stream: boolean;
  attempts: number;
  usage?: Usage;
  usageSource?: 'provider' | 'estimate';
  /** Integer nano-dollars (1e-9 USD); undefined where it is not known: `unknownCost` says why. */
  costNanoUsd?: number;
  unknownCost?: UnknownCost;
  /** Time of the exchange that was ours: durationMs minus upstreamMs minus the wait for the client's body. */
  overheadMs: number;
  upstreamMs: number;
  firstTokenMs?: number;
  /** Mean time between two pieces of content. */
  interTokenMs?: number;
  bytesIn: number;
  bytesOut: number;
  /** JSON array of the principal's teams; absent: none. Texts that repeat are made once and cross as references. */
  teamsJson?: string;
  /** JSON object of the metadata keys that ledger or metrics may keep; absent: none. */
  metadataJson?: string;
  /** JSON as in `x-tfy-applied-rules`; absent: no rule applied. */
  rulesJson?: string;
  /** JSON array of `[budget id, group]`: what this exchange is charged to. */
  chargesJson?: string;
  /** JSON array of `{target, error, ms, status, why, nano_usd}`: attempts before the last one; absent: there was one. */
  attemptsJson?: string;
  /** The price table that the cost came from: `account`, the price library with its version, or `none`. */
  priceVersion?: string;
  /** The rates of it as JSON, or `reported`: the provider's own bill (usage/price-basis.ts); absent where there is no cost. */
  priceTable?: string;
  /** JSON of `{address, userAgent, path}`: where a request came from that was refused, for the log. */
  clientJson?: string;
  /**
   * A further record of this exchange follows with better figures, as soon as its tokens are counted: for the ledger's
   * journal alone, so that a crash meanwhile does not lose the exchange.
   */
  pending?: boolean;
  /** What was held for it before it was sent, in integer nano-dollars. */
  reservedNanoUsd?: number;
  /** The client's trace context, where traces are exported. */
  traceparent?: string;
  /** JSON array of `{guardrail, hook, operation, strategy, result, ms, detail}`: guards that were asked; absent: none was. */
  guardrailsJson?: string;
  /** JSON of `{status, type, rule, from, saved_nano_usd}`: what the cache was asked for and said; absent: it was not asked. */
  cacheJson?: string;
  /** Never there: a view that is taken for a record does not compile. */
  fleeting?: never;
}

/**
 * A record that may be looked at and not kept: behind it may stand a place in a frame, from which the next record is read
 * a moment later. Its texts and numbers may be kept, the view itself only as `keptRecord`. Every record is a view as well.
 */
export interface RecordView extends Readonly<Omit<ExchangeRecord, 'usage' | 'fleeting'>> {
  readonly usage?: Readonly<Usage> | undefined;
  readonly fleeting?: true;
  /** Records with the same number here have the same texts; absent: nobody knows who else has them. */
  readonly like?: number | undefined;
}

/** Every field is named, be its value undefined: what is added to `T` and not carried does not compile. */
export type Complete<T> = { [Field in keyof Required<T>]: T[Field] };

/** A record of its own, for whoever keeps it. */
export function keptRecord(view: RecordView): ExchangeRecord {
  return {
    id: view.id,
    requestId: view.requestId,
    startedAt: view.startedAt,
    durationMs: view.durationMs,
    thread: view.thread,
    method: view.method,
    path: view.path,
    status: view.status,
    outcome: view.outcome,
    errorCode: view.errorCode,
    errorDetail: view.errorDetail,
    subject: view.subject,
    keyId: view.keyId,
    model: view.model,
    target: view.target,
    provider: view.provider,
    stream: view.stream,
    attempts: view.attempts,
    usage: view.usage && keptUsage(view.usage),
    usageSource: view.usageSource,
    costNanoUsd: view.costNanoUsd,
    unknownCost: view.unknownCost,
    overheadMs: view.overheadMs,
    upstreamMs: view.upstreamMs,
    firstTokenMs: view.firstTokenMs,
    interTokenMs: view.interTokenMs,
    bytesIn: view.bytesIn,
    bytesOut: view.bytesOut,
    teamsJson: view.teamsJson,
    metadataJson: view.metadataJson,
    rulesJson: view.rulesJson,
    chargesJson: view.chargesJson,
    attemptsJson: view.attemptsJson,
    priceVersion: view.priceVersion,
    priceTable: view.priceTable,
    clientJson: view.clientJson,
    pending: view.pending,
    reservedNanoUsd: view.reservedNanoUsd,
    traceparent: view.traceparent,
    guardrailsJson: view.guardrailsJson,
    cacheJson: view.cacheJson,
  } satisfies Complete<Omit<ExchangeRecord, 'fleeting'>>;
}

/** One by one: a loop over the names takes half as long again for a whole record (bench: record-encoding). */
function keptUsage(usage: Readonly<Usage>): Usage {
  return {
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    cacheReadInputTokens: usage.cacheReadInputTokens,
    cacheCreationInputTokens: usage.cacheCreationInputTokens,
    cacheCreation1hInputTokens: usage.cacheCreation1hInputTokens,
    reasoningOutputTokens: usage.reasoningOutputTokens,
    audioInputTokens: usage.audioInputTokens,
    audioOutputTokens: usage.audioOutputTokens,
    rare: usage.rare,
    servedAs: usage.servedAs,
    providerCostUsd: usage.providerCostUsd,
  } satisfies Complete<Usage>;
}
