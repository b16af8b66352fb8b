import { Buffer } from 'node:buffer';
import type { SpanNames } from '../config/server/otel.ts';
import { attemptIdBytes, ownIdBytes, parseTraceparent } from '../core/trace-context.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { SPAN_KIND, STATUS_ERROR } from './otlp-message.ts';
import { answerAttributes, exchangeAttributes, operationOf, targetAttributes } from './span-names.ts';
import type { SpanHead, SpanSink, SpanStatus } from './span-sink.ts';

/** An attempt before the last one, as the record tells it. `ms`: how long it took. */
interface FailedAttempt {
  readonly target: string;
  readonly error: string;
  readonly ms: number;
}

/** The ids of the span that all others of an exchange stand below. */
interface Above {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
}

/** Written anew for each exchange, and for each attempt. */
const ownBytes = Buffer.alloc(24);
const OWN: Above = { traceId: ownBytes.subarray(0, 16), spanId: ownBytes.subarray(16) };
const attemptId = Buffer.alloc(8);

/**
 * One SERVER span for the exchange, and one CLIENT span for each attempt. The record knows how long each attempt took and
 * when the last one ended: failed ones stand before it without the pauses between them.
 */
export function exchangeSpans(record: RecordView, names: SpanNames, into: SpanSink): void {
  ownIdBytes(record.id, ownBytes);
  const parent = parseTraceparent(record.traceparent);
  const above = parent === undefined ? OWN : { traceId: Buffer.from(parent.traceId, 'hex'), spanId: OWN.spanId };
  const endMs = record.startedAt + record.durationMs;
  into.begin({
    traceId: above.traceId,
    spanId: above.spanId,
    parentSpanId: parent && Buffer.from(parent.spanId, 'hex'),
    name: `${record.method} ${record.path}`,
    kind: SPAN_KIND.server,
    startMs: record.startedAt,
    endMs,
  });
  exchangeAttributes(record, into);
  // A refusal of the client's own fault is no failure of the server's: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
  into.end(record.status >= 500 || record.outcome === 'cut' ? failure(record.errorCode) : undefined);
  if (record.guardrailsJson !== undefined) guardSpans(record, above, record.guardrailsJson, into);
  if (record.attempts > 0) attemptSpans(record, above, names, into);
}

function attemptSpans(record: RecordView, above: Above, names: SpanNames, into: SpanSink): void {
  const { upstreamMs } = record;
  const endMs = record.startedAt + record.durationMs;
  const failed: FailedAttempt[] = record.attemptsJson === undefined ? [] : JSON.parse(record.attemptsJson);
  const failedMs = failed.reduce((sum, { ms }) => sum + ms, 0);
  let atMs = Math.max(record.startedAt, endMs - upstreamMs - failedMs);
  failed.forEach(({ target, error, ms }, index) => {
    into.begin(attemptHead(record, above, index + 1, nameOf(record, target), atMs, ms));
    targetAttributes(record, target, names, into);
    into.text('error.type', error).end(failure(error));
    atMs += ms;
  });
  const startMs = Math.max(record.startedAt, endMs - upstreamMs);
  into.begin(attemptHead(record, above, failed.length + 1, nameOf(record, record.target), startMs, upstreamMs));
  answerAttributes(record, names, into);
  const isWell = record.outcome === 'ok' || record.outcome === 'client-closed';
  into.end(isWell ? undefined : failure(record.errorCode));
}

interface AskedGuard {
  readonly guardrail: string;
  readonly hook: string;
  readonly operation: string;
  readonly result: string;
  readonly ms: number;
}

/** Behind the attempts, of which there are never so many. */
const FIRST_GUARD_SPAN = 1_000;

/** Guards of the input stand at the beginning of the exchange, those of the output at its end: their order is not known. */
function guardSpans(record: RecordView, above: Above, json: string, into: SpanSink): void {
  const asked: AskedGuard[] = JSON.parse(json);
  const endMs = record.startedAt + record.durationMs;
  asked.forEach(({ guardrail, hook, operation, result, ms }, index) => {
    const isInput = hook === 'llm-input' || hook === 'mcp-pre';
    const startMs = isInput ? record.startedAt : Math.max(record.startedAt, endMs - ms);
    const head = attemptHead(record, above, FIRST_GUARD_SPAN + index, `guardrail ${guardrail}`, startMs, ms);
    into
      .begin({ ...head, kind: SPAN_KIND.internal })
      .text('tfy.span_type', 'Guardrail')
      .text('guardrail.name', guardrail)
      .text('guardrail.hook', hook)
      .text('guardrail.operation', operation)
      .text('guardrail.result', result)
      .end(result === 'error' ? failure('guardrail_error') : undefined);
  });
}

function attemptHead(
  record: RecordView,
  above: Above,
  attempt: number,
  name: string,
  startMs: number,
  ms: number,
): SpanHead {
  attemptIdBytes(record.id, attempt, attemptId);
  return {
    traceId: above.traceId,
    spanId: attemptId,
    parentSpanId: above.spanId,
    name,
    kind: SPAN_KIND.client,
    startMs,
    endMs: startMs + ms,
  };
}

/** `{operation} {model}`, as the GenAI conventions ask. */
function nameOf(record: RecordView, target: string | undefined): string {
  const { genAi } = operationOf(record);
  return target === undefined ? genAi : `${genAi} ${target.slice(target.indexOf('/') + 1)}`;
}

function failure(code: string | undefined): SpanStatus {
  return { code: STATUS_ERROR, ...(code !== undefined && { message: code }) };
}
