import type { Configuration } from '../config/configuration.ts';
import { packConfiguration } from '../config/packed-configuration.ts';
import { isLoopback } from '../core/host-name.ts';
import type { HttpClient } from '../core/http-client.ts';
import { WorkerPool } from '../offload/worker-pool.ts';
import { cacheRoutes } from '../operator/admin/cache.ts';
import type { ConfigurationSource } from '../operator/configuration-source.ts';
import type { GatewayState } from '../operator/operator.ts';
import { StartToken } from '../operator/sessions/start-token.ts';
import { dialects, tokenSources } from '../plugs.ts';
import { HealthMemory } from '../routing/place.ts';
import { loadOrMakeDefaultKey } from '../store/default-key.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { threadEntry } from '../threads/thread-entry.ts';
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
}

/** Builds every part of the main thread once and joins them. Throws a StartFault or a StoreFault. */
export async function openGateway(options: OpenGatewayOptions): Promise<Gateway> {
  const { configuration, source, port, relayThreads, database } = options;
  // Called when a list was fetched, and so behind all of what follows.
  const onPrices = () => configureThreads(relayThreads, forThreads(), observation.log);
  const base = openBase(options, onPrices);
  const { inForce, counters, observation } = base;
  const shared = openSharedMemory(base);
  const people = openPeople(base);
  const { hasIssuedKeys } = await openDatabase(base, shared, people);
  const { log } = observation;
  const madeKey = hasIssuedKeys ? undefined : await ownKey(configuration, (message) => log.warn({}, message));
  const forThreads = () => configurationForThreads(inForce, port, madeKey);
  const accountTokens = openFetched(base);
  const targets = new TargetHealthView({
    memory: shared.health,
    sharing: () => shared.healthShare.sharing,
    configuration: () => inForce.configuration,
    tokens: () => accountTokens.tokens(),
  });
  targets.register(observation.metrics.registry);
  const sides = openSideThreads(base);
  const configEntry = threadEntry('config-thread/config-thread');
  const configPool = new WorkerPool({ entry: configEntry, maxHeapMb: MAX_CONFIG_HEAP_MB });
  const reader = new ConfigurationReader(source, configEntry);
  const tail = new RequestTail({ access: () => inForce.configuration });
  // The operator port opens first: it says when the relay threads are ready.
  const operatorPort = await openOperatorPort({
    configuration: () => inForce.configuration,
    dialects,
    state: stateOf(base),
    observation,
    database,
    targets,
    routes: [
      ...cacheRoutes(shared.cachedAnswers),
      ...sides.mcp.adminRoutes(),
      ...tail.routes(),
      ...consoleRoutes({
        configuration: () => inForce.configuration,
        tokens: () => accountTokens.tokens(),
        port,
        source,
        pool: configPool,
      }),
    ],
    console: { door: () => people.consoleService.door() },
    startToken: people.startToken,
    audit: people.audit,
    tell: (thread, message) => relayThreads.tell(thread, message),
  });
  const gateway = new RunningGateway({
    inForce,
    reader,
    port,
    operatorUrl: operatorPort.url,
    madeKey,
    consoleToken: people.startToken?.text,
    observation,
    relayThreads,
    // This is the order of calls and of the close: parts that write to the database before the database, the log last.
    services: [
      shared.limitCounters,
      new RecordIntake({ counters, observation, database, otel: sides.otel, tail }),
      accountTokens,
      base.priceRefresh,
      targets,
      shared.healthShare,
      shared.cachedAnswers,
      sides.mcp,
      sides.requestLog,
      tail,
      people.consoleService,
      configPool,
      reader,
      people.audit,
      { close: () => database.closeLedger() },
      operatorPort,
      sides.otel,
      database,
      observation,
    ],
  });
  await gateway.serve(async (thread) => ({
    identity: await database.identityFor(thread),
    hasIssuedKeys,
    // From here on in one turn: a message that is sent meanwhile follows this data.
    thread,
    threads: configuration.server.threads,
    counters: counters.buffer,
    counts: shared.limitCounters.buffer,
    health: shared.health.buffers,
    answers: shared.cachedAnswers.buffer,
    claims: shared.cachedAnswers.claimBuffer,
    vectors: shared.cachedAnswers.vectorBuffer,
    // As a reload brings it, from another thread: its pieces are then known.
    configuration: packConfiguration(structuredClone(forThreads())),
    tokens: accountTokens.tokens(),
    journal: database.journal,
  }));
  collectWhenIdle(() => counters.idleMark);
  return gateway;
}

