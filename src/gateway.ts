import { setTimeout as delay } from 'node:timers/promises';
import { BudgetKeeping } from './budget-keeping.ts';
import type { Configuration } from './config/configuration.ts';
import { formatFault } from './config/fault.ts';
import type { Loaded, Refused } from './config/load.ts';
import { applyReload } from './config/reload.ts';
import { budgetCellName } from './counters/cell.ts';
import { MemoryCounters, sharedCounts } from './counters/memory-counters.ts';
import { RedisBudgetSeed, type BudgetWindow as SeededWindow } from './counters/redis-budget-seed.ts';
import { RedisPresence } from './counters/redis-presence.ts';
import { Identity } from './identity/identity.ts';
import { registerIssuers } from './identity/issuer-metrics.ts';
import { type BudgetWindow, currentWindows } from './ledger/budget-windows.ts';
import { type Ledger, startLedger } from './ledger/ledger.ts';
import { registerLedger } from './ledger/ledger-metrics.ts';
import type { AdminRoute } from './operator/admin/admin-route.ts';
import { budgetRoutes } from './operator/admin/budgets.ts';
import { identityRoutes } from './operator/admin/identities.ts';
import { keyRoutes } from './operator/admin/keys.ts';
import { receiptRoutes } from './operator/admin/receipts.ts';
import { usageRoutes } from './operator/admin/usage.ts';
import { openapiJson } from './operator/openapi.ts';
import { type GatewayState, startOperator } from './operator/operator.ts';
import { hasIssuedKeys } from './store/api-keys.ts';
import { type Database, databasePlace, openDatabase } from './store/database.ts';
import { loadOrMakeDefaultKey } from './store/default-key.ts';
import { loadOrMakeGatewayId } from './store/gateway-id.ts';
import { createAccessLog } from './telemetry/access-log.ts';
import type { ExchangeRecord } from './telemetry/exchange-record.ts';
import { bufferedDestination } from './telemetry/line-destination.ts';
import { createLog } from './telemetry/log.ts';
import type { MetricRegistry } from './telemetry/metric-registry.ts';
import { Metrics } from './telemetry/metrics.ts';
import { decodeBatch } from './telemetry/record-batch.ts';
import { RuleMetrics } from './telemetry/rule-metrics.ts';
import { claimPort } from './threads/claim-port.ts';
import type { FromRelayThread, RelayThreadData } from './threads/messages.ts';
import { RelayThreads } from './threads/relay-threads.ts';
import { SharedCounters } from './threads/shared-counters.ts';

/** Why a gateway did not start: for the person at the terminal. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

export interface GatewayOptions {
  readonly configuration: Configuration;
  /** Sets a variable that the addon reads when it is loaded. */
  setVariable(name: string, value: string): void;
}

export interface Gateway {
  readonly url: string;
  readonly operatorUrl: string;
  /** The key that was made because none is configured; undefined where there are keys or the listener is not loopback. */
  readonly defaultKey: string | undefined;
  readonly configuration: Configuration;
  /** New exchanges see the new configuration; a faulty one leaves the old in force and says why. */
  reload(loaded: Loaded | Refused): void;
  /** Accepts nothing new, lets what is open finish until `drain_ms`, then stops. */
  drain(): Promise<void>;
}

/** How soon a wall clock that was set is followed by what begins with its day. */
const FOLLOW_WALL_MS = 1_000;
/** A clock that is kept right goes by less. */
const CLOCK_SET_MS = 10_000;

/** How long a start waits for the journal of a crash, and an end for what the database has not taken yet. */
const REPLAY_MS = 10_000;
const LEDGER_CLOSE_MS = 10_000;

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

