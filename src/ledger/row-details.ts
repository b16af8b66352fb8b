import type { ExchangeRecord } from '../telemetry/exchange-record.ts';

/**
 * The `details` of a row: what nobody searches by, as JSON. Put together by hand (JSON.stringify of an object costs three
 * times as much, and half of the texts are JSON already). What is as usual is left out: the method POST, one attempt, a
 * request id that is the exchange's own.
 */
export function detailsOf(record: ExchangeRecord): string {
  const { usage } = record;
  let json = `{"path":${quoted(record.path)},"thread":${record.thread}`;
  if (record.method !== 'POST') json += `,"method":${quoted(record.method)}`;
  if (record.requestId !== record.id) json += `,"request_id":${JSON.stringify(record.requestId)}`;
  if (record.stream) json += ',"stream":true';
  if (record.attempts !== 1) json += `,"attempts":${record.attempts}`;
  json += `,"duration_ms":${rounded(record.durationMs)},"overhead_ms":${rounded(record.overheadMs)}`;
  json += `,"upstream_ms":${rounded(record.upstreamMs)}`;
  if (record.firstTokenMs !== undefined) json += `,"first_token_ms":${rounded(record.firstTokenMs)}`;
  if (record.interTokenMs !== undefined) json += `,"inter_token_ms":${rounded(record.interTokenMs)}`;
  json += `,"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}`;
  if (usage) {
    if (record.usageSource !== undefined) json += `,"usage_source":"${record.usageSource}"`;
    if (usage.cacheReadInputTokens !== undefined) json += `,"cache_read_input_tokens":${usage.cacheReadInputTokens}`;
    if (usage.cacheCreationInputTokens !== undefined)
      json += `,"cache_creation_input_tokens":${usage.cacheCreationInputTokens}`;
    if (usage.cacheCreation1hInputTokens !== undefined)
      json += `,"cache_creation_1h_input_tokens":${usage.cacheCreation1hInputTokens}`;
    if (usage.reasoningOutputTokens !== undefined) json += `,"reasoning_output_tokens":${usage.reasoningOutputTokens}`;
    if (usage.audioInputTokens !== undefined) json += `,"audio_input_tokens":${usage.audioInputTokens}`;
    if (usage.audioOutputTokens !== undefined) json += `,"audio_output_tokens":${usage.audioOutputTokens}`;
    if (usage.providerCostUsd !== undefined) json += `,"provider_cost_usd":${JSON.stringify(usage.providerCostUsd)}`;
  }
  if (record.reservedNanoUsd !== undefined) json += `,"reserved_nano_usd":${record.reservedNanoUsd}`;
  if (record.priceVersion !== undefined) json += `,"price_version":${quoted(record.priceVersion)}`;
  if (record.rulesJson !== undefined) json += `,"rules":${record.rulesJson}`;
  if (record.chargesJson !== undefined) json += `,"charges":${record.chargesJson}`;
  if (record.attemptsJson !== undefined) json += `,"failed_attempts":${record.attemptsJson}`;
  if (record.errorDetail !== undefined) json += `,"error_detail":${JSON.stringify(record.errorDetail)}`;
  return `${json}}`;
}

/** Microseconds are enough, and 0.30000001192 is long. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Paths and versions are few: their JSON is made once. */
const quotedTexts = new Map<string, string>();
const MOST_QUOTED = 1000;

function quoted(text: string): string {
  let json = quotedTexts.get(text);
  if (json === undefined) {
    json = JSON.stringify(text);
    if (quotedTexts.size < MOST_QUOTED) quotedTexts.set(text, json);
  }
  return json;
}
