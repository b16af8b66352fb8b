import type { Usage } from '../inference/usage.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

/**
 * The numbers of a row that nobody searches by, in this order and for ever: further ones come behind. As one text, because
 * each column is bound and stored for itself. Times in microseconds.
 */
export const ROW_NUMBERS = [
  'thread',
  'attempts',
  'duration_us',
  'overhead_us',
  'upstream_us',
  'first_token_us',
  'between_tokens_us',
  'bytes_in',
  'bytes_out',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'reasoning_output_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'provider_cost_usd',
  'reserved_nano_usd',
] as const;

type RowNumber = (typeof ROW_NUMBERS)[number];
export type RowNumbers = { readonly [Name in RowNumber]: number | undefined };

const NO_USAGE: Usage = {};

/** Empty: unknown. */
export function numbersOf(record: RecordView): string {
  const usage = record.usage ?? NO_USAGE;
  return (
    `${record.thread},${record.attempts},${us(record.durationMs)},${us(record.overheadMs)},${us(record.upstreamMs)},` +
    `${us(record.firstTokenMs)},${us(record.interTokenMs)},${record.bytesIn},${record.bytesOut},` +
    `${usage.cacheReadInputTokens ?? ''},${usage.cacheCreationInputTokens ?? ''},` +
    `${usage.cacheCreation1hInputTokens ?? ''},${usage.reasoningOutputTokens ?? ''},${usage.audioInputTokens ?? ''},` +
    `${usage.audioOutputTokens ?? ''},${usage.providerCostUsd ?? ''},${record.reservedNanoUsd ?? ''}`
  );
}

export function readNumbers(text: string): RowNumbers {
  const parts = text.split(',');
  const numbers: { [Name in RowNumber]?: number } = {};
  for (const [index, name] of ROW_NUMBERS.entries()) {
    const part = parts[index];
    numbers[name] = part === undefined || part === '' ? undefined : Number(part);
  }
  return numbers as RowNumbers;
}

function us(ms: number | undefined): number | '' {
  return ms === undefined ? '' : Math.round(ms * 1000);
}
