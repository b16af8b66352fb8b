import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { ServerSettings, TlsFiles } from './configuration.ts';
import { optionalKey, text, wholeNumber } from './scalar-schema.ts';
import type { WrittenServer } from './server-schema.ts';

/** What the command line says; wins over the files. Not checked yet. */
export interface WrittenOverrides {
  port?: number | string;
  threads?: number | string;
  dataDir?: string;
}

export const overridesSchema = z.object({
  port: optionalKey(wholeNumber(0, 65_535)),
  threads: optionalKey(wholeNumber(1, 256)),
  dataDir: optionalKey(text()),
});

export type Overrides = Partial<z.output<typeof overridesSchema>>;

/**
 * From the written form to the one the gateway uses: names, defaults that depend on others, absolute paths. A relative
 * path in a file is relative to the folder of that file; on the command line and by default to the working folder. What other files hold was read before.
 */
export function serverSettings(
  written: WrittenServer,
  folder: string,
  overrides: Overrides,
  { upstream, prices }: Pick<ServerSettings, 'upstream' | 'prices'>,
): ServerSettings {
  const { listen, operator, limits, timeouts, cors, counters, files, batches, ledger, metrics } = written;
  const { responses, cache, routing, otel, mcp, media, request_log: requestLog, console: web } = written;
  const port = overrides.port ?? listen.port;
  return {
    listen: {
      host: listen.host,
      port,
      trustedProxies: listen.trusted_proxies,
      closeAfterAnswer: listen.close_after_answer,
      ...(listen.tls && { tls: tlsFiles(listen.tls, folder) }),
    },
    operator: {
      host: operator.host,
      port: operator.port ?? portBeside(port),
      ...(operator.tls && { tls: tlsFiles(operator.tls, folder) }),
      ...(operator.admin_key !== undefined && { adminKey: operator.admin_key }),
    },
    threads: overrides.threads ?? (written.threads === 'auto' ? automaticThreads() : written.threads),
    dataDir: overrides.dataDir === undefined ? dataFolder(written.data_dir, folder) : resolve(overrides.dataDir),
    store: written.store,
    limits: {
      maxBodyBytes: limits.max_body_bytes,
      maxFileBytes: limits.max_file_bytes,
      maxBodyMemoryBytes: limits.max_body_memory_bytes,
      maxHeaderBytes: limits.max_header_bytes,
      maxInFlight: limits.max_in_flight,
      highWatermarkBytes: limits.high_watermark_bytes,
      maxUpstreamConnections: limits.max_upstream_connections,
      maxUpstreamQueue: limits.max_upstream_queue,
      maxTranslateBytes: limits.max_translate_bytes,
      maxEventBytes: limits.max_event_bytes,
    },
    timeouts: {
      bodyMs: timeouts.body_ms,
      uploadMs: timeouts.upload_ms,
      connectMs: timeouts.connect_ms,
      firstByteMs: timeouts.first_byte_ms,
      idleMs: timeouts.idle_ms,
      totalMs: timeouts.total_ms,
      writeMs: timeouts.write_ms,
      drainMs: timeouts.drain_ms,
      keepAliveMs: timeouts.keep_alive_ms,
    },
    upstream,
    media: {
      maxFiles: media.max_files,
      maxBytes: media.max_bytes,
      timeoutMs: media.timeout_ms,
      maxConcurrent: media.max_concurrent,
      privateHosts: media.private_hosts,
    },
    ...(prices && { prices }),
    log: {
      level: written.log.level,
      access: written.log.access,
      providerWords: written.log.provider_words ? 'keep' : 'leave-out',
    },
    keepaliveCommentMs: written.keepalive_comment_ms,
    demo: written.demo,
    retryReusedConnection: written.retry_reused_connection,
    counters: {
      agreement: counters.agreement,
      leasePercent: counters.lease_percent,
      timeoutMs: counters.timeout_ms,
      whenAway: counters.when_away,
      maxCells: counters.max_cells,
    },
    files: { sharedWith: files.shared_with },
    batches: { maxConcurrency: batches.max_concurrency, maxAttempts: batches.max_attempts },
    responses: {
      keep: responses.keep,
      keepMs: responses.keep_days * 86_400_000,
      maxBytes: responses.max_bytes,
      maxEventBytes: responses.max_event_bytes,
    },
    cache: {
      maxBytes: cache.max_bytes,
      maxEntryBytes: cache.max_entry_bytes,
      timeoutMs: cache.timeout_ms,
      semantic: {
        maxEntries: cache.semantic.max_entries,
        maxBytes: cache.semantic.max_bytes,
        maxRedisEntries: cache.semantic.max_redis_entries,
        embeddingTimeoutMs: cache.semantic.embedding_timeout_ms,
        maxConcurrentEmbeddings: cache.semantic.max_concurrent_embeddings,
        maxMessages: cache.semantic.max_messages,
        maxTextBytes: cache.semantic.max_text_bytes,
      },
    },
    ledger: {
      enabled: ledger.enabled,
      sync: ledger.sync,
      whenFull: ledger.when_full,
      retentionDays: ledger.retention_days,
      hourlyRetentionDays: ledger.hourly_retention_days,
      auditRetentionDays: ledger.audit_retention_days,
      metadataKeys: ledger.metadata_keys,
      maxJournalBytes: ledger.max_journal_bytes,
    },
    metrics: { metadataKeys: metrics.metadata_keys },
    routing: {
      consecutiveFailures: routing.consecutive_failures,
      failurePercent: routing.failure_percent,
      minRequests: routing.min_requests,
      windowMs: routing.window_ms,
      outMs: routing.out_ms,
      maxOutMs: routing.max_out_ms,
      slowStartMs: routing.slow_start_ms,
      retryBudgetPercent: routing.retry_budget_percent,
      shareMs: routing.share_ms,
      probeIntervalMs: routing.probe_interval_ms,
      probeTimeoutMs: routing.probe_timeout_ms,
      maxProbes: routing.max_probes,
    },
    otel: {
      sampleRatio: otel.sample_ratio,
      ...(otel.keep_slower_than_ms !== undefined && { keepSlowerThanMs: otel.keep_slower_than_ms }),
      ...(otel.keep_costlier_than_usd !== undefined && { keepCostlierThanUsd: otel.keep_costlier_than_usd }),
      names: otel.names,
      maxQueuedSpans: otel.max_queued_spans,
      timeoutMs: otel.timeout_ms,
      metricsIntervalMs: otel.metrics_interval_ms,
    },
    requestLog: {
      maxBodyBytes: requestLog.max_body_bytes,
      retentionDays: requestLog.retention_days,
      store: requestLog.store,
      maxQueuedBytes: requestLog.max_queued_bytes,
      maxQueuedHooks: requestLog.max_queued_webhooks,
      redact: requestLog.redact,
    },
    mcp: {
      callMs: mcp.call_ms,
      connectMs: mcp.connect_ms,
      sessionIdleMs: mcp.session_idle_ms,
      maxSessions: mcp.max_sessions,
      maxMessageBytes: mcp.max_message_bytes,
      maxTools: mcp.max_tools,
      listTtlMs: mcp.list_ttl_ms,
      maxChildren: mcp.max_children,
      codeMs: mcp.code_ms,
      codeCpuMs: mcp.code_cpu_ms,
      maxCodeMemoryBytes: mcp.max_code_memory_bytes,
      maxCodeCalls: mcp.max_code_calls,
      maxCodeRuns: mcp.max_code_runs,
      onChangedTool: mcp.on_changed_tool,
      ...(mcp.secret !== undefined && { secret: mcp.secret }),
      ...(mcp.public_url !== undefined && { publicUrl: mcp.public_url }),
      authorizationServers: mcp.authorization_servers,
      tokenMs: mcp.token_ms,
      signInMs: mcp.sign_in_ms,
    },
    console: {
      enabled: web.enabled,
      ...(web.public_url !== undefined && { publicUrl: web.public_url }),
      sessionMs: web.session_ms,
      idleMs: web.idle_ms,
      roles: web.roles,
      ...(web.oidc && {
        oidc: {
          provider: web.oidc.identity_provider,
          clientId: web.oidc.client_id,
          ...(web.oidc.client_secret !== undefined && { clientSecret: web.oidc.client_secret }),
          scopes: web.oidc.scopes,
        },
      }),
    },
    ...(written.gateway_id !== undefined && { gatewayId: written.gateway_id }),
    ...(cors && { cors: { allowedOrigins: cors.allowed_origins, maxAgeSeconds: cors.max_age_seconds } }),
  };
}

function tlsFiles({ cert_file, key_file }: { cert_file: string; key_file: string }, folder: string): TlsFiles {
  return { certFile: resolve(folder, cert_file), keyFile: resolve(folder, key_file) };
}

/** The next port; 0 stays 0 (any free one), and the last port has none after it. */
function portBeside(port: number): number {
  if (port === 0) return 0;
  return port === 65_535 ? 65_534 : port + 1;
}

function dataFolder(written: string | undefined, folder: string): string {
  return written === undefined ? resolve('data') : resolve(folder, written);
}

/** Only Linux spreads connections over several listeners of one port. */
function automaticThreads(): number {
  return process.platform === 'linux' ? Math.min(256, availableParallelism()) : 1;
}
