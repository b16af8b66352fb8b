import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import { type KeptBodies, packedBodies, type RequestBodiesRow } from '../store/request-bodies.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { CapturedExchange, RequestLogConfiguration, RequestLogCounts } from '../threads/request-log-messages.ts';
import { hiding, keptBody, redactorOf } from './kept-text.ts';
import { Webhook } from './webhook.ts';

export type MutableCounts = { -readonly [Name in keyof RequestLogCounts]: RequestLogCounts[Name] };

export interface RequestLogOptions {
  readonly configuration: RequestLogConfiguration;
  readonly http: HttpClient;
  readonly log: Log;
  readonly counts: MutableCounts;
}

/** Captured exchanges, by one configuration: redacted, made rows of the store, and sent to webhooks. */
export class RequestLog {
  readonly #options: RequestLogOptions;
  readonly #hooks: readonly Webhook[];

  constructor(options: RequestLogOptions) {
    this.#options = options;
    const { requestLoggers, server } = options.configuration;
    const { maxQueuedWebhooks: maxQueued, maxQueuedBytes: maxQueuedCharacters } = server.requestLog;
    const { http, log, counts } = options;
    this.#hooks = requestLoggers.map(
      (hook) => new Webhook({ hook, http, log, maxQueued, maxQueuedCharacters, counts }),
    );
  }

  /** The row that the store is to keep. */
  take(exchange: CapturedExchange): RequestBodiesRow {
    const { maxBodyBytes, redact } = this.#options.configuration.server.requestLog;
    const { id, subject, project, expiresAt, hidden, status, request, response } = exchange;
    const redactor = redactorOf([...redact, ...exchange.redact]);
    const bodies: KeptBodies = {
      request: keptBody(request, maxBodyBytes, redactor),
      response: { status, ...keptBody(response, maxBodyBytes, hiding(hidden, redactor)) },
    };
    if (this.#hooks.length > 0) {
      const document = JSON.stringify(documentOf(exchange, exchange.record, bodies));
      for (const hook of this.#hooks) hook.add(document);
    }
    return { id, subject, project, expiresAt, data: packedBodies(bodies) };
  }

  async close(withinMs: number): Promise<void> {
    await Promise.all(this.#hooks.map((hook) => hook.close(withinMs)));
  }
}

/** What webhooks get. */
function documentOf(
  { id, subject, project, status }: CapturedExchange,
  record: ExchangeRecord | undefined,
  bodies: KeptBodies,
): object {
  const base = { id, subject, project: project ?? null, status };
  if (record === undefined) return { ...base, bodies };
  return {
    ...base,
    request_id: record.requestId,
    started_at: new Date(record.startedAt).toISOString(),
    duration_ms: record.durationMs,
    first_token_ms: record.firstTokenMs ?? null,
    key_id: record.keyId ?? null,
    teams: parsed(record.teamsJson),
    metadata: parsed(record.metadataJson),
    method: record.method,
    path: record.path,
    model: record.model ?? null,
    target: record.target ?? null,
    provider: record.provider ?? null,
    stream: record.stream,
    outcome: record.outcome,
    error_code: record.errorCode ?? null,
    attempts: record.attempts,
    failed_attempts: parsed(record.attemptsJson),
    applied_rules: parsed(record.rulesJson),
    input_tokens: record.usage?.inputTokens ?? null,
    output_tokens: record.usage?.outputTokens ?? null,
    cost_nano_usd: record.costNanoUsd ?? null,
    bodies,
  };
}

/** JSON of our own. */
function parsed(json: string | undefined): unknown {
  return json === undefined ? null : JSON.parse(json);
}
