import type { Configuration } from '../config/configuration.ts';
import { packConfiguration } from '../config/packed-configuration.ts';
import { WorkerPool } from '../offload/worker-pool.ts';
import { cacheRoutes } from '../operator/admin/cache.ts';
import type { ConfigurationSource } from '../operator/configuration-source.ts';
import { StartToken } from '../operator/sessions/start-token.ts';
import { dialects, tokenSources } from '../plugs.ts';
import { HealthMemory } from '../routing/place.ts';
import { loadOrMakeDefaultKey } from '../store/default-key.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { sideRequests } from '../upstream/side-requests.ts';
import { AccountTokens } from './account-tokens.ts';
import { AuditTrail } from './audit-trail.ts';
import { CachedAnswers } from './cached-answers.ts';
import { ConfigurationReader, MAX_CONFIG_HEAP_MB } from './configuration-reader.ts';
import { consoleRoutes } from './console-routes.ts';
import { ConsoleService } from './console-service.ts';
import type { DatabaseThread } from './database-thread.ts';
import { HealthShare } from './health-share.ts';
import { LimitCounters } from './limit-counters.ts';
import { McpService } from './mcp-service.ts';
import { Observation } from './observation.ts';
import { openOperatorPort } from './operator-port.ts';
import { OtelThread } from './otel-thread.ts';
import { PriceRefresh } from './price-refresh.ts';
import { RecordIntake } from './record-intake.ts';
import { RequestLogService } from './request-log-service.ts';
import { RequestTail } from './request-tail.ts';
import {
  configurationForThreads,
  configureThreads,
  type Gateway,
  type InForce,
  RunningGateway,
} from './running-gateway.ts';
import { TargetHealthView } from './target-health.ts';

export interface OpenGatewayOptions {
  readonly configuration: Configuration;
  readonly source: ConfigurationSource;
  /** The listening port, which was found free. */
  readonly port: number;
  /** They load their code meanwhile. */
  readonly relayThreads: RelayThreads;
  /** It loads its code, too. */
  readonly database: DatabaseThread;
  /** The entry of the MCP thread, which begins with its first request. */
  readonly mcpEntry: URL;
  /** The entry of the thread that exports by OTLP, where one is configured. */
  readonly otelEntry: URL;
  /** The entry of the request log's thread, which begins with the first bodies that are kept. */
  readonly requestLogEntry: URL;
  /**
   * The entry of the threads that read files of the configuration: for reloads and for the console, begun by the first of either.
   */
  readonly configEntry: URL;
}

