import type { OtelSettings } from '../config/configuration.ts';
import { ownIds, parseTraceparent } from '../core/trace-context.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

/** The 56 random bits that a ratio is held against, as other gateways of the same trace do. */
const RANDOM_DIGITS = 14;

/**
 * Whether the spans of an exchange are exported: failures, slow and costly ones always; what the client samples, too; of the
 * rest a share, chosen by the trace id so that all who see the trace choose alike.
 */
export function isSampled(record: RecordView, settings: OtelSettings): boolean {
  const { sampleRatio, keepSlowerThanMs, keepCostlierThanUsd } = settings;
  if (record.outcome === 'error' || record.outcome === 'cut') return true;
  if (keepSlowerThanMs !== undefined && record.durationMs > keepSlowerThanMs) return true;
  if (keepCostlierThanUsd !== undefined && (record.costNanoUsd ?? 0) > keepCostlierThanUsd * 1e9) return true;
  const parent = parseTraceparent(record.traceparent);
  if (parent?.sampled) return true;
  if (sampleRatio >= 1) return true;
  const { traceId } = parent ?? ownIds(record.id);
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) < sampleRatio * 16 ** RANDOM_DIGITS;
}
