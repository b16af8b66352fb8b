import type { ExchangeRecord } from '../../src/telemetry/exchange-record.ts';

/** One in five users; every other one streamed. */
export function answered(i: number): ExchangeRecord {
  return {
    ...refused(i),
    status: 200,
    outcome: 'ok',
    errorCode: undefined,
    errorDetail: undefined,
    model: 'openai-main/gpt-4o',
    target: 'openai-main/gpt-4o',
    provider: 'openai',
    stream: i % 2 === 0,
    attempts: 1,
    usage: { inputTokens: 120 + i, outputTokens: 100, cacheReadInputTokens: 64, reasoningOutputTokens: 0 },
    usageSource: 'provider',
    costNanoUsd: 1_380_000 + i,
    durationMs: 812.503 + i,
    upstreamMs: 812.1 + i,
    firstTokenMs: 220.25,
    interTokenMs: 5.9,
    bytesOut: 25_000,
  };
}

export function refused(i: number): ExchangeRecord {
  return {
    id: `ex_mdz1k2ab0123456789ab${i.toString(36)}`,
    requestId: `ex_mdz1k2ab0123456789ab${i.toString(36)}`,
    startedAt: 1_764_000_000_000.25 + i,
    durationMs: 0.214,
    thread: 0,
    method: 'POST',
    path: '/chat/completions',
    status: 403,
    outcome: 'error',
    errorCode: 'model_forbidden',
    errorDetail: '`openai-main/gpt-4o` is not among the models of `virtualaccount:ci`.',
    subject: 'virtualaccount:ci',
    keyId: 'ci',
    stream: false,
    attempts: 0,
    overheadMs: 0.2,
    upstreamMs: 0,
    bytesIn: 812,
    bytesOut: 260,
  };
}
