import type { Configuration } from '../config/configuration.ts';
import { formatFault } from '../config/fault.ts';
import type { Loaded, Refused } from '../config/load.ts';
import { applyReload } from '../config/reload.ts';
import { Identity } from '../identity/identity.ts';
import { registerIssuers } from '../identity/issuer-metrics.ts';
import { adminRoutes } from '../operator/admin/admin-routes.ts';
import { openapiJson } from '../operator/openapi.ts';
import { type Operator, startOperator } from '../operator/operator.ts';
import { tokenSources } from '../plugs.ts';
import { hasIssuedKeys } from '../store/api-keys.ts';
import { type Database, databasePlace, openDatabase } from '../store/database.ts';
import { type DefaultKey, loadOrMakeDefaultKey } from '../store/default-key.ts';
import { RecordFrame } from '../telemetry/record-frame.ts';
import { claimPort } from '../threads/claim-port.ts';
import type { FromRelayThread, LedgerFrame, RelayThreadData } from '../threads/messages.ts';
import { RelayThreads } from '../threads/relay-threads.ts';
import { SharedCounters } from '../threads/shared-counters.ts';
import { keepHeapSteady } from '../threads/steady-heap.ts';
import { AccountTokens } from './account-tokens.ts';
import { LedgerKeeping } from './ledger-service.ts';
import { Counting } from './limit-counters.ts';
import { Observation } from './observation.ts';

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

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

/** Builds every stage once and joins them: the composition root of the main thread. */
export async function startGateway({ configuration, setVariable }: GatewayOptions): Promise<Gateway> {
  keepHeapSteady();
  const { server } = configuration;
  // The port first: nothing else is touched by a gateway that cannot have it.
  const port = await claimedPort(configuration);
  const counters = new SharedCounters(server.threads, 0);
  const observation = new Observation(server, counters);
  const { log, metrics } = observation;
  const database = await openDatabase(databasePlace(server));
  const { dataDir, threads } = server;
  const identity = await Identity.open({ database, dataDir, threads, identities: configuration.identities, log });
  registerIssuers(metrics.registry, () => identity.issuerStates());
  const defaultKey = await ownKey(configuration, database, (message) => log.warn({}, message));
  const main = new MainThread({ configuration, port, counters, observation, database, identity, defaultKey });
  metrics.configLoaded(Date.now());
  await main.openLedger();
  setVariable('UWS_HTTP_MAX_HEADERS_SIZE', String(server.limits.maxHeaderBytes));
  await main.serve();
  return main;
}

interface Parts {
  readonly configuration: Configuration;
  readonly port: number;
  readonly counters: SharedCounters;
  readonly observation: Observation;
  readonly database: Database;
  readonly identity: Identity;
  readonly defaultKey: DefaultKey | undefined;
}

class MainThread implements Gateway {
  readonly #parts: Parts;
  readonly #counting: Counting;
  readonly #tokens: AccountTokens;
  readonly #threads: RelayThreads;
  /** In force; a reload alone changes it. */
  #configuration: Configuration;
  #ledger: LedgerKeeping | undefined;
  #operator: Operator | undefined;
  /** Served on both ports. */
  #openapi = openapiJson();
  #draining = false;

