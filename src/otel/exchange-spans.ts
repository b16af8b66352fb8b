import type { SpanNames } from '../config/server/otel.ts';
import { attemptSpanId, ownIds, parseTraceparent } from '../core/trace-context.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { SPAN_KIND, type Span, STATUS_ERROR } from './otlp-message.ts';
import { Attributes, answerAttributes, exchangeAttributes, operationOf, targetAttributes } from './span-names.ts';

/** An attempt before the last one, as the record tells it. `ms`: how long it took. */
interface FailedAttempt {
  readonly target: string;
  readonly error: string;
  readonly ms: number;
}

/**
 * One SERVER span for the exchange, and one CLIENT span for each attempt. The record knows how long each attempt took and
 * when the last one ended: failed ones stand before it without the pauses between them.
 */
export function exchangeSpans(record: RecordView, names: SpanNames): Span[] {
  const own = ownIds(record.id);
  const parent = parseTraceparent(record.traceparent);
  const traceId = parent?.traceId ?? own.traceId;
  const endMs = record.startedAt + record.durationMs;
  const spans: Span[] = [
    {
      traceId,
      spanId: own.spanId,
      ...(parent && { parentSpanId: parent.spanId }),
      name: `${record.method} ${record.path}`,
      kind: SPAN_KIND.server,
      startTimeUnixNano: nanoseconds(record.startedAt),
      endTimeUnixNano: nanoseconds(endMs),
      attributes: exchangeAttributes(record).list,
      // A refusal of the client's own fault is no failure of the server's: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
      ...(record.status >= 500 || record.outcome === 'cut' ? { status: failure(record.errorCode) } : {}),
    },
  ];
  if (record.guardrailsJson !== undefined) spans.push(...guardSpans(record, traceId, record.guardrailsJson));
  if (record.attempts === 0) return spans;
  const failed: FailedAttempt[] = record.attemptsJson === undefined ? [] : JSON.parse(record.attemptsJson);
  const failedMs = failed.reduce((sum, { ms }) => sum + ms, 0);
  let atMs = Math.max(record.startedAt, endMs - record.upstreamMs - failedMs);
  failed.forEach(({ target, error, ms }, index) => {
    const attributes = targetAttributes(record, target, names).text('error.type', error);
    const span = { name: nameOf(record, target), attributes: attributes.list, status: failure(error) };
    spans.push({ ...attemptSpan(record, traceId, index + 1, atMs, ms), ...span });
    atMs += ms;
  });
  const status =
    record.outcome === 'ok' || record.outcome === 'client-closed' ? {} : { status: failure(record.errorCode) };
  spans.push({
    ...attemptSpan(
      record,
      traceId,
      failed.length + 1,
      Math.max(record.startedAt, endMs - record.upstreamMs),
      record.upstreamMs,
    ),
    name: nameOf(record, record.target),
    attributes: answerAttributes(record, names).list,
    ...status,
  });
  return spans;
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
function guardSpans(record: RecordView, traceId: string, json: string): Span[] {
  const asked: AskedGuard[] = JSON.parse(json);
  const endMs = record.startedAt + record.durationMs;
  return asked.map(({ guardrail, hook, operation, result, ms }, index) => {
    const isInput = hook === 'llm-input' || hook === 'mcp-pre';
    const startMs = isInput ? record.startedAt : Math.max(record.startedAt, endMs - ms);
    const attributes = new Attributes()
      .text('tfy.span_type', 'Guardrail')
      .text('guardrail.name', guardrail)
      .text('guardrail.hook', hook)
      .text('guardrail.operation', operation)
      .text('guardrail.result', result);
    return {
      ...attemptSpan(record, traceId, FIRST_GUARD_SPAN + index, startMs, ms),
      kind: SPAN_KIND.internal,
      name: `guardrail ${guardrail}`,
      attributes: attributes.list,
      ...(result === 'error' && { status: failure('guardrail_error') }),
    };
  });
}

function attemptSpan(record: RecordView, traceId: string, attempt: number, startMs: number, ms: number) {
  return {
    traceId,
    spanId: attemptSpanId(record.id, attempt),
    parentSpanId: ownIds(record.id).spanId,
    kind: SPAN_KIND.client,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(startMs + ms),
  };
}

/** `{operation} {model}`, as the GenAI conventions ask. */
function nameOf(record: RecordView, target: string | undefined): string {
  const { genAi } = operationOf(record);
  return target === undefined ? genAi : `${genAi} ${target.slice(target.indexOf('/') + 1)}`;
}

function failure(code: string | undefined): { code: number; message?: string } {
  return { code: STATUS_ERROR, ...(code !== undefined && { message: code }) };
}

/** Milliseconds since the Unix epoch, to the microsecond that a double holds. */
export function nanoseconds(epochMs: number): string {
  return `${BigInt(Math.round(epochMs * 1000)) * 1000n}`;
}
