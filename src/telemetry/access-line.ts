import type { ExchangeRecord } from './exchange-record.ts';

/**
 * A record as one JSON line, in the shape of our other log lines (pino's: level, time, fields, msg). Put together by
 * hand, because every exchange pays for it: a third of what the general serializer takes (bench: access-line). Field names are
 * OpenTelemetry's where it has one (`http.*`, `gen_ai.*`, `error.type`). What a client chose is escaped as JSON and cut,
 * so that no header makes a line of its own or a long one; undefined fields are left out: unknown is not zero.
 */
export class AccessLine {
  /** Text → its JSON form: labels repeat from line to line. */
  readonly #quoted = new Map<string, string>();

  of(record: ExchangeRecord, timeMs: number): string {
    const { usage } = record;
    let line = `{"level":"info","time":${timeMs},"sluice.exchange.id":"${record.id}"`;
    if (record.requestId !== record.id) line += `,"http.request.id":${quoted(record.requestId)}`;
    line += `,"http.request.method":${this.#label(record.method)},"http.route":${this.#label(record.path)}`;
    line += `,"http.response.status_code":${record.status},"sluice.outcome":"${record.outcome}"`;
    if (record.errorCode !== undefined) line += `,"error.type":"${record.errorCode}"`;
    if (record.errorDetail !== undefined) line += `,"error.message":${quoted(record.errorDetail)}`;
    if (record.subject !== undefined) line += `,"user.id":${this.#label(record.subject)}`;
    if (record.keyId !== undefined) line += `,"sluice.key.id":${this.#label(record.keyId)}`;
    if (record.model !== undefined) line += `,"gen_ai.request.model":${this.#label(record.model)}`;
    if (record.target !== undefined) line += `,"gen_ai.response.model":${this.#label(record.target)}`;
    if (record.provider !== undefined) line += `,"gen_ai.provider.name":${this.#label(record.provider)}`;
    line += `,"gen_ai.request.stream":${record.stream}`;
    if (usage) {
      line += number('gen_ai.usage.input_tokens', usage.inputTokens);
      line += number('gen_ai.usage.output_tokens', usage.outputTokens);
      line += number('gen_ai.usage.cache_read.input_tokens', usage.cacheReadInputTokens);
      line += number('gen_ai.usage.cache_creation.input_tokens', usage.cacheCreationInputTokens);
      line += number('gen_ai.usage.reasoning.output_tokens', usage.reasoningOutputTokens);
      if (record.usageSource !== undefined) line += `,"sluice.usage.source":"${record.usageSource}"`;
    }
    if (record.costNanoUsd !== undefined) line += `,"sluice.cost.usd":${record.costNanoUsd / 1e9}`;
    line += `,"sluice.attempts":${record.attempts},"sluice.thread":${record.thread}`;
    line += `,"sluice.started_at_ms":${Math.round(record.startedAt)}`;
    line += milliseconds('sluice.duration_ms', record.durationMs);
    line += milliseconds('sluice.overhead_ms', record.overheadMs);
    line += milliseconds('sluice.upstream_ms', record.upstreamMs);
    line += milliseconds('sluice.first_token_ms', record.firstTokenMs);
    line += milliseconds('sluice.inter_token_ms', record.interTokenMs);
    line += number('http.request.body.size', record.bytesIn);
    line += number('http.response.body.size', record.bytesOut);
    return `${line},"msg":"exchange"}\n`;
  }

  #label(text: string): string {
    let json = this.#quoted.get(text);
    if (json === undefined) {
      json = quoted(text);
      if (this.#quoted.size >= MAX_LABELS) this.#quoted.clear();
      this.#quoted.set(text, json);
    }
    return json;
  }
}

const MAX_LABELS = 4_096;
const LONGEST_TEXT = 300;

function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);
}

function number(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${value}`;
}

/** Three digits behind the point, by whole numbers: printing a double in full costs several times as much. */
function milliseconds(name: string, value: number | undefined): string {
  if (value === undefined) return '';
  const micros = Math.round(value * 1000);
  const fraction = micros % 1000;
  const zeros = fraction < 10 ? '00' : fraction < 100 ? '0' : '';
  return `,"${name}":${(micros - fraction) / 1000}.${zeros}${fraction}`;
}