  constructor(parts: Parts) {
    const { log, metrics } = parts.observation;
    this.#parts = parts;
    this.#configuration = parts.configuration;
    const { server } = parts.configuration;
    this.#counting = new Counting({
      server,
      whenAway: () => this.#configuration.server.counters.whenAway,
      onClockSet: () => this.#ledger?.refreshBudgets(),
      log,
    });
    this.#counting.register(metrics.registry);
    this.#tokens = new AccountTokens({
      sources: tokenSources,
      tell: (tokens) => this.#threads.broadcast({ type: 'tokens', tokens }),
      log,
    });
    this.#tokens.register(metrics.registry);
    this.#threads = new RelayThreads({
      entry: relayThreadEntry(),
      count: server.threads,
      log,
      data: (thread) => this.#dataFor(thread),
      onMessage: (message) => this.#onMessage(message),
      onDied: (thread) => this.#onDied(thread),
    });
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get defaultKey(): string | undefined {
    return this.#parts.defaultKey?.key;
  }

  get url(): string {
    const { host, tls } = this.#parts.configuration.server.listen;
    return `${tls ? 'https' : 'http'}://${hostOf(host)}:${this.#parts.port}`;
  }

  get operatorUrl(): string {
    const { host, port } = this.#parts.configuration.server.operator;
    return `http://${hostOf(host)}:${this.#operator?.port ?? port}`;
  }

  /** Before anything is served: budgets begin with all that was spent. */
  async openLedger(): Promise<void> {
    const { database, observation } = this.#parts;
    this.#ledger = await LedgerKeeping.open({
      database,
      server: this.#configuration.server,
      budgets: () => this.#configuration.budgets,
      counters: this.#counting.counts,
      registry: observation.metrics.registry,
      log: observation.log,
      onFull: (full) => this.#threads.broadcast({ type: 'ledger-full', full }),
    });
  }

  /** First the operator port, which says when the relay threads are ready, then these. */
  async serve(): Promise<void> {
    this.#tokens.reconfigure(this.#configuration);
    this.#parts.identity.begin((message) => this.#threads.broadcast(message));
    await this.#openOperatorPort();
    if ((await this.#threads.start()) !== undefined) return;
    const { host } = this.#configuration.server.listen;
    throw new StartFault(`cannot listen on ${host}:${this.#parts.port} (listen.port): somebody else took it`);
  }

  reload(loaded: Loaded | Refused): void {
    const { observation, identity } = this.#parts;
    const { log, metrics } = observation;
    const result = applyReload(this.#configuration, loaded);
    if ('faults' in result) {
      metrics.configFailed(Date.now());
      for (const fault of result.faults) log.error({ fault: formatFault(fault) }, 'the new configuration is faulty');
      log.error({ faults: result.faults.length }, 'the old configuration stays in force');
      return;
    }
    for (const warning of result.warnings) log.warn({ warning: formatFault(warning) }, 'configuration');
    const { configuration } = result;
    this.#configuration = configuration;
    observation.reconfigure(configuration.server);
    identity.reconfigure(configuration.identities);
    this.#tokens.reconfigure(configuration);
    this.#ledger?.reconfigure(configuration);
    this.#threads.broadcast({ type: 'reconfigure', configuration: this.#configurationForThreads() });
    metrics.configLoaded(Date.now());
    log.info({ accounts: configuration.accounts.length }, 'configuration reloaded');
  }

  async drain(): Promise<void> {
    const { identity, database, observation } = this.#parts;
    this.#draining = true;
    this.#counting.stop();
    await this.#threads.drain(this.#configuration.server.timeouts.drainMs);
    identity.stop();
    this.#tokens.close();
    await this.#ledger?.close();
    await this.#operator?.close();
    await database.close();
    await observation.flush();
  }

  async #openOperatorPort(): Promise<void> {
    const { observation } = this.#parts;
    const { server } = this.#configuration;
    const { host, port, adminKey } = server.operator;
    const admin = adminKey === undefined ? undefined : { key: adminKey, routes: this.#adminRoutes() };
    const threads = this.#threads;
    const isDraining = (): boolean => this.#draining;
    this.#operator = await startOperator({
      host,
      port,
      state: {
        relayThreads: server.threads,
        get listeningThreads() {
          return threads.listening;
        },
        get draining() {
          return isDraining();
        },
      },
      metrics: observation.metrics,
      openapi: () => this.#openapi,
      ...(admin && { admin }),
      log: observation.log,
    }).catch((error: Error) => {
      throw new StartFault(error.message);
    });
    if (admin) this.#openapi = openapiJson({ ...admin, operatorUrl: this.operatorUrl });
  }

  #adminRoutes() {
    const { database, identity } = this.#parts;
    const { counts } = this.#counting;
    return adminRoutes({
      database,
      identity,
      budgets: () => this.#configuration.budgets,
      read: (cell) => counts.read(cell, counts.clock.now()),
    });
  }

  #dataFor(thread: number): RelayThreadData {
    const { counters, identity } = this.#parts;
    return {
      thread,
      threads: this.#configuration.server.threads,
      counters: counters.buffer,
      counts: this.#counting.buffer,
      configuration: this.#configurationForThreads(),
      identity: identity.stateFor(thread),
      tokens: this.#tokens.tokens(),
      openapi: this.#openapi,
      journal: this.#ledger?.journal,
    };
  }

  /** With the port that was found free. The made key counts only while none is configured: a reload that brings keys ends it. */
  #configurationForThreads(): Configuration {
    const { port, defaultKey } = this.#parts;
    const { server, keys, ...rest } = this.#configuration;
    const listen = { ...server.listen, port };
    if (defaultKey === undefined || keys.length > 0) return { ...rest, keys, server: { ...server, listen } };
    const { key: _secret, ...made } = defaultKey;
    return { ...rest, keys: [made], server: { ...server, listen } };
  }

  /** What it held is given back before the next one begins. */
  #onDied(thread: number): void {
    const { counters, identity, observation } = this.#parts;
    counters.reclaim(thread);
    this.#counting.threadDied(thread);
    observation.metrics.threadStopped(thread);
    identity.threadDied(thread);
    this.#ledger?.threadDied(thread);
  }

  #onMessage(message: FromRelayThread): void {
    const { counters, observation, identity } = this.#parts;
    const { presence } = this.#counting;
    switch (message.type) {
      case 'records':
        observation.addAll(message.frames.map((frame) => new RecordFrame(frame)));
        counters.takeFrame(message.thread);
        return;
      case 'ledger-records':
        observation.addAll(message.frames.map((frame) => this.#takeLedgerFrame(message.thread, frame)));
        counters.takeFrame(message.thread);
        return;
      case 'journal-closed':
        this.#ledger?.segmentClosed(message.thread, message.segment, message.end);
        return;
      case 'journal-failed':
        this.#ledger?.journalFailed(message.thread, message.reason);
        return;
      case 'counters-away':
        presence.lost(message.thread, message.reason);
        return;
      case 'counters-back':
        presence.found(message.thread);
        return;
      case 'stats':
        observation.metrics.setThread(message.stats);
        return;
      case 'log':
        observation.writeLine(message.line);
        return;
      case 'keys-known':
      case 'issuer-key-unknown':
        identity.hear(message);
    }
  }

  #takeLedgerFrame(thread: number, { frame, place }: LedgerFrame): RecordFrame {
    const records = new RecordFrame(frame);
    this.#ledger?.take(thread, records, place);
    return records;
  }
}

async function claimedPort({ server }: Configuration): Promise<number> {
  const { host, port } = server.listen;
  const claim = await claimPort(host, port);
  if ('port' in claim) return claim.port;
  throw new StartFault(`cannot listen on ${host}:${port} (listen.port): ${claim.reason}`);
}

/** The default key: only where no other key exists and only this machine can reach the gateway. */
async function ownKey(configuration: Configuration, database: Database, warn: (message: string) => void) {
  if (configuration.keys.length > 0 || !LOOPBACK.test(configuration.server.listen.host)) return undefined;
  if (await hasIssuedKeys(database)) return undefined;
  return loadOrMakeDefaultKey(configuration.server.dataDir, warn);
}

function hostOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** `.ts` in a clone, `.js` in the published package. */
function relayThreadEntry(): URL {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../relay-thread/relay-thread.${extension}`, import.meta.url);
}
