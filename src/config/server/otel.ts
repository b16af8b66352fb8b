import { z } from 'zod';
import { amount, keyWithDefault, optionalKey, wholeNumber } from '../scalar-schema.ts';
import { milliseconds, type SettingsOf, section } from './section.ts';

const ratioError = 'a number from 0 to 1';
const ratio = z.number({ error: ratioError }).min(0, { error: ratioError }).max(1, { error: ratioError });

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
export type OtelSettings = SettingsOf<typeof otel>;
