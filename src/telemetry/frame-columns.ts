import { Packr } from 'msgpackr';
import type { NumberCounter } from '../inference/usage-counters.ts';

/*
 * A batch as columns: all numbers in one array of doubles (NaN: unknown), every other text once per frame with 16-bit
 * references to it, ids apart. msgpack carries these four pieces. Rows of values took three times as long to encode
 * under load (bench: record-encoding). Frames also stand in the journal of the ledger and may outlive the build that wrote
 * them: fields are only ever added behind the last one, and what an older frame does not have is undefined.
 */
export interface FrameColumns {
  /** One a line. */
  readonly ids: string;
  readonly texts: string[];
  readonly numbers: Uint8Array;
  readonly references: Uint8Array;
}

export const packr = new Packr({ useRecords: false });

/** Places in the numbers of a record. */
export const NUMBER = {
  startedAt: 0,
  durationMs: 1,
  thread: 2,
  status: 3,
  flags: 4,
  attempts: 5,
  costNanoUsd: 6,
  overheadMs: 7,
  upstreamMs: 8,
  firstTokenMs: 9,
  interTokenMs: 10,
  bytesIn: 11,
  bytesOut: 12,
  inputTokens: 13,
  outputTokens: 14,
  cacheReadInputTokens: 15,
  cacheCreationInputTokens: 16,
  cacheCreation1hInputTokens: 17,
  reasoningOutputTokens: 18,
  audioInputTokens: 19,
  audioOutputTokens: 20,
  reservedNanoUsd: 21,
} as const satisfies Record<NumberCounter, number> & Record<string, number>;
export const NUMBERS = 22;

/** Places in the references of a record. */
export const TEXT = {
  requestId: 0,
  method: 1,
  path: 2,
  outcome: 3,
  errorCode: 4,
  errorDetail: 5,
  subject: 6,
  keyId: 7,
  model: 8,
  target: 9,
  /**
   * Provider, source of the usage, the provider's own cost and, as JSON, what else of the usage is no number of its own,
   * one a line: few combinations, one reference.
   */
  origin: 10,
  teamsJson: 11,
  metadataJson: 12,
  rulesJson: 13,
  chargesJson: 14,
  attemptsJson: 15,
  priceVersion: 16,
  priceTable: 17,
  /** Its part and amount, one a line. */
  unknownCost: 18,
  clientJson: 19,
  traceparent: 20,
  guardrailsJson: 21,
  cacheJson: 22,
} as const;
export const TEXTS = 23;

/** Flags in one number. */
export const STREAM = 1;
export const PENDING = 2;
/** Its texts are those of the record before it in its frame. Frames of older builds do not say it. */
export const SAME_TEXTS = 4;
/** Reference 0: undefined; the others count from 1. */
export const NO_TEXT = 0;
/** As the source of the usage: there is none. */
export const NO_USAGE = '-';