/** Builds every stage once and joins them: the composition root of the main thread. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  let { configuration } = options;
  const { server } = configuration;
  // The port first: nothing else is touched by a gateway that cannot have it.
  const claim = await claimPort(server.listen.host, server.listen.port);
  if ('reason' in claim) {
    const { host, port } = server.listen;
    throw new StartFault(`cannot listen on ${host}:${port} (listen.port): ${claim.reason}`);
  }

  const output = bufferedDestination();
  const log = createLog(server.log.level, output);
  const warn = (message: string): void => log.warn({}, message);
  const database = await openDatabase(databasePlace(server));
  const identity = await Identity.open({
    database,
    dataDir: server.dataDir,
    threads: server.threads,
    identities: configuration.identities,
    log,
  });
  const defaultKey = await ownKey(configuration, database, warn);
  const made = defaultKey && { ...defaultKey, key: undefined };

  const counters = new SharedCounters(server.threads, 0);
  const countsBuffer = sharedCounts({
    relayThreads: server.threads,
    maxCells: server.counters.maxCells,
    maxInFlight: server.limits.maxInFlight,
  });
  const counts = new MemoryCounters(countsBuffer, server.threads);
  const followWall = setInterval(() => {
    // What was spent in the periods that hold by the new date is known to the database alone.
    if (counts.clock.followWall(Date.now()) > CLOCK_SET_MS) budgets?.refresh();
  }, FOLLOW_WALL_MS);
  followWall.unref();
  const accessLog = createAccessLog(server.log.access, output);
  const metrics = new Metrics({
    metadataKeys: server.metrics.metadataKeys,
    inFlight: () => counters.inFlight,
    bodyMemoryBytes: () => counters.bodyBytes,
    logLinesDropped: () => output.dropped,
  });
  const ruleMetrics = new RuleMetrics();
  ruleMetrics.register(metrics.registry);
  const presence = new RedisPresence(log, () => configuration.server.counters.whenAway);
  registerCounts(metrics.registry, counts, presence);
  registerIssuers(metrics.registry, () => identity.issuerStates());
  metrics.configLoaded(Date.now());

  let journalFull = false;
  let serving = false;
  let budgets: BudgetKeeping | undefined;
  let budgetSeed: RedisBudgetSeed | undefined;
  const ledger = await openLedger();
  if (server.store.counters !== 'memory') budgetSeed = seedRedis(server.store.counters);
  await budgetSeed?.start();

  options.setVariable('UWS_HTTP_MAX_HEADERS_SIZE', String(server.limits.maxHeaderBytes));
  const threads = new RelayThreads({
    entry: sibling('relay-thread'),
    count: server.threads,
    log,
    data: (thread): RelayThreadData => ({
      thread,
      threads: server.threads,
      counters: counters.buffer,
      counts: countsBuffer,
      configuration: withKey(withPort(configuration, claim.port)),
      identity: identity.stateFor(thread),
      openapi,
      journal: ledger && { folder: ledger.journalFolder, full: journalFull },
    }),
    onMessage,
    onDied: (thread) => {
      counters.reclaim(thread);
      counts.reclaim(thread);
      metrics.threadStopped(thread);
      identity.threadDied(thread);
      ledger?.threadDied(thread);
      presence.found(thread);
    },
  });

  identity.begin((message) => threads.broadcast(message));

  let openapi = openapiJson();
  let draining = false;
  const state: GatewayState = {
    relayThreads: server.threads,
    get listeningThreads() {
      return threads.listening;
    },
    get draining() {
      return draining;
    },
  };
  const { host, port: operatorPort, adminKey } = server.operator;
  const adminRoutes = [
    ...keyRoutes({ database, identity }),
    ...identityRoutes(identity),
    ...spendingRoutes(),
    ...usageRoutes({ database }),
    ...receiptRoutes({ database }),
  ];
  const admin = adminKey === undefined ? undefined : { key: adminKey, routes: adminRoutes };
  const operator = await startOperator({
    host,
    port: operatorPort,
    state,
    metrics,
    openapi: () => openapi,
    ...(admin && { admin }),
    log,
  }).catch((error: Error) => {
    throw new StartFault(error.message);
  });
  serving = true;
  const operatorUrl = `http://${hostOf(host)}:${operator.port}`;
  if (admin) openapi = openapiJson({ ...admin, operatorUrl });
  const port = await threads.start();
  if (port === undefined) {
    throw new StartFault(`cannot listen on ${server.listen.host}:${claim.port} (listen.port): somebody else took it`);
  }
  return {
    url: `${server.listen.tls ? 'https' : 'http'}://${hostOf(server.listen.host)}:${port}`,
    operatorUrl,
    defaultKey: defaultKey?.key,
    get configuration() {
      return configuration;
    },
    reload,
    drain: async () => {
      draining = true;
      clearInterval(followWall);
      await threads.drain(configuration.server.timeouts.drainMs);
      identity.stop();
      budgetSeed?.stop();
      await ledger?.close(LEDGER_CLOSE_MS);
      await budgets?.close();
      await operator.close();
      await database.close();
      await output.flush();
    },
  };

  function reload(loaded: Loaded | Refused): void {
    const result = applyReload(configuration, loaded);
    if ('faults' in result) {
      metrics.configFailed(Date.now());
      for (const fault of result.faults) log.error({ fault: formatFault(fault) }, 'the new configuration is faulty');
      log.error({ faults: result.faults.length }, 'the old configuration stays in force');
      return;
    }
    for (const warning of result.warnings) log.warn({ warning: formatFault(warning) }, 'configuration');
    configuration = result.configuration;
    log.level = configuration.server.log.level;
    accessLog.mode = configuration.server.log.access;
    identity.reconfigure(configuration.identities);
    ledger?.reconfigure(configuration.server.ledger);
    budgets?.reconfigure(configuration.budgets);
    threads.broadcast({ type: 'reconfigure', configuration: withKey(withPort(configuration, port ?? 0)) });
    metrics.configLoaded(Date.now());
    log.info({ accounts: configuration.accounts.length }, 'configuration reloaded');
  }

  function onMessage(message: FromRelayThread): void {
    if (message.type === 'records') {
      observe(decodeBatch(message.frame));
      counters.takeFrame(message.thread);
    } else if (message.type === 'ledger-records') {
      for (const { frame, place } of message.frames) {
        const records = decodeBatch(frame);
        ledger?.take(message.thread, records, place);
        // Of a provisional record nobody else is told: the one that counts follows.
        observe(records.some((record) => record.pending) ? records.filter((record) => !record.pending) : records);
      }
      counters.takeFrame(message.thread);
    } else if (message.type === 'counters-away') presence.lost(message.thread, message.reason);
    else if (message.type === 'counters-back') presence.found(message.thread);
    else if (message.type === 'journal-closed') ledger?.segmentClosed(message.thread, message.segment, message.end);
    else if (message.type === 'journal-failed') ledger?.journalFailed(message.thread, message.reason);
    else if (message.type === 'stats') metrics.setThread(message.stats);
    else if (message.type === 'log') output.write(message.line);
    else if (message.type === 'keys-known' || message.type === 'issuer-key-unknown') identity.hear(message);
  }

  function spendingRoutes(): AdminRoute[] {
    return budgetRoutes({
      database,
      budgets: () => configuration.budgets,
      read: (cell) => counts.read(cell, counts.clock.now()),
    });
  }

  function observe(records: readonly ExchangeRecord[]): void {
    metrics.addAll(records);
    ruleMetrics.addAll(records);
    accessLog.addAll(records);
  }

  /** With what earlier runs left in their journals already written, so that budgets begin with all that was spent. */
  async function openLedger(): Promise<Ledger | undefined> {
    if (!server.ledger.enabled) {
      if (configuration.budgets.length > 0) warn('ledger.enabled is false: budgets begin anew at each start');
      return undefined;
    }
    const gatewayId = server.gatewayId ?? (await loadOrMakeGatewayId(server.dataDir, warn));
    budgets = new BudgetKeeping({
      database,
      gatewayId,
      budgets: configuration.budgets,
      counters: counts,
      // With Redis too: while it is away, this machine's counts are what decides.
      followsOthers: database.engine === 'postgres',
      onSpent: (windows) => budgetSeed?.push(windows.map(seededWindow)),
      registry: metrics.registry,
      log,
    });
    const opened = await startLedger({
      database,
      dataDir: server.dataDir,
      gatewayId,
      settings: server.ledger,
      hooks: [budgets.hook],
      log,
      onFull: (full) => {
        journalFull = full;
        // Those that are not born yet are told at their birth.
        if (serving) threads.broadcast({ type: 'ledger-full', full });
      },
    });
    registerLedger(metrics.registry, opened);
    // Beyond it a large journal is replayed beside what is served.
    const replayed = opened.replayed.then(() => true);
    const inTime = await Promise.race([replayed, delay(REPLAY_MS, false, { ref: false })]);
    await budgets.start();
    if (!inTime) replayed.then(() => budgets?.refresh());
    return opened;
  }

  /** A budget that was spent is spent in a Redis that was emptied, too. */
  function seedRedis(url: string): RedisBudgetSeed {
    const { timeoutMs } = server.counters;
    const windows = async (): Promise<SeededWindow[]> => {
      const current = server.ledger.enabled ? await currentWindows(database, configuration.budgets, Date.now()) : [];
      return current.map(seededWindow);
    };
    return new RedisBudgetSeed({ url, timeoutMs, windows, log });
  }

  /** The made key counts only while none is configured: a reload that brings keys ends it. */
  function withKey(from: Configuration): Configuration {
    if (!made || from.keys.length > 0) return from;
    const { key: _secret, ...key } = made;
    return { ...from, keys: [key] };
  }
}

