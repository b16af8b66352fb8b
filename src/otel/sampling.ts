import type { OtelSettings } from '../config/server/otel.ts';
import { ownShare, parseTraceparent, shareOf } from '../core/trace-context.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

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
  return (parent === undefined ? ownShare(record.id) : shareOf(parent.traceId)) < sampleRatio;
}
