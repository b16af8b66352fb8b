import type { Configuration } from './config/configuration.ts';
import { formatFault } from './config/fault.ts';
import type { Loaded, Refused } from './config/load.ts';
import { applyReload } from './config/reload.ts';
import { openapiJson } from './operator/openapi.ts';
import { type GatewayState, startOperator } from './operator/operator.ts';
import { hasIssuedKeys, revokedKeyIds } from './store/api-keys.ts';
import { type Database, openDatabase } from './store/database.ts';
import { loadOrMakeDefaultKey } from './store/default-key.ts';
import { watchRevokedKeys } from './store/key-watch.ts';
import { loadOrMakeSigningKey } from './store/signing-key.ts';
import { createAccessLog } from './telemetry/access-log.ts';
import { bufferedDestination } from './telemetry/line-destination.ts';
import { createLog } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { decodeBatch } from './telemetry/record-batch.ts';
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
  const database = await openDatabase(server.dataDir);
  const signingKey = await loadOrMakeSigningKey(server.dataDir, warn);
  const revokedAtStart = await revokedKeyIds(database, new Date());
  let revokedIds: readonly string[] = revokedAtStart;
  const defaultKey = await ownKey(configuration, database, warn);
  const made = defaultKey && { ...defaultKey, key: undefined };

  const counters = new SharedCounters(server.threads, 0);
  const accessLog = createAccessLog(server.log.access, output);
  const metrics = new Metrics({
    inFlight: () => counters.inFlight,
    bodyMemoryBytes: () => counters.bodyBytes,
    logLinesDropped: () => output.dropped,
  });
  metrics.configLoaded(Date.now());

  options.setVariable('UWS_HTTP_MAX_HEADERS_SIZE', String(server.limits.maxHeaderBytes));
  const threads = new RelayThreads({
    entry: sibling('relay-thread'),
    count: server.threads,
    log,
    data: (thread): RelayThreadData => ({
      thread,
      threads: server.threads,
      counters: counters.buffer,
      configuration: withKey(withPort(configuration, claim.port)),
      publicKeys: [signingKey.verification],
      revokedIds,
    }),
    onMessage,
    onDied: (thread) => {
      counters.reclaim(thread);
      metrics.threadStopped(thread);
    },
  });

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
  const { host, port: operatorPort } = server.operator;
  const operator = await startOperator({ host, port: operatorPort, state, metrics, openapi: openapiJson, log }).catch(
    (error: Error) => {
      throw new StartFault(error.message);
    },
  );
  const port = await threads.start();
  if (port === undefined) {
    throw new StartFault(`cannot listen on ${server.listen.host}:${claim.port} (listen.port): somebody else took it`);
  }
  const keyWatch = watchRevokedKeys(database, {
    initial: revokedAtStart,
    onChange: (ids) => {
      revokedIds = ids;
      threads.broadcast({ type: 'revoked', ids });
    },
    onFault: (error) => log.error({ error }, 'revoked keys cannot be read; those known stay revoked'),
  });

  return {
    url: `${server.listen.tls ? 'https' : 'http'}://${hostOf(server.listen.host)}:${port}`,
    operatorUrl: `http://${hostOf(server.operator.host)}:${operator.port}`,
    defaultKey: defaultKey?.key,
    get configuration() {
      return configuration;
    },
    reload,
    drain: async () => {
      draining = true;
      await threads.drain(configuration.server.timeouts.drainMs);
      keyWatch.stop();
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
    threads.broadcast({ type: 'reconfigure', configuration: withKey(withPort(configuration, port ?? 0)) });
    metrics.configLoaded(Date.now());
    log.info({ accounts: configuration.accounts.length }, 'configuration reloaded');
  }

  function onMessage(message: FromRelayThread): void {
    if (message.type === 'records') {
      const records = decodeBatch(message.frame);
      metrics.addAll(records);
      accessLog.addAll(records);
      counters.takeFrame(message.thread);
    } else if (message.type === 'stats') metrics.setThread(message.stats);
    else if (message.type === 'log') output.write(message.line);
  }

  /** The made key counts only while none is configured: a reload that brings keys ends it. */
  function withKey(from: Configuration): Configuration {
    if (!made || from.keys.length > 0) return from;
    const { key: _secret, ...key } = made;
    return { ...from, keys: [key] };
  }
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
