import type { Usage } from '../inference/usage.ts';
import type { LedgerRow } from '../store/ledger-frame.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { detailOf } from './row-detail.ts';

const NO_USAGE: Usage = {};

/** What the ledger keeps of an exchange, besides what its labels say. Times that have no digit behind the point in it are cut. */
export function ledgerRow(record: RecordView, labels: string): LedgerRow {
  const { startedAt, durationMs } = record;
  const usage = record.usage ?? NO_USAGE;
  return {
    id: record.id,
    labels,
    started_at: Math.floor(startedAt),
    ended_at: Math.floor(startedAt + durationMs),
    status: record.status,
    input_tokens: whole(usage.inputTokens),
    output_tokens: whole(usage.outputTokens),
    cost_nano_usd: whole(record.costNanoUsd),
    numbers: {
      thread: record.thread,
      attempts: record.attempts,
      duration_us: microseconds(durationMs),
      overhead_us: microseconds(record.overheadMs),
      upstream_us: microseconds(record.upstreamMs),
      first_token_us: microseconds(record.firstTokenMs),
      between_tokens_us: microseconds(record.interTokenMs),
      bytes_in: record.bytesIn,
      bytes_out: record.bytesOut,
      cache_read_input_tokens: usage.cacheReadInputTokens,
      cache_creation_input_tokens: usage.cacheCreationInputTokens,
      cache_creation_1h_input_tokens: usage.cacheCreation1hInputTokens,
      reasoning_output_tokens: usage.reasoningOutputTokens,
      audio_input_tokens: usage.audioInputTokens,
      audio_output_tokens: usage.audioOutputTokens,
      provider_cost_usd: usage.providerCostUsd,
      reserved_nano_usd: record.reservedNanoUsd,
    },
    detail: detailOf(record),
  };
}

function microseconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1000);
}

/** A provider that counts in fractions is no reason to lose a row. */
function whole(count: number | undefined): number | undefined {
  if (count === undefined) return undefined;
  const rounded = Math.round(count);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}
