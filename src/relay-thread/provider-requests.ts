import { ArrayItems } from '../codec/array-items.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import { type AnswerReceiver, LocalExchange } from '../core/local-exchange.ts';
import type { ProviderAccount } from '../providers/provider.ts';
import type { BatchResults, ReadBatches } from '../providers/provider-batches.ts';
import type { Billed } from '../proxy/asked-account.ts';
import { anyTarget } from '../proxy/asked-steps.ts';
import { runProxy } from '../proxy/proxy.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';

/** Requests to a provider beside the client's own. */
export interface ProviderRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: string;
  /** JSON. */
  readonly body?: Buffer;
  readonly billed?: Billed;
}

/** Takes the lines of an answer; false: no more of them until `drained`. */
export type TakeLine = (line: Buffer) => boolean;

const LINE_FEED = 0x0a;
/** The bytes of a failure's words. */
const MAX_FAILURE_BYTES = 65_536;
const ANYTHING = { advance() {} };

/**
 * Requests to a provider that the gateway makes for a caller: with the caller's access, limits and metadata, the account's
 * credential, and a record each.
 */
export class ProviderRequests {
  readonly #options: ProxyOptions;
  readonly #asking: Exchange;
  readonly #account: ProviderAccount;

  constructor(options: ProxyOptions, asking: Exchange, account: ProviderAccount) {
    this.#options = options;
    this.#asking = asking;
    this.#account = account;
  }

  /** The whole answer, bounded by `limits.max_translate_bytes`. */
  async whole(request: ProviderRequest): Promise<OrError<Buffer>> {
    const { maxTranslateBytes } = this.#options.snapshot().settings.limits;
    const chunks: Uint8Array[] = [];
    let length = 0;
    const error = await this.#run(request, (bytes, exchange) => {
      length += bytes.length;
      if (length > maxTranslateBytes) exchange.abort('client');
      else chunks.push(bytes);
      return true;
    });
    if (length > maxTranslateBytes) return tooLarge(maxTranslateBytes);
    return error ?? Buffer.concat(chunks);
  }

  /** As `whole`, without the results within the answer. */
  async batch(request: ProviderRequest, { itemsIn: key }: ReadBatches): Promise<OrError<Buffer>> {
    if (key === undefined) return this.whole(request);
    const { maxTranslateBytes } = this.#options.snapshot().settings.limits;
    const around: Buffer[] = [];
    let length = 0;
    const items = new ArrayItems({
      key,
      onAround(bytes) {
        length += bytes.length;
        if (length <= maxTranslateBytes) around.push(bytes);
      },
    });
    const error = await this.#run(request, (bytes, exchange) => {
      items.push(bufferOf(bytes));
      if (length > maxTranslateBytes) exchange.abort('client');
      return true;
    });
    if (length > maxTranslateBytes) return tooLarge(maxTranslateBytes);
    return error ?? Buffer.concat(around);
  }

  /** One after the other. `begun` is given what lets a pause end. */
  async results(
    { path, as }: BatchResults,
    { itemsIn: key }: ReadBatches,
    take: TakeLine,
    begun: (exchange: LocalExchange) => void = () => {},
  ): Promise<GatewayError | undefined> {
    const request = { method: 'GET', path } as const;
    if (as === 'lines' || key === undefined) return this.#lines(request, take, begun);
    const { maxTranslateBytes } = this.#options.snapshot().settings.limits;
    let wantsMore = true;
    const items = new ArrayItems({
      key,
      onItem(item, array) {
        // A second array of the same name repeats the first.
        if (array === 0) wantsMore = take(item) && wantsMore;
      },
    });
    const error = await this.#run(
      request,
      (bytes, exchange) => {
        wantsMore = true;
        items.push(bufferOf(bytes));
        if (items.heldBytes > maxTranslateBytes) exchange.abort('client');
        return wantsMore;
      },
      begun,
    );
    return items.heldBytes > maxTranslateBytes ? tooLarge(maxTranslateBytes) : error;
  }

  async #lines(
    request: ProviderRequest,
    take: TakeLine,
    begun: (exchange: LocalExchange) => void,
  ): Promise<GatewayError | undefined> {
    const { maxTranslateBytes } = this.#options.snapshot().settings.limits;
    let rest: Buffer = Buffer.alloc(0);
    const error = await this.#run(
      request,
      (bytes, exchange) => {
        const all = rest.length === 0 ? bufferOf(bytes) : Buffer.concat([rest, bytes]);
        let from = 0;
        let wantsMore = true;
        for (let end = all.indexOf(LINE_FEED); end >= 0; end = all.indexOf(LINE_FEED, from)) {
          if (end > from) wantsMore = take(all.subarray(from, end)) && wantsMore;
          from = end + 1;
        }
        rest = all.subarray(from);
        if (rest.length > maxTranslateBytes) exchange.abort('client');
        return wantsMore;
      },
      begun,
    );
    if (rest.length > maxTranslateBytes) return tooLarge(maxTranslateBytes);
    if (error === undefined && rest.length > 0) take(rest);
    return error;
  }

  #run(
    { method, path, query, body = Buffer.alloc(0), billed }: ProviderRequest,
    take: (bytes: Uint8Array, exchange: LocalExchange) => boolean,
    begun: (exchange: LocalExchange) => void = () => {},
  ): Promise<GatewayError | undefined> {
    const { principal, headers } = this.#asking;
    const { name } = this.#account;
    return new Promise((resolve) => {
      let status = 0;
      const failure: Uint8Array[] = [];
      let failureBytes = 0;
      const receiver: AnswerReceiver = {
        head(told) {
          status = told;
        },
        take(bytes) {
          if (status < 400) return take(bytes, exchange);
          failureBytes += bytes.length;
          if (failureBytes <= MAX_FAILURE_BYTES) failure.push(bytes);
          return true;
        },
        over: (error) => resolve(error ?? (status < 400 ? undefined : this.#failed(status, Buffer.concat(failure)))),
      };
      const metadata = headers.tfy?.['x-tfy-metadata'];
      const exchange: LocalExchange = new LocalExchange(
        {
          path,
          principal,
          body,
          method,
          headers: {
            query,
            lines: method === 'POST' ? ['content-type', 'application/json'] : [],
            ...(metadata !== undefined && { tfy: { 'x-tfy-metadata': metadata } }),
          },
          scan: () => ANYTHING,
        },
        receiver,
      );
      begun(exchange);
      runProxy(exchange, { kind: 'provider', account: name, kinds: undefined, path, billed }, this.#options);
    });
  }

  #failed(status: number, words: Buffer): GatewayError {
    const target = anyTarget(this.#account);
    const [mount] = target === undefined ? [] : [...target.mounts.values()].flat();
    if (target === undefined || mount === undefined) return new GatewayError('internal_error', { cause: status });
    return mount.wire.toError(status, words, target);
  }
}

/** The same bytes. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('upstream_too_large', { setting: `limits.max_translate_bytes: ${maxBytes}` });
}
