import type { Readable } from 'node:stream';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { AbortReason, Exchange, Method, OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { Sweeper, Swept } from '../core/sweeper.ts';
import type { AttemptHandler } from '../providers/provider.ts';
import { ContentTimes } from '../relay/content-times.ts';
import { queueFull } from '../relay/outbound.ts';
import type { Outcome, RelayOwner } from '../relay/relay.ts';
import type { StepWaits } from '../routing/route-plan.ts';
import { UpstreamAttempt } from '../upstream/attempt.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import { Waits } from '../upstream/waits.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import type { ProxyStep } from './asked-steps.ts';
import { PassedAnswer } from './passed-answer.ts';
import type { PassedBody } from './passed-body.ts';
import { withCredential, withMountHeaders } from './passed-headers.ts';
import type { ProxyAdmissions } from './proxy-admissions.ts';
import type { UsageWatch } from './usage-watch.ts';

/** How the body goes on. */
export type ProxyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  /** `declaredBytes`: undefined where its length is not known before its end. */
  | { readonly kind: 'arriving'; readonly passed: PassedBody; readonly declaredBytes: number | undefined };

const NO_HEADERS: readonly string[] = [];

/** Whose request it is. */
export interface ProxyOwner extends Pick<RelayOwner, 'credentialRefused'> {
  /** Called exactly once, when the client has all that it gets. `step`: the place that the outcome is about. */
  relayed(outcome: Outcome, step: ProxyStep): void;
}

export interface ProxyRelayOptions {
  readonly exchange: Exchange;
  readonly settings: ServerSettings;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly waits: StepWaits;
  readonly method: Method | 'HEAD';
  /** Flat: the client's, as they go on. */
  readonly headers: readonly string[];
  readonly body: ProxyBody;
  /** At least one. */
  readonly steps: readonly ProxyStep[];
  /** What limits hold for these steps; that of the first is held. */
  readonly admissions: ProxyAdmissions;
  readonly owner: ProxyOwner;
  /** Asked for each 2xx answer. */
  watch(step: ProxyStep, contentType: string, meter: UsageMeter): UsageWatch | undefined;
}

/**
 * Carries one request as it is to a provider, and the answer back as it comes: no event and no value of it is changed.
 * Another place is asked as long as nothing of an answer was given and the body can be sent again. `#over` is set exactly
 * once, and behind it nothing touches the sink or an attempt.
 */
export class ProxyRelay implements AttemptHandler, Swept {
  sweepIndex = -1;
  readonly #o: ProxyRelayOptions;
  readonly #content = new ContentTimes();
  #meter = new UsageMeter();
  #index = 0;
  #attempts = 0;
  #waits: Waits;
  #startedAt = 0;
  #endedAt = 0;
  #dispatched = false;
  #attempt: UpstreamAttempt | undefined;
  #answer: PassedAnswer | undefined;
  #bodyEndedAt = 0;
  #retriedReused = false;
  #isAuthorised = false;
  #full = false;
  /** The next place waits for limits that are counted elsewhere. */
  #holding = false;
  #over = false;
  #failed: { target: string; error: string; ms: number }[] | undefined;

  constructor(options: ProxyRelayOptions) {
    this.#o = options;
    this.#waits = this.#newWaits();
  }

  start(): void {
    const { exchange, sweeper } = this.#o;
    exchange.onAbort = this.#onAbort;
    exchange.sink.onDrained = this.#onDrained;
    sweeper.add(this);
    this.#begin();
  }

  /** All of the body came. */
  bodyEnded(): void {
    this.#bodyEndedAt = performance.now();
  }

  /** The body does not come whole. */
  bodyFailed(error: GatewayError): void {
    this.#fail(error);
  }

  // ── what the provider sends ───────────────────────────────────────────────

  started(status: number, headers: AnswerHeaders): void {
    if (this.#over) return;
    this.#waits.content();
    const step = this.#step;
    const { exchange, method } = this.#o;
    this.#answer = new PassedAnswer({
      status,
      headers,
      step,
      exchange,
      isHead: method === 'HEAD',
      isAuthorised: this.#isAuthorised,
      ownHeaders: this.#ownHeaders,
      upstreamMs: () => this.#upstreamMs,
      watch: (contentType) => this.#o.watch(step, contentType, this.#meter),
    });
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#over) return;
    this.#waits.content();
    this.#content.came(pieces);
    const answer = this.#answer!;
    // The words of a failure are no answer that anybody is billed for.
    if (!answer.isFailure) this.#meter.passed(bytes);
    const taken = answer.chunk(bytes);
    if (taken === 'complete') this.ended();
    else if (taken === 'full' && !this.#full) {
      this.#full = true;
      this.#attempt?.pause();
    }
  }

  ended(): void {
    if (this.#over) return;
    this.#endedAt = performance.now();
    const answer = this.#answer;
    if (answer === undefined) {
      this.#fail(new GatewayError('upstream_protocol'));
      return;
    }
    const error = answer.error();
    if (error === undefined) {
      answer.end();
      this.#close(undefined, answer.status, false);
      return;
    }
    this.#attempt?.abort();
    const last = (): void => {
      if (error.code === 'upstream_credential') this.#o.owner.credentialRefused(this.#step.target, error);
      if (answer.passesError(error)) {
        answer.endWithError();
        this.#close(error, answer.status, false);
      } else this.#giveUp(error);
    };
    if (this.#step.fallbackStatuses.has(answer.status)) this.#next(error, last);
    else last();
  }

  failed(error: GatewayError): void {
    if (this.#over) return;
    this.#endedAt = performance.now();
    const attempt = this.#attempt;
    const mayRetry = this.#o.settings.retryReusedConnection && !this.#retriedReused;
    if (attempt?.diedReused && mayRetry && this.#canSendAgain) {
      this.#retriedReused = true;
      this.#note(error);
      this.#begin();
      return;
    }
    this.#fail(error);
  }

  // ── what the client does ──────────────────────────────────────────────────

  #onDrained = (): void => {
    if (!this.#full) return;
    this.#full = false;
    this.#attempt?.resume();
  };

  #onAbort = (reason: AbortReason): void => {
    if (this.#over) return;
    this.#attempt?.abort();
    this.#endedAt ||= performance.now();
    const error = abortError(reason);
    if (reason === 'drain') this.#giveUp(error);
    else this.#close(error, 499, this.#o.exchange.sink.started);
  };

  // ── time ──────────────────────────────────────────────────────────────────

  sweep(now: number): void {
    // Limits have a deadline of their own.
    if (this.#over || this.#holding) return;
    this.#content.date(now);
    const { body, settings } = this.#o;
    const sentAt = this.#attempt?.sentAt ?? 0;
    const isArriving = body.kind === 'arriving' && !body.passed.ended;
    // While the client sends, the provider has nothing to answer.
    const waitsSince = isArriving && sentAt > 0 ? now : Math.max(sentAt, this.#bodyEndedAt);
    const error = this.#waits.expired(now, sentAt === 0 ? 0 : waitsSince, this.#full || isArriving);
    if (error) {
      const inLine = error.code === 'connect_timeout' && this.#attempt?.inLine;
      this.#attempt?.abort();
      this.#fail(inLine ? queueFull(settings) : error);
      return;
    }
    const { idleMs } = settings.timeouts;
    if (
      body.kind === 'arriving' &&
      sentAt > 0 &&
      body.passed.waits &&
      idleMs > 0 &&
      now - body.passed.takenAt > idleMs
    ) {
      this.#attempt?.abort();
      this.#fail(
        new GatewayError('idle_timeout', {
          setting: `timeouts.idle_ms: ${idleMs}`,
          detail: 'It takes no more of the body.',
        }),
      );
      return;
    }
    if (this.#answer?.isLate(now)) this.ended();
  }

  // ── attempts ──────────────────────────────────────────────────────────────

  get #step(): ProxyStep {
    return this.#o.steps[this.#index]!;
  }

  /** As in `x-tfy-applied-rules`. */
  get #rulesJson(): string | undefined {
    return this.#o.admissions.of(this.#step).rulesJson;
  }

  /** Name-value pairs for the head of every answer. */
  get #ownHeaders(): readonly string[] {
    return this.#rulesJson === undefined ? NO_HEADERS : ['x-tfy-applied-rules', this.#rulesJson];
  }

  get #canSendAgain(): boolean {
    const { body } = this.#o;
    return !this.#o.exchange.sink.started && (body.kind !== 'arriving' || !body.passed.touched);
  }

  get #upstreamMs(): number {
    return (this.#endedAt || performance.now()) - this.#startedAt;
  }

  #newWaits(): Waits {
    this.#startedAt = performance.now();
    return new Waits(this.#o.settings.timeouts, this.#o.waits, this.#o.exchange.startedAt, this.#startedAt);
  }

  #begin(): void {
    this.#attempts += 1;
    this.#endedAt = 0;
    this.#answer = undefined;
    this.#meter = new UsageMeter();
    this.#waits = this.#newWaits();
    try {
      const sent = this.#send();
      if (sent !== undefined) this.#fail(sent);
    } catch (cause) {
      // A bug costs this exchange, with all that was begun for it.
      this.#fail(new GatewayError('internal_error', { cause }));
    }
  }

  #send(): GatewayError | undefined {
    const { pools, settings, method, body } = this.#o;
    const { mount, path } = this.#step;
    const request = {
      method,
      origin: mount.connection.origin,
      path,
      headers: withMountHeaders(this.#o.headers, mount),
      body: body.kind === 'whole' ? body.bytes : undefined,
    };
    const signed: OrError<readonly string[]> = mount.credential.sign(request);
    if (signed instanceof GatewayError) return signed;
    this.#isAuthorised = signed.length > 0;
    const headers = withCredential(request.headers, signed);
    const attempt = new UpstreamAttempt(pools.get(mount.connection), this);
    this.#attempt = attempt;
    let arriving: Readable | undefined;
    if (body.kind === 'arriving') {
      if (body.declaredBytes !== undefined) headers.push('content-length', String(body.declaredBytes));
      arriving = body.passed.stream();
    }
    if (!attempt.send({ ...request, headers, arriving })) return queueFull(settings);
    this.#dispatched = true;
    return undefined;
  }

  /** Another place is asked in the place of this one, where there is one that limits let in; `last`: there is none. */
  #next(error: GatewayError, last: () => void): void {
    const { steps, settings, exchange, admissions } = this.#o;
    const { totalMs } = settings.timeouts;
    const isLate = totalMs > 0 && performance.now() - exchange.startedAt > totalMs;
    const goOn = (at: number | undefined): void => {
      this.#holding = false;
      if (this.#over) return;
      if (at === undefined) last();
      else this.#goOn(at, error);
    };
    const next = this.#canSendAgain && !isLate ? admissions.next(steps, this.#index) : undefined;
    if (!(next instanceof Promise)) {
      goOn(next);
      return;
    }
    this.#holding = true;
    next.then(goOn, (cause) => this.#giveUp(new GatewayError('internal_error', { cause })));
  }

  #goOn(at: number, error: GatewayError): void {
    this.#note(error);
    this.#index = at;
    this.#retriedReused = false;
    this.#begin();
  }

  #note(error: GatewayError): void {
    this.#failed ??= [];
    this.#failed.push({ target: this.#step.target.id, error: error.code, ms: Math.round(this.#upstreamMs) });
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #fail(error: GatewayError): void {
    if (this.#over) return;
    this.#attempt?.abort();
    this.#endedAt ||= performance.now();
    if (error.rule.retry === 'next-target') this.#next(error, () => this.#giveUp(error));
    else this.#giveUp(error);
  }

  #giveUp(error: GatewayError): void {
    const { exchange } = this.#o;
    if (exchange.sink.started) {
      // Without the end of its body no client takes it for whole.
      exchange.sink.cut();
      this.#close(error, this.#answer?.status ?? 200, true);
      return;
    }
    const headers = [
      'x-tfy-resolved-model',
      this.#step.target.id,
      ...this.#ownHeaders,
      ...(error.context.headers ?? []),
    ];
    exchange.refuse(error, headers, this.#upstreamMs);
    this.#close(error, error.status, false);
  }

  #close(error: GatewayError | undefined, status: number, cut: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const { exchange, sweeper, owner, body } = this.#o;
    sweeper.remove(this);
    exchange.onAbort = undefined;
    exchange.sink.onDrained = undefined;
    if (body.kind === 'arriving') body.passed.close();
    this.#content.date(this.#endedAt);
    const result: Outcome = {
      error,
      status,
      cut,
      shortened: undefined,
      rulesJson: this.#rulesJson,
      target: this.#step.target,
      wireName: undefined,
      meter: this.#meter,
      content: this.#content,
      sentAt: this.#startedAt,
      endedAt: this.#endedAt,
      dispatched: this.#dispatched,
      prompt: undefined,
      upstreamMs: this.#endedAt > 0 ? this.#upstreamMs : 0,
      attempts: this.#attempts,
      attemptsJson: this.#failed && JSON.stringify(this.#failed),
      losers: [],
    };
    owner.relayed(result, this.#step);
  }
}
