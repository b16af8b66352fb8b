import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import { formatFault } from '../config/fault.ts';
import type { LoadedData, Refused } from '../config/load.ts';
import { packConfiguration } from '../config/packed-configuration.ts';
import { packKeys } from '../config/packed-keys.ts';
import type { PriceList } from '../config/price-list.ts';
import { applyReload } from '../config/reload.ts';
import { hostInUrl } from '../core/host-name.ts';
import type { Log } from '../core/log.ts';
import type { DefaultKey } from '../store/default-key.ts';
import type { RelayThreadBirth } from '../threads/messages.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import type { ConfigurationReader } from './configuration-reader.ts';
import type { MainService } from './main-service.ts';
import type { Observation } from './observation.ts';
import { StartFault } from './start-fault.ts';

export interface Gateway {
  readonly url: string;
  readonly operatorUrl: string;
  /** The key that was made because none is configured; undefined where there are keys or the listener is not loopback. */
  readonly defaultKey: string | undefined;
  /** Opens the console once, to look only; undefined: there is an admin key, or no console. */
  readonly consoleToken: string | undefined;
  readonly configuration: Configuration;
  /**
   * Reads the configuration again: new exchanges see the new one; a faulty one leaves the old in force and says why. What is asked
   * while one is read is read once more behind it. Never rejects; undefined: nothing could be read.
   */
  reload(): Promise<ReadFiles | undefined>;
  /** Accepts nothing new, lets what is open finish until `drain_ms`, then stops. */
  drain(): Promise<void>;
  /** While it drains: ends what is open now, as at the end of `drain_ms`. */
  cut(): void;
}

export interface ReadFiles {
  readonly files: readonly string[];
  /** Date.now() when their reading began. */
  readonly readAtMs: number;
}

export interface InForce {
  /** A reload alone changes it. */
  configuration: Configuration;
  draining: boolean;
  /** What was fetched last from `prices.url`. */
  readonly prices: PriceList | undefined;
}

export interface GatewayParts {
  readonly inForce: InForce;
  readonly reader: Pick<ConfigurationReader, 'read'>;
  /** The one that was found free. */
  readonly port: number;
  readonly operatorUrl: string;
  readonly madeKey: DefaultKey | undefined;
  readonly consoleToken: string | undefined;
  readonly observation: Observation;
  readonly relayThreads: RelayThreads;
  readonly services: readonly MainService[];
}