/** Builds every part of the main thread once and joins them. Throws a StartFault or a StoreFault. */
export async function openGateway({
  configuration,
  source,
  port,
  relayThreads,
  database,
  mcpEntry,
  otelEntry,
  requestLogEntry,
  configEntry,
}: OpenGatewayOptions): Promise<Gateway> {
  const { server } = configuration;
  const { threads } = server;
  const inForce: InForce = {
    configuration,
    draining: false,
    get prices() {
      return priceRefresh.list;
    },
  };
  const http = sideRequests(() => inForce.configuration.server.upstream);
  const counters = new SharedCounters(threads, 0);
  const observation = new Observation(server, counters);
  const { log, metrics } = observation;
  const { registry } = metrics;
  const limitCounters = new LimitCounters({
    server,
    whenAway: () => inForce.configuration.server.counters.whenAway,
    onClockSet: () => database.refreshBudgets(),
    registry,
    log,
  });
  const health = new HealthMemory(() => limitCounters.counts.clock.now());
  const healthShare = new HealthShare({ memory: health, configuration: () => inForce.configuration, log });
  healthShare.register(registry);
  const cachedAnswers = new CachedAnswers({
    configuration: () => inForce.configuration,
    log,
    tell: (thread, message, transfer) => relayThreads.tell(thread, message, transfer),
  });
  cachedAnswers.register(registry);
  const hasConsoleToken =
    server.console.enabled && server.operator.adminKey === undefined && LOOPBACK.test(server.operator.host);
  const startToken = hasConsoleToken ? new StartToken(Date.now) : undefined;
  const audit = new AuditTrail({ write: (entries) => database.audit(entries), log });
  const consoleService = new ConsoleService({
    configuration: () => inForce.configuration,
    startToken,
    // A number behind those of relay threads: nobody waits until it has heard.
    identity: () => database.identityFor(threads),
    onUnknownIssuerKey: (provider) => database.hear({ type: 'issuer-key-unknown', provider }),
    tell: (event) => audit.told(event),
    tellRefusal: (refusal) => audit.refused(refusal),
    http,
    log,
  });
  const { hasIssuedKeys } = await database.open({
    configuration,
    counters: counters.buffer,
    counts: limitCounters.buffer,
    registry,
    log,
    onFull: (full) => relayThreads.broadcast({ type: 'ledger-full', full }),
    tell: (thread, message) => relayThreads.tell(thread, message),
    onIdentity: (message) => {
      relayThreads.broadcast(message);
      consoleService.heard(message);
    },
    onBatchWork: (message) => relayThreads.broadcast(message),
  });
  const madeKey = hasIssuedKeys ? undefined : await ownKey(configuration, (message) => log.warn({}, message));
  const accountTokens = new AccountTokens({
    sources: tokenSources,
    tell: (tokens) => relayThreads.broadcast({ type: 'tokens', tokens }),
    http,
    log,
  });
  accountTokens.register(registry);
  accountTokens.reconfigure(configuration);
  const targets = new TargetHealthView({
    memory: health,
    sharing: () => healthShare.sharing,
    configuration: () => inForce.configuration,
    tokens: () => accountTokens.tokens(),
  });
  targets.register(registry);
  const priceRefresh = new PriceRefresh({
    tell: () => configureThreads(relayThreads, configurationForThreads(inForce, port, madeKey), log),
    http,
    log,
  });
  priceRefresh.register(registry);
  priceRefresh.reconfigure(configuration);
  const mcp = new McpService({
    entry: mcpEntry,
    configuration: () => inForce.configuration,
    relayThreads,
    registry,
    log,
    askRows: (question) => database.mcpRows(question),
    writeLine: (line) => observation.writeLine(line),
  });
  const otel = new OtelThread({ entry: otelEntry, log, renderMetrics: () => metrics.render() });
  otel.register(registry);
  otel.reconfigure(configuration);
  const requestLog = new RequestLogService({
    entry: requestLogEntry,
    log,
    keep: (rows) => database.keepBodies(rows),
    tell: (thread, message) => relayThreads.tell(thread, message),
  });
  requestLog.register(registry);
  requestLog.reconfigure(configuration);
  const configPool = new WorkerPool({ entry: configEntry, maxHeapMb: MAX_CONFIG_HEAP_MB });
  const reader = new ConfigurationReader(source, configEntry);
  const tail = new RequestTail({ access: () => inForce.configuration });
  const state = {
    relayThreads: threads,
    get listeningThreads() {
      return relayThreads.listening;
    },
    get draining() {
      return inForce.draining;
    },
    get ledgerFull() {
      return inForce.configuration.server.ledger.whenFull === 'refuse' ? database.fullReason : undefined;
    },
  };
  // First the operator port, which says when the relay threads are ready, then these.
  const operatorPort = await openOperatorPort({
    configuration: () => inForce.configuration,
    dialects,
    state,
    observation,
    database,
    targets,
    routes: [
      ...cacheRoutes(cachedAnswers),
      ...mcp.adminRoutes(),
      ...tail.routes(),
      ...consoleRoutes({
        configuration: () => inForce.configuration,
        tokens: () => accountTokens.tokens(),
        port,
        source,
        pool: configPool,
      }),
    ],
    console: { door: () => consoleService.door() },
    startToken,
    audit,
    tell: (thread, message) => relayThreads.tell(thread, message),
  });
  const gateway = new RunningGateway({
    inForce,
    reader,
    port,
    operatorUrl: operatorPort.url,
    madeKey,
    consoleToken: startToken?.text,
    observation,
    relayThreads,
    // Told and closed in this order: who writes to the database before the database, and the log last of all.
    services: [
      limitCounters,
      new RecordIntake({ counters, observation, database, otel, tail }),
      accountTokens,
      priceRefresh,
      targets,
      healthShare,
      cachedAnswers,
      mcp,
      requestLog,
      tail,
      consoleService,
      configPool,
      reader,
      audit,
      { close: () => database.closeLedger() },
      operatorPort,
      otel,
      database,
      observation,
    ],
  });
  await gateway.serve(async (thread) => ({
    identity: await database.identityFor(thread),
    hasIssuedKeys,
    // From here on in one turn: what is told meanwhile follows it.
    thread,
    threads,
    counters: counters.buffer,
    counts: limitCounters.buffer,
    health: health.buffers,
    answers: cachedAnswers.buffer,
    claims: cachedAnswers.claimBuffer,
    vectors: cachedAnswers.vectorBuffer,
    // As a reload brings it, from another thread: its pieces are then known.
    configuration: packConfiguration(structuredClone(configurationForThreads(inForce, port, madeKey))),
    tokens: accountTokens.tokens(),
    journal: database.journal,
  }));
  collectWhenIdle(() => counters.idleMark);
  return gateway;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

/** The default key: only where no other key exists and only this machine can reach the gateway. */
async function ownKey(configuration: Configuration, warn: (message: string) => void) {
  if (configuration.keys.count > 0 || !LOOPBACK.test(configuration.server.listen.host)) return undefined;
  return loadOrMakeDefaultKey(configuration.server.dataDir, warn);
}
