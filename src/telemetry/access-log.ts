import pino from 'pino';
import type { ExchangeRecord } from './exchange-record.ts';
import type { LineDestination } from './line-destination.ts';

export type AccessLogMode = 'all' | 'errors' | 'off';

export interface AccessLog {
  /** A reload may change it. */
  mode: AccessLogMode;
  add(record: ExchangeRecord): void;
}

/**
 * One line per exchange. Field names are OpenTelemetry's where it has one (`http.*`, `gen_ai.*`, `error.type`). No body
 * and no secret can stand in it, since none stands in a record; what a client chose (ids, model) is escaped as JSON and
 * cut, so that no header makes a line of its own or a long one.
 */
export function createAccessLog(mode: AccessLogMode, destination: LineDestination): AccessLog {
  // Its own level: `log.level: error` must not silence it, `log.access` does.
  const logger = pino({ level: 'info', base: null, formatters: { level: (label) => ({ level: label }) } }, destination);
  return {
    mode,
    add(record) {
      if (this.mode === 'off' || (this.mode === 'errors' && record.outcome === 'ok' && record.status < 400)) return;
      logger.info(toFields(record), 'exchange');
    },
  };
}

/** Undefined fields are left out of the line: unknown is not zero. */
function toFields(record: ExchangeRecord): object {
  const usage = record.usage;
  return {
    'sluice.exchange.id': record.id,
    'http.request.id': cut(record.requestId),
    'http.request.method': cut(record.method),
    'http.route': cut(record.path),
    'http.response.status_code': record.status,
    'sluice.outcome': record.outcome,
    'error.type': record.errorCode,
    'error.message': cut(record.errorDetail),
    'user.id': cut(record.subject),
    'sluice.key.id': cut(record.keyId),
    'gen_ai.request.model': cut(record.model),
    'gen_ai.response.model': cut(record.target),
    'gen_ai.provider.name': record.provider,
    'gen_ai.request.stream': record.stream,
    'gen_ai.usage.input_tokens': usage?.inputTokens,
    'gen_ai.usage.output_tokens': usage?.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.cacheReadInputTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage?.cacheCreationInputTokens,
    'gen_ai.usage.reasoning.output_tokens': usage?.reasoningOutputTokens,
    'sluice.usage.source': record.usageSource,
    'sluice.cost.usd': record.costNanoUsd === undefined ? undefined : record.costNanoUsd / 1e9,
    'sluice.attempts': record.attempts,
    'sluice.thread': record.thread,
    'sluice.started_at_ms': record.startedAt,
    'sluice.duration_ms': rounded(record.durationMs),
    'sluice.overhead_ms': rounded(record.overheadMs),
    'sluice.upstream_ms': rounded(record.upstreamMs),
    'sluice.first_token_ms': rounded(record.firstTokenMs),
    'sluice.inter_token_ms': rounded(record.interTokenMs),
    'http.request.body.size': record.bytesIn,
    'http.response.body.size': record.bytesOut,
  };
}

const longestText = 300;

function cut(text: string | undefined): string | undefined {
  return text !== undefined && text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}

/** Microseconds are what the clock gives; more digits only make the line longer. */
function rounded(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 1000) / 1000;
}