function seededWindow({ budget, unit, group, period, periodStart, spent }: BudgetWindow): SeededWindow {
  return { cell: budgetCellName(budget, unit, group), period, periodStartMs: periodStart, spent };
}

function registerCounts(registry: MetricRegistry, counts: MemoryCounters, presence: RedisPresence): void {
  registry.single(
    'gauge',
    'sluice_counters_away',
    'Whether a relay thread is without Redis, which limits are counted in: 1 or 0',
    () => (presence.away ? 1 : 0),
  );
  registry.single(
    'gauge',
    'sluice_reservations_open',
    'Requests that hold something of a rate limit or a budget, over all threads',
    () => counts.openReservations,
  );
  registry.single(
    'counter',
    'sluice_counter_cells_overflowed_total',
    'Requests whose group found no room in counters.max_cells and was counted together with others of its rule',
    () => counts.overflowed,
  );
}

/** Contract §1: only where nobody has given it a key and only the machine itself can reach it. */
async function ownKey(configuration: Configuration, database: Database, warn: (message: string) => void) {
  if (configuration.keys.length > 0 || !LOOPBACK.test(configuration.server.listen.host)) return undefined;
  if (await hasIssuedKeys(database)) return undefined;
  return loadOrMakeDefaultKey(configuration.server.dataDir, warn);
}

function withPort(configuration: Configuration, port: number): Configuration {
  const { server } = configuration;
  return { ...configuration, server: { ...server, listen: { ...server.listen, port } } };
}

function hostOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** Beside this file: `.ts` in a clone, `.js` in the published package. */
function sibling(name: string): URL {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}