export class RunningGateway implements Gateway {
  readonly operatorUrl: string;
  readonly defaultKey: string | undefined;
  readonly consoleToken: string | undefined;
  readonly #parts: GatewayParts;
  #reloading: Promise<ReadFiles | undefined> = Promise.resolve(undefined);
  #next: Promise<ReadFiles | undefined> | undefined;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.operatorUrl = parts.operatorUrl;
    this.defaultKey = parts.madeKey?.key;
    this.consoleToken = parts.consoleToken;
  }

  get configuration(): Configuration {
    return this.#parts.inForce.configuration;
  }

  get url(): string {
    const { host, tls } = this.configuration.server.listen;
    return `${tls ? 'https' : 'http'}://${hostInUrl(host)}:${this.#parts.port}`;
  }

  /** Resolves when every relay thread listens. */
  async serve(data: (thread: number) => Promise<RelayThreadBirth>): Promise<void> {
    const { relayThreads, services, observation, port } = this.#parts;
    observation.metrics.configLoaded(Date.now());
    const listening = await relayThreads.start({
      log: observation.log,
      data,
      onMessage: (message) => {
        for (const service of services) service.hear?.(message);
      },
      onDied: (thread) => {
        for (const service of services) service.threadDied?.(thread);
      },
    });
    if (listening !== undefined) return;
    const { host } = this.configuration.server.listen;
    throw new StartFault(`cannot listen on ${host}:${port} (listen.port): somebody else took it`);
  }

  reload(): Promise<ReadFiles | undefined> {
    this.#next ??= this.#reloading.then(() => {
      this.#next = undefined;
      this.#reloading = this.#reload();
      return this.#reloading;
    });
    return this.#next;
  }

  async #reload(): Promise<ReadFiles | undefined> {
    const { reader, observation } = this.#parts;
    const readAtMs = Date.now();
    const read = await reader.read();
    if (!('unread' in read)) {
      await this.#take(read);
      return { files: read.files, readAtMs };
    }
    if (read.unread !== undefined) {
      observation.metrics.configFailed(Date.now());
      observation.log.error(
        { fault: read.unread },
        'the configuration was not read; the old configuration stays in force',
      );
    }
    return undefined;
  }

  async #take(loaded: LoadedData | Refused): Promise<void> {
    const { inForce, relayThreads, services, observation, port, madeKey } = this.#parts;
    const { log, metrics } = observation;
    const result = applyReload(inForce.configuration, loaded);
    if ('faults' in result) {
      metrics.configFailed(Date.now());
      for (const fault of result.faults) log.error({ fault: formatFault(fault) }, 'the new configuration is faulty');
      log.error({ faults: result.faults.length }, 'the old configuration stays in force');
      return;
    }
    for (const warning of result.warnings) log.warn({ warning: formatFault(warning) }, 'configuration');
    const { configuration } = result;
    const { configuration: before } = inForce;
    inForce.configuration = configuration;
    for (const service of services) service.reconfigure?.(configuration);
    const forThreads = configurationForThreads(inForce, port, madeKey);
    // Keys alone are taken at once; a thread reads all else beside its requests.
    const onlyKeys = differOnlyInKeys(before, configuration);
    if (onlyKeys) relayThreads.broadcast({ type: 'configured-keys', keys: forThreads.keys });
    else await configureThreads(relayThreads, forThreads, log);
    metrics.configLoaded(Date.now());
    const { accounts, keys } = configuration;
    log.info({ accounts: accounts.length, keys: keys.count, onlyKeys }, 'configuration reloaded');
  }

  async drain(): Promise<void> {
    const { inForce, relayThreads, services } = this.#parts;
    inForce.draining = true;
    await relayThreads.drain(inForce.configuration.server.timeouts.drainMs);
    for (const service of services) await service.close();
  }

  cut(): void {
    this.#parts.relayThreads.broadcast({ type: 'cut' });
  }
}

/** A thread reads for less than a second, however busy it is; one that does not answer is told. */
const CONFIGURE_DEADLINE_MS = 10_000;

/** Resolves when the configuration is in force in all relay threads. */
export async function configureThreads(
  relayThreads: Pick<RelayThreads, 'reconfigure'>,
  configuration: Configuration,
  log: Log,
): Promise<void> {
  const without = await relayThreads.reconfigure(packConfiguration(configuration), CONFIGURE_DEADLINE_MS);
  if (without === 0) return;
  const message = `relay threads have not taken the new configuration within ${CONFIGURE_DEADLINE_MS / 1000} s; they take it when they can`;
  log.warn({ threads: without }, message);
}

function differOnlyInKeys(
  { keys: _before, ...before }: Configuration,
  { keys: _after, ...after }: Configuration,
): boolean {
  return isDeepStrictEqual(before, after);
}

/**
 * With the port that was found free and the prices that were fetched. The made key counts only while none is configured: a
 * reload that brings keys ends it.
 */
export function configurationForThreads(
  { configuration, prices: list }: Pick<InForce, 'configuration' | 'prices'>,
  port: number,
  madeKey: DefaultKey | undefined,
): Configuration {
  const { server, keys, ...rest } = configuration;
  const prices = server.prices && { ...server.prices, ...(list && { list }) };
  const known = { ...server, listen: { ...server.listen, port }, ...(prices && { prices }) };
  if (madeKey === undefined || keys.count > 0) return { ...rest, keys, server: known };
  const { key: _secret, ...made } = madeKey;
  return { ...rest, keys: packKeys([made]), server: known };
}
