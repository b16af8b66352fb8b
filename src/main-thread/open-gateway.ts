import type { Configuration, UpstreamSettings } from '../config/configuration.ts';
import type { HttpClient } from '../core/http-client.ts';
import { Identity } from '../identity/identity.ts';
import { registerIssuers } from '../identity/issuer-metrics.ts';
import { tokenSources } from '../plugs.ts';
import { hasIssuedKeys } from '../store/api-keys.ts';
import { type Database, databasePlace, openDatabase } from '../store/database.ts';
import { loadOrMakeDefaultKey } from '../store/default-key.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { collectWhenIdle } from '../threads/steady-heap.ts';
import { AccountTokens } from './account-tokens.ts';
import { budgetSeed } from './budget-seed.ts';
import { openFiles } from './file-service.ts';
import { type LedgerService, NO_LEDGER, openLedger } from './ledger-service.ts';
import { LimitCounters } from './limit-counters.ts';
import { Observation } from './observation.ts';
import { openOperatorPort } from './operator-port.ts';
import { PriceRefresh } from './price-refresh.ts';
import { RecordIntake } from './record-intake.ts';
import { configurationForThreads, type Gateway, type InForce, RunningGateway } from './running-gateway.ts';

export interface OpenGatewayOptions {
  readonly configuration: Configuration;
  /** The listening port, which was found free. */
  readonly port: number;
  /** They load their code meanwhile. */
  readonly relayThreads: RelayThreads;
}

/** Builds every part of the main thread once and joins them. Throws a StartFault or a StoreFault. */
export async function openGateway({ configuration, port, relayThreads }: OpenGatewayOptions): Promise<Gateway> {
  const { server, identities } = configuration;
  const { dataDir, threads } = server;
  const inForce: InForce = {
    configuration,
    draining: false,
    get prices() {
      return priceRefresh.list;
    },
  };
  const http = sideRequests(() => inForce.configuration.server.upstream);
  const budgets = () => inForce.configuration.budgets;
  const counters = new SharedCounters(threads, 0);
  const observation = new Observation(server, counters);
  const { log, metrics } = observation;
  const { registry } = metrics;
  const database = await openDatabase(databasePlace(server));
  const identity = await Identity.open({ database, dataDir, threads, identities, http, log });
  registerIssuers(registry, () => identity.issuerStates());
  const madeKey = await ownKey(configuration, database, (message) => log.warn({}, message));

  // Until it is open nothing is asked of it: the clock may be set while journals are replayed.
  let ledger: LedgerService = NO_LEDGER;
  const limitCounters = new LimitCounters({
    server,
    whenAway: () => inForce.configuration.server.counters.whenAway,
    onClockSet: () => ledger.refreshBudgets(),
    registry,
    log,
  });
  const seed = await budgetSeed({ database, server, budgets, log });
  ledger = await openLedger({
    database,
    server,
    budgets: budgets(),
    counters: limitCounters.counts,
    seed,
    registry,
    http,
    log,
    onFull: (full) => relayThreads.broadcast({ type: 'ledger-full', full }),
  });
  await seed.start();
  const files = await openFiles({
    database,
    dataDir,
    tell: (thread, message) => relayThreads.tell(thread, message),
    log,
  });
  const accountTokens = new AccountTokens({
    sources: tokenSources,
    tell: (tokens) => relayThreads.broadcast({ type: 'tokens', tokens }),
    http,
    log,
  });
  accountTokens.register(registry);
  accountTokens.reconfigure(configuration);
  const priceRefresh = new PriceRefresh({
    tell: () =>
      relayThreads.broadcast({ type: 'reconfigure', configuration: configurationForThreads(inForce, port, madeKey) }),
    http,
    log,
  });
  priceRefresh.register(registry);
  priceRefresh.reconfigure(configuration);
  identity.begin((message) => relayThreads.broadcast(message));
  const state = {
    relayThreads: threads,
    get listeningThreads() {
      return relayThreads.listening;
    },
    get draining() {
      return inForce.draining;
    },
  };
  // First the operator port, which says when the relay threads are ready, then these.
  const operatorPort = await openOperatorPort({
    configuration: () => inForce.configuration,
    state,
    observation,
    database,
    identity,
    limitCounters,
  });
  const gateway = new RunningGateway({
    inForce,
    port,
    operatorUrl: operatorPort.url,
    madeKey,
    observation,
    relayThreads,
    // Told and closed in this order: who writes to the database before the database, and the log last of all.
    services: [
      limitCounters,
      new RecordIntake({ counters, observation, ledger }),
      identity,
      accountTokens,
      priceRefresh,
      seed,
      files,
      ledger,
      operatorPort,
      { close: () => database.close() },
      observation,
    ],
  });
  await gateway.serve((thread) => ({
    thread,
    threads,
    counters: counters.buffer,
    counts: limitCounters.buffer,
    configuration: configurationForThreads(inForce, port, madeKey),
    identity: identity.stateFor(thread),
    tokens: accountTokens.tokens(),
    openapi: operatorPort.openapi,
    journal: ledger.journal,
  }));
  collectWhenIdle(() => counters.idleMark);
  return gateway;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

/** The default key: only where no other key exists and only this machine can reach the gateway. */
async function ownKey(configuration: Configuration, database: Database, warn: (message: string) => void) {
  if (configuration.keys.length > 0 || !LOOPBACK.test(configuration.server.listen.host)) return undefined;
  if (await hasIssuedKeys(database)) return undefined;
  return loadOrMakeDefaultKey(configuration.server.dataDir, warn);
}

/** Loads its code with the first request: a gateway that needs none is ready sooner. */
function sideRequests(settings: () => UpstreamSettings): HttpClient {
  let loaded: Promise<HttpClient> | undefined;
  return async (request) => {
    loaded ??= import('../upstream/one-request.ts').then(({ httpClient }) => httpClient(settings));
    return (await loaded)(request);
  };
}
