import type { ServerSettings } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { AttemptControl, AttemptHandler, Target } from '../providers/provider.ts';
import { decide } from '../routing/retry-policy.ts';
import { UpstreamAttempt } from '../upstream/attempt.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import { type ClientWaits, Waits } from '../upstream/waits.ts';
import { refusedUsage } from './asks-usage.ts';
import { type Outbound, outbound, wholeBody } from './outbound.ts';
import type { HeavyTranslator } from './request-translation.ts';

export interface AttemptsOptions {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly targets: readonly Target[];
  readonly waits: ClientWaits;
  readonly settings: ServerSettings;
  readonly pools: OriginPools;
  readonly translateHeavy: HeavyTranslator;
}

export interface AttemptsHandler extends AttemptHandler {
  /** The request cannot be put into the provider's words; nothing was sent. */
  inexpressible(error: GatewayError): void;
}

/**
 * The tries of one exchange, one after the other: which target is asked, what is sent to it, how long it may take, and
 * whether another try follows a failed one. Answers and failures go to the handler; after `end` nothing does.
 */
export class Attempts {
  /** Those begun so far. */
  count = 0;
  /** Whether anything was sent to a provider. */
  dispatched = false;
  /** performance.now() when the one at hand was begun, or when its request had been translated. */
  startedAt = 0;
  /** Whether the one at hand asks for usage although the client did not. */
  asksUsage = false;
  readonly #o: AttemptsOptions;
  readonly #handler: AttemptsHandler;
  #targetIndex = 0;
  #retriedReused = false;
  #control: AttemptControl | undefined;
  /** The same where it goes over a connection. */
  #upstream: UpstreamAttempt | undefined;
  #waits: Waits | undefined;
  /** Those before the one at hand. */
  #failed: { target: string; error: string; ms: number }[] | undefined;
  #ended = false;
  /** Made only where a request is translated elsewhere. */
  #abandoned: AbortController | undefined;

  constructor(options: AttemptsOptions, handler: AttemptsHandler) {
    this.#o = options;
    this.#handler = handler;
  }

  get target(): Target {
    return this.#o.targets[this.#targetIndex]!;
  }

  /** JSON array of `{target, error, ms}`: those before the last one. */
  get failedJson(): string | undefined {
    return this.#failed && JSON.stringify(this.#failed);
  }

  /** Fires when nobody waits for an answer any more. */
  get signal(): AbortSignal {
    this.#abandoned ??= new AbortController();
    return this.#abandoned.signal;
  }

  get hasContent(): boolean {
    return this.#waits?.hasContent === true;
  }

  /** Begins the next one. */
  next(): void {
    this.count += 1;
    this.#upstream = undefined;
    this.#control = undefined;
    this.asksUsage = false;
    this.#startWaits();
    const { exchange, dialect, peeked, translateHeavy } = this.#o;
    const request = outbound(exchange, dialect, peeked, this.target, translateHeavy, this);
    if (request instanceof Promise) this.#sendTranslated(request);
    else this.#send(request);
  }

  /** Whether another one was begun because this one failed, before anything of an answer was passed on. */
  retried(error: GatewayError, ms: number): boolean {
    const refused = this.asksUsage && refusedUsage(this.#o.dialect, this.target, error);
    const diedReused = this.#upstream?.diedReused ?? false;
    const decision = decide(
      {
        error,
        diedReused,
        refusedUsage: refused,
        retriedReused: this.#retriedReused,
        hasNextTarget: this.#targetIndex + 1 < this.#o.targets.length,
      },
      this.#o.settings.retryReusedConnection,
    );
    if (decision === 'give-up') return false;
    const failed = { target: this.target.id, error: error.code, ms: Math.round(ms) };
    if (this.#failed) this.#failed.push(failed);
    else this.#failed = [failed];
    if (decision === 'next-target') this.#targetIndex += 1;
    else if (diedReused) this.#retriedReused = true;
    return true;
  }

  /** Content came: first-byte and idle waits start anew. */
  content(): void {
    this.#waits?.content();
  }

  /** Why the one at hand waited in vain; it is aborted then. `paused`: we do not read what it sends. */
  expired(now: number, paused: boolean): GatewayError | undefined {
    const upstream = this.#upstream;
    const waiting = upstream?.inLine === true;
    const error = this.#waits?.expired(now, upstream ? upstream.sentAt : this.startedAt, paused);
    if (error === undefined) return undefined;
    this.abort();
    // Who waited in vain for a connection of others was not connecting.
    return error.code === 'connect_timeout' && waiting ? queueFull(this.#o.settings) : error;
  }

  pause(): void {
    this.#control?.pause();
  }

  resume(): void {
    this.#control?.resume();
  }

  /** The one at hand calls back no more. */
  abort(): void {
    this.#control?.abort();
  }

  /** Nobody waits for an answer any more. */
  end(): void {
    this.#ended = true;
    this.#abandoned?.abort();
  }

  #startWaits(): void {
    const { exchange, settings, waits } = this.#o;
    this.startedAt = performance.now();
    this.#waits = new Waits(settings.timeouts, waits, exchange.startedAt, this.startedAt);
  }

  #sendTranslated(request: Promise<OrError<Outbound>>): void {
    const turn = this.count;
    const send = (made: OrError<Outbound>): void => {
      if (this.#ended || this.count !== turn) return;
      // They ran while the request was translated, all but the one for the connection.
      this.#startWaits();
      try {
        this.#send(made);
      } catch (cause) {
        this.abort();
        this.#handler.failed(new GatewayError('internal_error', { cause }));
      }
    };
    request.then(send, (cause) => send(new GatewayError('internal_error', { cause })));
  }

  #send(request: OrError<Outbound>): void {
    const { exchange, pools, settings } = this.#o;
    const { target } = this;
    if (request instanceof GatewayError) {
      // What is not about the request itself may be otherwise at the next target.
      if (request.rule.retry === 'never') this.#handler.inexpressible(request);
      else this.#handler.failed(request);
      return;
    }
    this.asksUsage = request.asksUsage;
    if (target.local) {
      this.dispatched = true;
      // It may read the body for as long as it likes.
      exchange.keepBody();
      this.#control = target.local({ path: request.path, body: wholeBody(request.body) }, this.#handler);
      return;
    }
    const attempt = new UpstreamAttempt(pools.get(request.connection), this.#handler);
    this.#upstream = attempt;
    this.#control = attempt;
    request.onBodySent = exchange.keepBody();
    if (attempt.send(request)) this.dispatched = true;
    else this.#handler.failed(queueFull(settings));
  }
}

function queueFull({ limits }: ServerSettings): GatewayError {
  const { maxUpstreamConnections, maxUpstreamQueue } = limits;
  return new GatewayError('upstream_queue_full', {
    setting: `limits.max_upstream_connections: ${maxUpstreamConnections}, limits.max_upstream_queue: ${maxUpstreamQueue}`,
    retryAfterMs: 1000,
  });
}
