import { z } from 'zod';
import { storableText } from '../store/storable-text.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';

const detailSchema = z.looseObject({
  request_id: z.string().optional(),
  /** `{target, error, ms}` of each attempt before the last. */
  failed_attempts: z.array(z.unknown()).optional(),
  error_detail: z.string().optional(),
});

export type RowDetail = z.output<typeof detailSchema>;

/** What is seldom there; null: nothing of it. */
export function detailOf(record: RecordView): string | null {
  const { id, requestId, attemptsJson, errorDetail } = record;
  if (requestId === id && attemptsJson === undefined && errorDetail === undefined) return null;
  return JSON.stringify({
    ...(requestId !== id && { request_id: storableText(requestId) }),
    ...(attemptsJson !== undefined && { failed_attempts: JSON.parse(attemptsJson) }),
    ...(errorDetail !== undefined && { error_detail: storableText(errorDetail) }),
  });
}

/** Empty where somebody changed it to something that cannot be read: the row's hash says so. */
export function readDetail(json: string | null): RowDetail {
  if (json === null) return {};
  try {
    return detailSchema.safeParse(JSON.parse(json)).data ?? {};
  } catch {
    return {};
  }
}