/** What every other part is made with. */
interface Base extends OpenGatewayOptions {
  readonly inForce: InForce;
  readonly http: HttpClient;
  readonly counters: SharedCounters;
  readonly observation: Observation;
  readonly priceRefresh: PriceRefresh;
}

function openBase(options: OpenGatewayOptions, onPrices: () => void): Base {
  const { configuration } = options;
  const { server } = configuration;
  const inForce: InForce = {
    configuration,
    draining: false,
    get prices() {
      return priceRefresh.list;
    },
  };
  const http = sideRequests(() => inForce.configuration.server.upstream);
  const counters = new SharedCounters(server.threads, 0);
  const observation = new Observation(server, counters);
  const priceRefresh = new PriceRefresh({ tell: onPrices, http, log: observation.log });
  return { ...options, inForce, http, counters, observation, priceRefresh };
}

/** What relay threads count and remember together, in memory that they share. */
function openSharedMemory({ configuration: { server }, inForce, relayThreads, database, observation }: Base) {
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
  return { limitCounters, health, healthShare, cachedAnswers };
}

/** Sign-in to the console, and the audit log of what people do there. */
function openPeople({ configuration: { server }, inForce, http, database, observation: { log } }: Base) {
  const hasStartToken =
    server.console.enabled && server.operator.adminKey === undefined && isLoopback(server.operator.host);
  const startToken = hasStartToken ? new StartToken(Date.now) : undefined;
  const audit = new AuditTrail({ write: (entries) => database.audit(entries), log });
  const consoleService = new ConsoleService({
    configuration: () => inForce.configuration,
    startToken,
    // The number behind those of relay threads: nobody waits until this one has heard of a key.
    identity: () => database.identityFor(server.threads),
    onUnknownIssuerKey: (provider) => database.hear({ type: 'issuer-key-unknown', provider }),
    tell: (event) => audit.told(event),
    tellRefusal: (refusal) => audit.refused(refusal),
    http,
    log,
  });
  return { startToken, audit, consoleService };
}

function openDatabase(
  { configuration, counters, relayThreads, database, observation: { log, metrics } }: Base,
  { limitCounters }: ReturnType<typeof openSharedMemory>,
  { consoleService }: ReturnType<typeof openPeople>,
) {
  return database.open({
    configuration,
    counters: counters.buffer,
    counts: limitCounters.buffer,
    registry: metrics.registry,
    log,
    onFull: (full) => relayThreads.broadcast({ type: 'ledger-full', full }),
    tell: (thread, message) => relayThreads.tell(thread, message),
    onIdentity: (message) => {
      relayThreads.broadcast(message);
      consoleService.heard(message);
    },
    onBatchWork: (message) => relayThreads.broadcast(message),
  });
}

/** Begins to fetch what the main thread tells relay threads of: tokens of accounts, and the price list. */
function openFetched({ configuration, http, relayThreads, observation, priceRefresh }: Base): AccountTokens {
  const { log, metrics } = observation;
  const { registry } = metrics;
  const accountTokens = new AccountTokens({
    sources: tokenSources,
    tell: (tokens) => relayThreads.broadcast({ type: 'tokens', tokens }),
    http,
    log,
  });
  accountTokens.register(registry);
  accountTokens.reconfigure(configuration);
  priceRefresh.register(registry);
  priceRefresh.reconfigure(configuration);
  return accountTokens;
}

/** Parts that work in a thread of their own, which begins when it is first needed. */
function openSideThreads({ configuration, inForce, relayThreads, database, observation }: Base) {
  const { log, metrics } = observation;
  const { registry } = metrics;
  const mcp = new McpService({
    configuration: () => inForce.configuration,
    relayThreads,
    registry,
    log,
    askRows: (question) => database.mcpRows(question),
    writeLine: (line) => observation.writeLine(line),
  });
  const otel = new OtelThread({ log, renderMetrics: () => metrics.render() });
  otel.register(registry);
  otel.reconfigure(configuration);
  const requestLog = new RequestLogService({
    log,
    keep: (rows) => database.keepBodies(rows),
    tell: (thread, message) => relayThreads.tell(thread, message),
  });
  requestLog.register(registry);
  requestLog.reconfigure(configuration);
  return { mcp, otel, requestLog };
}

/** What the operator port says of the gateway. */
function stateOf({ configuration, inForce, relayThreads, database }: Base): GatewayState {
  return {
    relayThreads: configuration.server.threads,
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
}

/** The default key: only where no other key exists and only this machine can reach the gateway. */
async function ownKey(configuration: Configuration, warn: (message: string) => void) {
  if (configuration.keys.count > 0 || !isLoopback(configuration.server.listen.host)) return undefined;
  return loadOrMakeDefaultKey(configuration.server.dataDir, warn);
}
