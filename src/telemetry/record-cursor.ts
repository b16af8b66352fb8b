import type { Usage } from '../inference/usage.ts';
import { type ColumnReader, NO_ORIGIN, type UsageRest } from './column-reader.ts';
import type { Complete, ExchangeRecord, RecordView, UnknownCost } from './exchange-record.ts';
import { NUMBER, PENDING, SAME_TEXTS, STREAM, TEXT } from './frame-columns.ts';

/** The runs of records with the same texts so far, over all frames of this thread; an overflow does no harm. */
let runs = 0;

/** One view on a frame that is moved from record to record, in their order. */
export class RecordCursor implements Complete<RecordView> {
  readonly fleeting = true;
  readonly #columns: ColumnReader;
  readonly #usage: UsageCursor;
  #index = 0;
  /** Where its numbers and its references begin. */
  #n = 0;
  #t = 0;
  #like = 0;

  constructor(columns: ColumnReader) {
    this.#columns = columns;
    this.#usage = new UsageCursor(columns);
  }

  moveTo(index: number): void {
    this.#index = index;
    this.#n = index * this.#columns.numbersPerRecord;
    this.#t = index * this.#columns.textsPerRecord;
    if ((this.#columns.number(this.#n + NUMBER.flags) & SAME_TEXTS) !== 0) return;
    runs = (runs + 1) | 0;
    this.#like = runs;
  }

  get like(): number {
    return this.#like;
  }

  get id(): string {
    return this.#columns.ids[this.#index]!;
  }
  get requestId(): string {
    return this.#columns.text(this.#t + TEXT.requestId) ?? this.id;
  }
  get startedAt(): number {
    return this.#columns.number(this.#n + NUMBER.startedAt);
  }
  get durationMs(): number {
    return this.#columns.number(this.#n + NUMBER.durationMs);
  }
  get thread(): number {
    return this.#columns.number(this.#n + NUMBER.thread);
  }
  get method(): string {
    return this.#label(TEXT.method) ?? '';
  }
  get path(): string {
    return this.#label(TEXT.path) ?? '';
  }
  get status(): number {
    return this.#columns.number(this.#n + NUMBER.status);
  }
  get outcome(): ExchangeRecord['outcome'] {
    return this.#label(TEXT.outcome) as ExchangeRecord['outcome'];
  }
  get errorCode(): string | undefined {
    return this.#label(TEXT.errorCode);
  }
  get errorDetail(): string | undefined {
    return this.#text(TEXT.errorDetail);
  }
  get subject(): string | undefined {
    return this.#label(TEXT.subject);
  }
  get keyId(): string | undefined {
    return this.#label(TEXT.keyId);
  }
  get model(): string | undefined {
    return this.#label(TEXT.model);
  }
  get target(): string | undefined {
    return this.#label(TEXT.target);
  }
  get provider(): string | undefined {
    return this.#columns.origin(this.#t + TEXT.origin).provider;
  }
  get stream(): boolean {
    return (this.#columns.number(this.#n + NUMBER.flags) & STREAM) !== 0;
  }
  get pending(): true | undefined {
    return (this.#columns.number(this.#n + NUMBER.flags) & PENDING) !== 0 ? true : undefined;
  }
  get attempts(): number {
    return this.#columns.number(this.#n + NUMBER.attempts);
  }
  get usage(): Readonly<Usage> | undefined {
    const origin = this.#columns.origin(this.#t + TEXT.origin);
    if (!origin.hasUsage) return undefined;
    this.#usage.moveTo(this.#n, origin.usageRest);
    return this.#usage;
  }
  get usageSource(): ExchangeRecord['usageSource'] {
    return this.#columns.origin(this.#t + TEXT.origin).usageSource;
  }
  get costNanoUsd(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.costNanoUsd));
  }
  get unknownCost(): UnknownCost | undefined {
    if (TEXT.unknownCost >= this.#columns.textsPerRecord) return undefined;
    return this.#columns.unknownCost(this.#t + TEXT.unknownCost);
  }
  get overheadMs(): number {
    return this.#columns.number(this.#n + NUMBER.overheadMs);
  }
  get upstreamMs(): number {
    return this.#columns.number(this.#n + NUMBER.upstreamMs);
  }
  get firstTokenMs(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.firstTokenMs));
  }
  get interTokenMs(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.interTokenMs));
  }
  get bytesIn(): number {
    return this.#columns.number(this.#n + NUMBER.bytesIn);
  }
  get bytesOut(): number {
    return this.#columns.number(this.#n + NUMBER.bytesOut);
  }
  get teamsJson(): string | undefined {
    return this.#label(TEXT.teamsJson);
  }
  get metadataJson(): string | undefined {
    return this.#label(TEXT.metadataJson);
  }
  get rulesJson(): string | undefined {
    return this.#label(TEXT.rulesJson);
  }
  get chargesJson(): string | undefined {
    return this.#label(TEXT.chargesJson);
  }
  get attemptsJson(): string | undefined {
    return this.#text(TEXT.attemptsJson);
  }
  get priceVersion(): string | undefined {
    return this.#label(TEXT.priceVersion);
  }
  get priceTable(): string | undefined {
    return this.#label(TEXT.priceTable);
  }
  get clientJson(): string | undefined {
    return this.#text(TEXT.clientJson);
  }
  get traceparent(): string | undefined {
    return this.#text(TEXT.traceparent);
  }
  get guardrailsJson(): string | undefined {
    return this.#text(TEXT.guardrailsJson);
  }
  get cacheJson(): string | undefined {
    return this.#label(TEXT.cacheJson);
  }
  get reservedNanoUsd(): number | undefined {
    if (NUMBER.reservedNanoUsd >= this.#columns.numbersPerRecord) return undefined;
    return known(this.#columns.number(this.#n + NUMBER.reservedNanoUsd));
  }

  #text(field: number): string | undefined {
    return field < this.#columns.textsPerRecord ? this.#columns.text(this.#t + field) : undefined;
  }

  #label(field: number): string | undefined {
    return field < this.#columns.textsPerRecord ? this.#columns.label(this.#t + field) : undefined;
  }
}

class UsageCursor implements Complete<Readonly<Usage>> {
  readonly #columns: ColumnReader;
  #n = 0;
  #rest: UsageRest = NO_ORIGIN.usageRest;

  constructor(columns: ColumnReader) {
    this.#columns = columns;
  }

  moveTo(n: number, rest: UsageRest): void {
    this.#n = n;
    this.#rest = rest;
  }

  get inputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.inputTokens));
  }
  get outputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.outputTokens));
  }
  get cacheReadInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheReadInputTokens));
  }
  get cacheCreationInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheCreationInputTokens));
  }
  get cacheCreation1hInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.cacheCreation1hInputTokens));
  }
  get reasoningOutputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.reasoningOutputTokens));
  }
  get audioInputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.audioInputTokens));
  }
  get audioOutputTokens(): number | undefined {
    return known(this.#columns.number(this.#n + NUMBER.audioOutputTokens));
  }
  get rare(): Usage['rare'] {
    return this.#rest.rare;
  }
  get servedAs(): Usage['servedAs'] {
    return this.#rest.servedAs;
  }
  get providerCostUsd(): number | undefined {
    return this.#rest.providerCostUsd;
  }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
