import type { Configuration } from '../config/configuration.ts';
import {
  isSignedBy,
  MAX_PRICE_LIST_BYTES,
  MAX_SIGNATURE_BYTES,
  type PriceList,
  readPriceList,
} from '../config/price-list.ts';
import type { PriceSettings } from '../config/server/prices.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { MainService } from './main-service.ts';

const FETCH_TIMEOUT_MS = 30_000;
/** After a failure: soon, then ever more rarely, and never later than a refresh is due. */
const RETRY_MS = { first: 5_000, longest: 3_600_000 };

export interface PriceRefreshOptions {
  /** Whenever another list was fetched: `list` has it. */
  tell(): void;
  readonly http: HttpClient;
  readonly log: Log;
}

/**
 * The price list at `prices.url`, on the main thread: fetched at the start, whenever the settings change and every
 * `refresh_hours`, one fetch at a time. A fetch that fails, or brings what is not signed or is no list, leaves the list
 * before in force and is logged. Relay threads are told and never fetch.
 */
export class PriceRefresh implements MainService {
  /** How often it failed. */
  failures = 0;
  readonly #options: PriceRefreshOptions;
  #source: PriceSettings | undefined;
  #list: PriceList | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS.first;
  /** Counts the fetches that were begun: an answer to one before the last is dropped. */
  #round = 0;

  constructor(options: PriceRefreshOptions) {
    this.#options = options;
  }

  /** What was fetched last from the address of today; undefined: nothing yet, or there is no address. */
  get list(): PriceList | undefined {
    return this.#list;
  }

  reconfigure({ server: { prices } }: Configuration): void {
    const before = this.#source;
    if (prices?.url !== before?.url || prices?.publicKey !== before?.publicKey) this.#list = undefined;
    this.#source = prices?.url === undefined ? undefined : prices;
    this.#retryMs = RETRY_MS.first;
    this.#again(0);
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'sluice_price_list_refresh_failures_total',
      'Times the price list at prices.url could not be fetched; the one before stays in force',
      () => [{ labels: {}, value: this.failures }],
    );
  }

  close(): void {
    this.#source = undefined;
    this.#again(0);
  }

  /** In place of whatever was to come. */
  #again(inMs: number): void {
    this.#round += 1;
    clearTimeout(this.#timer);
    if (this.#source === undefined) return;
    this.#timer = setTimeout(() => void this.#refresh(this.#round), inMs).unref();
  }

  async #refresh(round: number): Promise<void> {
    const prices = this.#source;
    if (prices === undefined) return;
    const fetched = await fetchList(prices, this.#options.http).catch((error: Error) => error.message || error.name);
    if (round !== this.#round) return;
    if (typeof fetched === 'string') {
      this.failures += 1;
      const inForce = this.#list === undefined ? 'the price library' : `prices ${this.#list.version}`;
      this.#options.log.warn({ reason: fetched, inForce }, 'the price list of prices.url was not refreshed');
      this.#again(Math.min(this.#retryMs, prices.refreshMs));
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS.longest);
      return;
    }
    this.#retryMs = RETRY_MS.first;
    this.#again(prices.refreshMs);
    if (fetched.version === this.#list?.version) return;
    this.#list = fetched;
    this.#options.log.info({ version: fetched.version }, 'another price list is in force');
    this.#options.tell();
  }
}

/** The list, or in words why there is none. Rejects with an error whose message is such words. */
async function fetchList({ url = '', publicKey }: PriceSettings, http: HttpClient): Promise<PriceList | string> {
  const bytes = await get(url, MAX_PRICE_LIST_BYTES, http);
  if (publicKey !== undefined) {
    const signature = await get(signatureUrl(url), MAX_SIGNATURE_BYTES, http);
    if (!isSignedBy(publicKey, bytes, signature)) return 'its signature is not one of prices.public_key';
  }
  return readPriceList(bytes);
}

/** Beside the list: `.sig` stands behind its path, before its query. */
function signatureUrl(url: string): string {
  const beside = new URL(url);
  beside.pathname += '.sig';
  return beside.href;
}

async function get(url: string, maxBytes: number, http: HttpClient): Promise<Buffer> {
  const headers = ['accept', 'application/json', 'accept-encoding', 'identity'];
  const answer = await http({ url, headers, timeoutMs: FETCH_TIMEOUT_MS, maxBytes });
  if (answer.status === 200) return answer.body;
  const { origin, pathname } = new URL(url);
  throw new Error(`${origin}${pathname} answered ${answer.status}`);
}
