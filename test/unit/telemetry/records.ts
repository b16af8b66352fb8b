import type { ServedAs } from '../../../src/inference/served-as.ts';
import type { Usage } from '../../../src/inference/usage.ts';
import type { RareCounts } from '../../../src/inference/usage-counters.ts';
import type { ExchangeRecord, UnknownCost } from '../../../src/telemetry/exchange-record.ts';

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

/** Each field is there and has a value: one that is added to the record and not here does not compile. */
type Whole<T> = { [Field in keyof Required<T>]: NonNullable<T[Field]> };
type WholeUsage = Whole<Omit<Usage, 'rare' | 'servedAs'>> & { rare: Whole<RareCounts>; servedAs: Whole<ServedAs> };
type WholeRecord = Whole<Omit<ExchangeRecord, 'fleeting' | 'usage' | 'unknownCost'>> & {
  usage: WholeUsage;
  unknownCost: Whole<UnknownCost>;
};

/** No two values are alike where both are numbers or texts: what is carried in another's place is seen. */
export const WHOLE_RECORD: WholeRecord = {
  id: 'ex_1',
  requestId: 'req-1',
  startedAt: 1_764_000_000_000.25,
  durationMs: 1000.125,
  thread: 3,
  method: 'POST',
  path: '/chat/completions',
  status: 200,
  outcome: 'ok',
  errorCode: 'idle_timeout',
  errorDetail: 'timeouts.idle_ms',
  subject: 'virtualaccount:ci',
  keyId: 'key_ci',
  model: 'openai-main/gpt-4o',
  target: 'openai-second/gpt-4o',
  provider: 'openai',
  stream: true,
  attempts: 2,
  usage: {
    inputTokens: 100,
    outputTokens: 20,
    cacheReadInputTokens: 0,
    cacheCreationInputTokens: 31,
    cacheCreation1hInputTokens: 30,
    reasoningOutputTokens: 7,
    audioInputTokens: 1,
    audioOutputTokens: 4,
    rare: {
      imageInputTokens: 41,
      imageOutputTokens: 42,
      videoInputTokens: 43,
      billedInputTokens: 56,
      billedOutputTokens: 57,
      citationTokens: 44,
      webSearchRequests: 45,
      searchSources: 46,
      toolRequests: 47,
      otherModelPasses: 48,
      searchUnits: 49,
      inputCharacters: 50,
      audioInputMs: 51,
      audioOutputMs: 52,
      outputImages: 53,
      pages: 54,
      annotatedPages: 55,
    },
    servedAs: { serviceTier: 'priority', speed: 'fast', inferenceGeo: 'us', imageSize: '512x512', imageQuality: 'hd' },
    providerCostUsd: 0.00125,
  },
  usageSource: 'provider',
  costNanoUsd: 1_234_567_890,
  unknownCost: { part: 'service_tier=scale', atMostNanoUsd: 987_654_321 },
  clientJson: '{"address":"203.0.113.9"}',
  overheadMs: 0.25,
  upstreamMs: 0.125,
  firstTokenMs: 300.5,
  interTokenMs: 12.25,
  bytesIn: 101,
  bytesOut: 202,
  teamsJson: '["search"]',
  metadataJson: '{"env":"prod"}',
  rulesJson: '{"budget":["all"]}',
  chargesJson: '[["all",""]]',
  attemptsJson: '[{"target":"openai-main/gpt-4o","error":"upstream_cut","ms":5}]',
  priceVersion: 'account',
  priceTable: '{"perExchange":0,"bands":[{"fromInputTokens":0,"rates":{"input":1}}]}',
  pending: true,
  reservedNanoUsd: 2_000_000,
  guardrailsJson:
    '[{"guardrail":"g/pii","hook":"llm-input","operation":"mutate","strategy":"enforce","result":"mutated","ms":0.1}]',
  cacheJson: '{"status":"hit","type":"exact-match","from":"ex_0","saved_nano_usd":1234}',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

/** An exchange of which most is known. */
export function fullRecord(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  const { pending: _, teamsJson: __, metadataJson: ___, rulesJson: ____, unknownCost: _____, ...full } = WHOLE_RECORD;
  return { ...full, ...changes };
}
