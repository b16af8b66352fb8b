import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';

/** A refused exchange: of everything optional nothing is known. */
export function plainRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    id: 'ex_1',
    requestId: 'ex_1',
    startedAt: 1_764_000_000_000.25,
    durationMs: 0.5,
    thread: 1,
    method: 'POST',
    path: '/chat/completions',
    status: 200,
    outcome: 'ok',
    stream: false,
    attempts: 1,
    overheadMs: 0.25,
    upstreamMs: 0.125,
    bytesIn: 100,
    bytesOut: 200,
    ...changes,
  };
}

/** An exchange of which all is known but what its provider does not tell. */
export function fullRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return plainRecord({
    errorCode: 'idle_timeout',
    errorDetail: 'timeouts.idle_ms',
    subject: 'virtualaccount:ci',
    keyId: 'ci',
    model: 'openai-main/gpt-4o',
    target: 'openai-main/gpt-4o',
    provider: 'openai',
    stream: true,
    usage: {
      inputTokens: 100,
      outputTokens: 20,
      cacheReadInputTokens: 0,
      reasoningOutputTokens: 7,
      audioInputTokens: 1,
      audioOutputTokens: 2,
      providerCostUsd: 0.00125,
    },
    usageSource: 'provider',
    costNanoUsd: 1_234_567_890,
    durationMs: 1000.125,
    firstTokenMs: 300.5,
    interTokenMs: 12.25,
    ...changes,
  });
}
