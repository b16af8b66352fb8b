import type { JsonObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { AttemptControl, AttemptHandler, Mount, Target } from '../providers/provider.ts';
import type { Step } from '../routing/route-plan.ts';
import { type OutboundRequest, UpstreamAttempt } from '../upstream/attempt.ts';
import { Waits } from '../upstream/waits.ts';
import { UsageMeter } from '../usage/usage-meter.ts';
import { FilteredAnswer, type FilteredAnswerContext, type FilteredEnd, type Shortened } from './answer-filter.ts';
import { answerContext, chooseMode } from './choose-mode.ts';
import { formOf } from './choose-mount.ts';
import { ContentTimes } from './content-times.ts';
import { ErrorAnswer } from './error-answer.ts';
import { HeldMemory } from './held-memory.ts';
import { type Outbound, queueFull, wholeBody } from './outbound.ts';
import { usageOfParts } from './part-usage.ts';
import type { RelayMode } from './relay-mode.ts';
import type { RunContext } from './run-context.ts';
import { SplitAttempt } from './split-attempt.ts';
import { StepRequest } from './step-request.ts';

/** The owner of a run, which the run calls. Every call names the run, since two may be live; after its end none comes. */
export interface RunOwner {
  /** First content came. False: the client gets another run's answer, and this one was aborted. */
  adopts(run: AttemptRun): boolean;
  /** The commit point; may come again. */
  commit(run: AttemptRun, contentType: string): void;
  write(run: AttemptRun, bytes: Buffer): void;
  /** The answer is whole. Either this or `failed` comes, once. */
  finished(run: AttemptRun, last: Buffer | undefined): void;
  failed(run: AttemptRun, error: GatewayError): void;
}

const NO_HEADERS: AnswerHeaders = {};
/** After this time, it is worth the CPU to pack what the meter of a long answer holds. */
const LONG_MS = 5_000;

/**
 * One live attempt: its step, its connection or local responder, its waits, the mode that carries its answer, and what
 * it used. Two may be live at once, so they share nothing. Once a run is over, whoever ended it, calls from either side
 * do nothing: a late callback of an aborted attempt cannot reach the client.
 */
export class AttemptRun implements AttemptHandler, FilteredEnd {
  readonly step: Step;
  /** Tries of its step before it, after the first. */
  readonly retries: number;
  readonly meter = new UsageMeter();
  readonly contentTimes = new ContentTimes();
  /** The provider's; 200 while no head came. */
  status = 200;
  answerHeaders: AnswerHeaders = NO_HEADERS;
  /** performance.now() when it began, or when its request had been translated. */
  startedAt = 0;
  /** performance.now() when the answer ended or failed; 0 until then, and where nothing could be sent. */
  endedAt = 0;
  /** Whether anything was sent to a provider. */
  dispatched = false;
  /** Whether it asks for usage although the client did not. */
  asksUsage = false;
  shortened: Shortened | undefined;
  /** It failed, or was given up, and its meter holds what parts of it used that were answered; undefined: none was. */
  partsTold: 'provider' | 'estimate' | undefined;
  readonly #c: RunContext;
  readonly #owner: RunOwner;
  readonly #request: StepRequest;
  #repeats: JsonObject | undefined;
  #control: AttemptControl | undefined;
  /** The same where it goes over a connection, or over several beside each other. */
  #upstream: UpstreamAttempt | SplitAttempt | undefined;
  #mount: Mount | undefined;
  readonly #memory: HeldMemory;
  #waits: Waits;
  #mode: RelayMode | undefined;
  #filtered: FilteredAnswer | undefined;
  /** Reasons to read nothing: the sink is full, a filter holds. */
  #pauses = 0;
  #over = false;
  /** Made only where a request is translated elsewhere. */
  #abandoned: AbortController | undefined;

  constructor(step: Step, context: RunContext, owner: RunOwner, retries = 0) {
    this.step = step;
    this.retries = retries;
    this.#c = context;
    this.#owner = owner;
    this.#memory = new HeldMemory(context.sharedMemory, context.settings.limits.maxBodyMemoryBytes);
    this.#request = new StepRequest(step, context, this.#memory, this);
    this.#waits = this.#newWaits();
  }

  get target(): Target {
    return this.step.target;
  }

  /** A text of the provider without what it quotes of our credential. */
  redacted(text: string): string {
    return this.#mount === undefined ? text : this.#mount.credential.redact(text);
  }

  /** The form in which its provider is asked; undefined: nothing was to be sent. */
  get wireName(): string | undefined {
    return this.#mount && formOf(this.#mount.wire);
  }

  get over(): boolean {
    return this.#over;
  }

  get hasContent(): boolean {
    return this.#waits.hasContent;
  }

  /** The connection failed before any byte of an answer, and had served an earlier exchange. */
  get diedReused(): boolean {
    return this.#upstream?.diedReused === true;
  }

  /** The way its answer is carried; undefined while no head came. */
  get mode(): RelayMode | undefined {
    return this.#mode;
  }

  /** Milliseconds from sending the request to the end of the answer, or to now. */
  get upstreamMs(): number {
    return (this.endedAt || performance.now()) - this.startedAt;
  }

  /** Fires when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    this.#abandoned ??= new AbortController();
    return this.#abandoned.signal;
  }

  // ── what the owner asks ───────────────────────────────────────────────────

  start(): void {
    const request = this.#request.outbound();
    if (request instanceof Promise) this.#sendTranslated(request);
    else this.#send(request);
  }

  /** The provider is read again after as many calls of `resume`. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses === 1 && !this.#over) this.#control?.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0 && !this.#over) this.#control?.resume();
  }

  /** The run is over: the provider is told, and nobody is called back. */
  abort(): void {
    if (this.#over) return;
    // Its provider bills the parts that it answered.
    const told = this.#upstream instanceof SplitAttempt && usageOfParts(this.#upstream, this.#mount!, this.#request);
    if (told) {
      this.partsTold = told.source;
      this.meter.add(told.usage);
    }
    if (this.endedAt === 0) this.#control?.abort();
    this.#close();
  }

  /** Looks at the waits; `now` is performance.now(). */
  sweep(now: number): void {
    if (this.#over) return;
    this.contentTimes.date(now);
    if (now - this.startedAt > LONG_MS) this.meter.pack(now);
    const error = this.#expired(now);
    if (error) {
      this.#fail(error, now);
      return;
    }
    if (this.#mode instanceof ErrorAnswer) this.#mode.sweep(now);
    this.#filtered?.sweep(now);
  }

  // ── what the provider sends ───────────────────────────────────────────────

  started(status: number, headers: AnswerHeaders): void {
    if (this.#over) return;
    this.status = status;
    this.answerHeaders = headers;
    const { dialect, exchange, settings, strictForm, filters } = this.#c;
    if (filters.length > 0) this.#filtered = new FilteredAnswer(this, filters);
    const mode = chooseMode(
      { status, headers },
      {
        host: this.#filtered ?? this,
        meter: this.meter,
        target: this.target,
        wire: this.#mount!.wire,
        dialect,
        peeked: this.#request.peeked,
        limits: settings.limits,
        memory: this.#memory,
        exchangeId: exchange.id,
        strictForm,
        repeats: this.#repeated(),
        askedUsage: this.asksUsage,
        heavyAnswers: this.#c.heavyAnswers,
        parts: this.#upstream instanceof SplitAttempt ? this.#upstream.parts : undefined,
        abandoned: this,
      },
    );
    if (mode instanceof GatewayError) this.fail(mode);
    else this.#mode = mode;
  }

  chunk(bytes: Buffer, pieces?: number): void {
    if (!this.#over) this.#mode?.chunk(bytes, pieces);
  }

  ended(): void {
    if (this.#over) return;
    this.endedAt = performance.now();
    if (this.#mode) this.#mode.ended();
    else this.fail(new GatewayError('upstream_protocol'));
  }

  failed(error: GatewayError): void {
    this.#fail(error, performance.now());
  }

  // ── what the mode, or the last filter, asks ───────────────────────────────

  commit(contentType: string): void {
    if (this.chosen()) this.#owner.commit(this, contentType);
  }

  write(bytes: Buffer): void {
    if (!this.#over) this.#owner.write(this, bytes);
  }

  content(pieces: number): void {
    this.#waits.content();
    this.meter.content();
    this.contentTimes.came(pieces);
  }

  finish(last?: Buffer): void {
    if (this.#over) return;
    // The answer is whole by its own end: what the provider does with its connection afterwards is no part of the exchange.
    if (this.endedAt === 0) {
      if (this.#upstream) this.#upstream.linger();
      else this.#control?.abort();
    }
    this.endedAt ||= performance.now();
    this.#close();
    this.contentTimes.date(this.endedAt);
    this.#owner.finished(this, last);
  }

  fail(error: GatewayError): void {
    this.#fail(error, this.endedAt || performance.now());
  }

  // ── what a filter asks besides ────────────────────────────────────────────

  shorten(ending: Buffer, shortened: Shortened): void {
    if (this.#over) return;
    this.shortened = shortened;
    // The rest of the provider's answer is not wanted.
    if (this.endedAt === 0) this.#control?.abort();
    this.finish(ending);
  }

  chosen(): boolean {
    return !this.#over && this.#owner.adopts(this);
  }

  describe(contentType: string): FilteredAnswerContext {
    const { exchange, dialect, strictForm } = this.#c;
    const { target } = this;
    const about = { exchangeId: exchange.id, target, peeked: this.#request.peeked, strictForm };
    const answer = answerContext({ ...about, repeats: this.#repeats });
    return {
      contentType,
      isStream: this.#mode?.isStream === true,
      dialect,
      answer,
      meter: this.meter,
      step: this.step,
    };
  }

  // ── the request ───────────────────────────────────────────────────────────

  /** Read when an answer has begun: from the commit point on, the body may be gone. */
  #repeated(): JsonObject | undefined {
    const { dialect, exchange } = this.#c;
    if (this.#mount && formOf(this.#mount.wire) === dialect.name) return undefined;
    const { body, peeked } = this.#request;
    this.#repeats = dialect.translation?.repeated?.(body ?? exchange.body, peeked);
    return this.#repeats;
  }

  #newWaits(): Waits {
    this.startedAt = performance.now();
    return new Waits(this.#c.settings.timeouts, this.step.waits, this.#c.exchange.startedAt, this.startedAt);
  }

  #sendTranslated(request: Promise<OrError<Outbound>>): void {
    const send = (made: OrError<Outbound>): void => {
      if (this.#over) return;
      // The timeouts of the attempt begin now, behind the translation.
      this.#waits = this.#newWaits();
      try {
        this.#send(made);
      } catch (cause) {
        this.failed(new GatewayError('internal_error', { cause }));
      }
    };
    request.then(send, (cause) => send(new GatewayError('internal_error', { cause })));
  }

  #send(request: OrError<Outbound>): void {
    if (request instanceof GatewayError) {
      this.#fail(request, 0);
      return;
    }
    this.asksUsage = request.asksUsage;
    this.#mount = request.mount;
    if (this.target.local) this.#sendInside(request, this.target.local);
    else this.#sendOut(request);
  }

  #sendInside({ path, body }: Outbound, respond: NonNullable<Target['local']>): void {
    this.dispatched = true;
    // It may read the body for as long as it likes.
    this.#c.exchange.keepBody();
    const { contentType } = this.#c.exchange.headers;
    this.#control = respond({ path, contentType, body: wholeBody(body) }, this);
    // It answered within the call, and its answer was the end of the run.
    if (this.#over) this.#control.abort();
  }

  #sendOut(request: Outbound): void {
    const { exchange, pools, settings } = this.#c;
    if (request.more !== undefined && request.partInputs !== undefined) {
      this.#sendParts(request, request.more, request.partInputs);
      return;
    }
    const attempt = new UpstreamAttempt(pools.get(request.mount.connection), this);
    this.#upstream = attempt;
    this.#control = attempt;
    request.onBodySent = exchange.keepBody();
    if (attempt.send(request)) this.dispatched = true;
    else this.failed(queueFull(settings));
  }

  #sendParts(request: Outbound, more: readonly OutboundRequest[], partInputs: number): void {
    const { pools, settings } = this.#c;
    const { mount } = request;
    const split = new SplitAttempt({
      requests: [request, ...more],
      partInputs,
      handler: this,
      begin: (handler) => new UpstreamAttempt(pools.get(mount.connection), handler),
      settings,
      memory: this.#memory,
      toError: (status, body) => mount.wire.toError(status, body, this.target),
    });
    this.#upstream = split;
    this.#control = split;
    if (split.send()) this.dispatched = true;
    else this.failed(queueFull(settings));
  }

  // ── its end ───────────────────────────────────────────────────────────────

  #close(): void {
    this.#over = true;
    this.#abandoned?.abort();
    this.#filtered?.close();
    this.#memory.release();
  }

  /** `at`: performance.now(); 0 where nothing could be sent, so that no time was the provider's. */
  #fail(error: GatewayError, at: number): void {
    if (this.#over) return;
    this.abort();
    this.endedAt = at;
    this.contentTimes.date(at);
    this.#owner.failed(this, error);
  }

  #expired(now: number): GatewayError | undefined {
    const upstream = this.#upstream;
    const ours = this.#pauses > 0 || this.endedAt > 0;
    const error = this.#waits.expired(now, upstream ? upstream.sentAt : this.startedAt, ours);
    // A request that timed out in the line for a connection was not connecting.
    return error?.code === 'connect_timeout' && upstream?.inLine ? queueFull(this.#c.settings) : error;
  }
}
