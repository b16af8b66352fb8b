import { z } from 'zod';
import { redactionPattern } from '../rules/redactions.ts';
import type { Redaction } from '../rules/request-log-rules.ts';
import { amount, keyWithDefault, optionalKey, restricting, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, metadataKeys, milliseconds, ratio, section } from './section.ts';

export const metrics = section(
  z.object({ metadata_keys: metadataKeys.describe('Keys of request metadata that become labels.') }),
);

export const otel = section(
  z.object({
    sample_ratio: keyWithDefault(ratio, 1).describe(
      'Share of exchanges whose spans are exported, 0 to 1; failures and what the client samples always are.',
    ),
    keep_slower_than_ms: optionalKey(milliseconds).describe('Exchanges that took longer are exported always.'),
    keep_costlier_than_usd: optionalKey(amount()).describe('Exchanges that cost more are exported always.'),
    names: keyWithDefault(z.enum(['genai', 'openinference', 'both']), 'genai').describe(
      'Names of attributes: conventions of OpenTelemetry for GenAI, OpenInference (Phoenix), or both.',
    ),
    max_queued_spans: keyWithDefault(wholeNumber(1, 1_000_000), 8192).describe(
      'Spans that may wait for one collector; the oldest are dropped and counted.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 600_000), 10_000).describe('Wait for one answer of a collector.'),
    metrics_interval_ms: keyWithDefault(wholeNumber(1000, 3_600_000), 10_000).describe(
      'How often metrics are exported.',
    ),
  }),
);

export const requestLog = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, 4_194_304), 65_536).describe(
      'Of a request, and of an answer, so much is kept; what is longer is cut there.',
    ),
    retention_days: keyWithDefault(wholeNumber(1, 36_500), 30).describe('How long bodies are kept.'),
    max_queued_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 67_108_864).describe(
      'Bodies that may wait to be kept, over all threads; further ones are dropped and counted.',
    ),
    max_queued_webhooks: keyWithDefault(wholeNumber(1, 100_000), 1_000).describe(
      'Exchanges that may wait for one webhook; further ones are dropped and counted.',
    ),
    redact: restricting(
      keyWithDefault(z.array(redactionPattern).max(64, { error: 'at most 64 patterns' }), []),
    ).describe('What is blacked out of every kept body: `preset`, or `pattern` of RE2; and perhaps `replacement`.'),
  }),
);

export const log = section(
  z.object({
    level: keyWithDefault(z.enum(['debug', 'info', 'warn', 'error']), 'info').describe(
      'Least level of the process log.',
    ),
    access: keyWithDefault(z.enum(['all', 'errors', 'off']), 'all').describe(
      'Which exchanges get a line in the access log.',
    ),
    provider_words: keyWithDefault(z.boolean(), true).describe(
      'Whether log and ledger hold what a provider says of a failure; it may quote the request.',
    ),
  }),
);

/** What holds for all kept bodies. */
export interface RequestLogSettings {
  /** Of a request, and of an answer: what is longer is cut there. */
  maxBodyBytes: number;
  retentionDays: number;
  /** Of bodies that wait to be kept, over all threads; what does not fit is dropped and counted. */
  maxQueuedBytes: number;
  /** Of exchanges that wait for one webhook; further ones are dropped and counted. */
  maxQueuedHooks: number;
  redact: Redaction[];
}

/** One manifest of what is sent where by OTLP. */
export interface OtelExportSettings {
  traces?: OtelTracesExport;
  metrics?: OtlpEndpoint;
}

export interface OtelTracesExport {
  endpoint: OtlpEndpoint;
  resourceAttributes: Record<string, string>;
  /** All must hold for one of the spans of an exchange; empty: every exchange is exported. */
  when: { key: string; values: string[] }[];
}

export interface OtlpEndpoint {
  protocol: 'http' | 'grpc';
  url: string;
  encoding: 'proto' | 'json';
  /** Flat name-value pairs; they may hold keys. */
  headers: string[];
}

/** Names of attributes by which back ends know calls of models. */
export type SpanNames = 'genai' | 'openinference' | 'both';

/** What holds for all receivers. */
export interface OtelSettings {
  /** Share of the exchanges that nothing else keeps, 0 to 1. */
  sampleRatio: number;
  keepSlowerThanMs?: number;
  keepCostlierThanUsd?: number;
  names: SpanNames;
  maxQueuedSpans: number;
  timeoutMs: number;
  metricsIntervalMs: number;
}
