import type { AnswerCache } from './cache/answer-cache.ts';
import { CacheUse } from './cache/cache-use.ts';
import type { AnswerSource } from './cache/flight.ts';
import { Replay, type ReplayOwner, type ReplayResult } from './cache/replay.ts';
import { type JsonObject, parseObject } from './codec/json-value.ts';
import type { ComplexityTier, ServerSettings, ShadowSettings } from './config/configuration.ts';
import type { ConditionValues } from './config/rules/target-condition.ts';
import { GatewayError } from './core/errors.ts';
import type { Exchange, OrError } from './core/exchange.ts';
import type { Log } from './core/log.ts';
import type { Sweeper } from './core/sweeper.ts';
import { continueTrace } from './core/trace-context.ts';
import type { Dialect, PeekedRequest, RequestScan } from './dialects/dialect.ts';
import { type GuardedInput, guardInput, type InputVerdict } from './guardrails/guarded-input.ts';
import { type Guardrails, outputGuard, unknownGuardrail } from './guardrails/guardrails.ts';
import type { GuardSession } from './guardrails/session.ts';
import { PendingVerdict, untilVerdict } from './guardrails/until-verdict.ts';
import { MODEL_TYPES_OF } from './inference/operation.ts';
import { type Admission, type AdmissionRequest, type Limits, NOTHING_HELD, Refused } from './limits/admission.ts';
import { asciiJson, joinedRules } from './limits/applied-rules.ts';
import { type AskedOfAny, askedOf, StepAdmissions } from './limits/step-admissions.ts';
import { type CacheRules, ownCache } from './policy/cache-rules.ts';
import { authorize, type Caller, type Callers } from './policy/caller.ts';
import { type ClientSettings, clientSettings } from './policy/client-settings.ts';
import { type Metadata, recordedMetadata, requestMetadata } from './policy/metadata.ts';
import type { RouteRules } from './policy/route-rules.ts';
import type { Target } from './providers/provider.ts';
import type { AnswerFilterMaker } from './relay/answer-filter.ts';
import type { HeavyAnswers } from './relay/answer-translation.ts';
import { mountFor } from './relay/choose-mount.ts';
import { ContentTimes } from './relay/content-times.ts';
import { cutShort } from './relay/cut-short.ts';
import type { SharedMemory } from './relay/held-memory.ts';
import type { MediaFetcher } from './relay/media-by-address.ts';
import { Relay, type RelayOwner, type RelayResult } from './relay/relay.ts';
import type { HeavyTranslator } from './relay/request-translation.ts';
import type { BodyPlan, BodyPolicy } from './request-log/body-policy.ts';
import type { Capture } from './request-log/capture.ts';
import { complexityOf } from './routing/complexity.ts';
import type { ModelRoutes } from './routing/model-routes.ts';
import type { PlanContext, Route, RoutePlan, Step, StepRetry, StepWaits } from './routing/route-plan.ts';
import { type Estimator, settle } from './settlement/settlement.ts';
import type { ExchangeRecord } from './telemetry/exchange-record.ts';
import type { OriginPools } from './upstream/origin-pools.ts';
import type { Price } from './usage/price-table.ts';
import { promptOf } from './usage/prompt.ts';
import { UsageMeter } from './usage/usage-meter.ts';

/** Everything that belongs to one configuration. An exchange keeps the one it began with until it ends. */
export interface Snapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
  /** Rules that send requests for a model elsewhere; undefined: there are none. */
  readonly routeRules?: RouteRules | undefined;
  readonly callers: Callers;
  /** What is cached without its client asking; undefined: there are no rules. */
  readonly cacheRules?: CacheRules | undefined;
  readonly limits: Limits;
  /** Undefined: no guard is configured. */
  readonly guardrails?: Guardrails | undefined;
  /** Spans of exchanges are exported. */
  readonly exportsTraces: boolean;
  /** Whose bodies are kept; undefined: nobody's. */
  readonly bodies?: BodyPolicy | undefined;
  price(target: Target): Price;
}

export interface PipelineOptions {
  readonly thread: number;
  readonly log: Log;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly estimate: Estimator;
  readonly translateHeavy: HeavyTranslator;
  readonly heavyAnswers: HeavyAnswers;
  /** See RunContext; with the settings that the exchange began with. */
  readonly fetchMedia?: (settings: ServerSettings) => MediaFetcher;
  readonly sharedMemory: SharedMemory;
  /** Absent: nothing is cached. */
  readonly cache?: AnswerCache;
  /** Where large uploads go while they are on their way. */
  readonly spoolFolder: string;
  readonly snapshot: () => Snapshot;
  readonly record: (record: ExchangeRecord) => void;
  /** See settlement: a record that a better one follows; undefined: there is no ledger. */
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  /** Why no new exchange may begin now; asked for each. */
  readonly refusal: () => GatewayError | undefined;
  readonly credentialRefused: (target: Target, error: GatewayError) => void;
  /** An exchange was refused before it reached a target. */
  readonly refused: (exchange: Exchange, error: GatewayError, request: RefusedRequest) => void;
  /** Sends a copy of a request that is about to be sent; never throws. */
  readonly shadow?: (exchange: Exchange, dialect: Dialect, shadow: ShadowSettings) => void;
  /** Absent: no bodies are kept. */
  readonly requestLog?: CaptureTaker;
}

/** Takes bodies that are to be kept. */
export interface CaptureTaker {
  begin(exchange: Exchange, plan: BodyPlan): Capture;
  /** Once, when the exchange is over; `record`: undefined where it was refused. */
  end(exchange: Exchange, capture: Capture, record: ExchangeRecord | undefined): void;
}

/** As much as is known of a request that was refused, for its record. */
export interface RefusedRequest {
  readonly model: string | undefined;
  readonly teamsJson?: string | undefined;
  readonly metadataJson?: string | undefined;
  readonly guardrailsJson?: string | undefined;
}

/** What is known of a request beside its exchange, where somebody looked into it before. */
export interface GivenRequest {
  /** Of the body as it is now. */
  readonly peeked: PeekedRequest;
  /** They see the answer last, as its client gets it. Default: none. */
  readonly filters?: readonly AnswerFilterMaker[];
}

/** Stages 2 to 8 of an inference request, in order: dialect, policy, routing, provider, upstream, relay, usage. */
export function runInference(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  given?: GivenRequest,
): void {
  const snapshot = options.snapshot();
  if (snapshot.exportsTraces) continueTrace(exchange.headers, exchange.id);
  const full = options.refusal();
  if (full) {
    refuse(exchange, full, NOTHING_KNOWN, options);
    return;
  }
  const peeked = given?.peeked ?? (exchange.scan as RequestScan).result(exchange.body);
  if (peeked instanceof GatewayError) {
    refuse(exchange, peeked, NOTHING_KNOWN, options);
    return;
  }
  const foreign = given === undefined && snapshot.settings.responses.keep ? heldElsewhere(peeked) : undefined;
  if (foreign) {
    refuse(exchange, foreign, NOTHING_KNOWN, options);
    return;
  }
  admitted(exchange, dialect, options, snapshot, peeked, given?.filters);
}

/** What was begun while its body still comes. */
export interface BegunInference {
  /** The body does not come whole. */
  breakOff(error: GatewayError): void;
}

/** A request that was understood, though not all of its body may be there. Undefined: it was refused. */
export function admitUpload(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  peeked: PeekedRequest,
): BegunInference | undefined {
  const snapshot = options.snapshot();
  if (snapshot.exportsTraces) continueTrace(exchange.headers, exchange.id);
  return admitted(exchange, dialect, options, snapshot, peeked);
}

function admitted(
  exchange: Exchange,
  dialect: Dialect,
  options: PipelineOptions,
  snapshot: Snapshot,
  peeked: PeekedRequest,
  filters: readonly AnswerFilterMaker[] = NO_FILTERS,
): BegunInference | undefined {
  const client = clientSettings(exchange.headers);
  if (client instanceof GatewayError) {
    refuse(exchange, client, NOTHING_KNOWN, options);
    return undefined;
  }
  const inference = new Inference(exchange, dialect, options, snapshot, peeked, client, filters);
  inference.begin();
  return inference;
}

/** A body that nobody is asked about. */
export function refuseUpload(exchange: Exchange, error: GatewayError, options: PipelineOptions): void {
  refuse(exchange, error, NOTHING_KNOWN, options);
}

/** Accounts are shared: what a provider keeps under an id may be another caller's, and only who looked it up knows. */
function heldElsewhere({ state }: PeekedRequest): GatewayError | undefined {
  const param = state?.previousId === undefined ? 'conversation' : 'previous_response_id';
  if (state?.previousId === undefined && state?.conversationId === undefined) return undefined;
  return new GatewayError('unsupported_parameter', { param, detail: `\`${param}\` cannot be used here.` });
}

/** A step that limits are asked about before it is the first attempt. */
interface Wish {
  readonly route: Route;
  readonly plan: RoutePlan;
  readonly index: number;
  /** Of the plan, at that index. */
  readonly step: Step;
  /** The plan has several targets, each with rules of its own. */
  readonly several: boolean;
  readonly asked: AskedOfAny;
  /** What refused the step before it; undefined: it is the first. */
  readonly first?: Refused;
}

/** A request that was let in, and what guards made of it. */
interface Way {
  readonly wish: Wish;
  readonly guards: readonly AnswerFilterMaker[];
}

/** One request that was understood, until its exchange is over. */
class Inference implements RelayOwner, ReplayOwner, PlanContext, BegunInference {
  readonly #exchange: Exchange;
  readonly #dialect: Dialect;
  readonly #options: PipelineOptions;
  readonly #snapshot: Snapshot;
  /** Of the body as it is now: guards may change it. */
  #peeked: PeekedRequest;
  readonly #client: ClientSettings;
  readonly #filters: readonly AnswerFilterMaker[];
  readonly #caller: Caller;
  readonly #metadata: Readonly<Record<string, string>>;
  /** Canonical id of the model that is asked. */
  #model = '';
  #admission: Admission = NOTHING_HELD;
  #relaying: Relay | undefined;
  /** Why it is over before it was sent. */
  #broken: GatewayError | undefined;
  #isOver = false;
  /** Undefined: neither its client nor a rule asks for the cache. */
  #cacheUse: CacheUse | undefined;
  /** Its answer is that of another exchange. */
  #replaying: Replay | undefined;
  /** The way that is gone where the cache has no answer. */
  #way: Way | undefined;
  /** Of the guards that apply; undefined: none does. */
  #guard: GuardSession | undefined;
  /** Of a route with several targets; undefined: there is one. */
  #admissions: StepAdmissions | undefined;
  /** Made where a target asks for it. */
  #conditionValues: ConditionValues | undefined;
  /** Of the route that was taken. */
  #shadow: ShadowSettings | undefined;
  /** Undefined: nothing of its bodies is kept. */
  readonly #capture: Capture | undefined;

  constructor(
    exchange: Exchange,
    dialect: Dialect,
    options: PipelineOptions,
    snapshot: Snapshot,
    peeked: PeekedRequest,
    client: ClientSettings,
    filters: readonly AnswerFilterMaker[],
  ) {
    this.#exchange = exchange;
    this.#dialect = dialect;
    this.#options = options;
    this.#snapshot = snapshot;
    this.#peeked = peeked;
    this.#client = client;
    this.#filters = filters;
    this.#caller = snapshot.callers.of(exchange.principal);
    const { metadata } = peeked;
    const told = metadata === undefined ? client.metadata : { ...metadata, ...client.metadata };
    this.#metadata = requestMetadata(withHeaders(told, dialect, exchange), this.#caller);
    this.#capture = snapshot.bodies && this.#captured(snapshot.bodies);
  }

  #captured(bodies: BodyPolicy): Capture | undefined {
    const { subject } = this.#exchange.principal;
    const { logging: wish } = this.#client;
    const plan = bodies.planOf({ caller: this.#caller, subject, metadata: this.#metadata, wish });
    return plan && this.#options.requestLog?.begin(this.#exchange, plan);
  }

  begin(): void {
    const route = this.#permittedRoute(qualified(this.#peeked.model, this.#client.providerName));
    if (route instanceof GatewayError) this.#refuse(route, { model: route.context.target });
    else this.#admit(route, undefined);
  }

  /** Known, allowed, and able to do what is asked. */
  #permittedRoute(model: string): OrError<Route> {
    const { routes, routeRules } = this.#snapshot;
    const caller = this.#caller;
    const found = routes.resolve(model);
    if (found instanceof GatewayError)
      return found.code === 'model_not_found' ? routes.notFound(model, caller.allows) : found;
    const forbidden = authorize(caller, found.model, found.slug);
    if (forbidden) return forbidden;
    const route = routeRules === undefined ? found : routeRules.apply(found, caller, this.#metadata);
    const isFor = isServed(route.modelTypes, this.#dialect);
    if (isFor && route.targets.some((target) => serves(target, this.#dialect))) return route;
    const types = (route.modelTypes ?? route.targets.flatMap((target) => target.modelTypes ?? [])).join(', ');
    const detail = types === '' ? undefined : `\`${route.model}\` is for: ${types}.`;
    return new GatewayError('unsupported_operation', { param: 'model', detail, target: route.model });
  }

  // ── what a plan may depend on ─────────────────────────────────────────────

  get waits(): StepWaits {
    return this.#client.waits;
  }

  get retry(): StepRetry | undefined {
    return this.#client.retry;
  }

  get subject(): string {
    return this.#exchange.principal.subject;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.#metadata;
  }

  header(name: string): string | undefined {
    const { tfy, forwardable } = this.#exchange.headers;
    return forwardable?.[name] ?? tfy?.[name];
  }

  canAsk(target: Target): boolean {
    return this.#caller.allows(target.id) && serves(target, this.#dialect);
  }

  conditionValues(): ConditionValues {
    this.#conditionValues ??= {
      subject: this.subject,
      metadata: this.#metadata,
      operation: this.#dialect.operation,
      stream: this.#peeked.stream,
      body_bytes: this.#exchange.bytesIn,
      max_output_tokens: this.#peeked.maxOutputTokens ?? 0,
      hour: new Date().getUTCHours(),
    };
    return this.#conditionValues;
  }

  tier(): ComplexityTier {
    return complexityOf(this.#exchange.body);
  }

  /** `downgradedBy`: the refusal that sent the request here, because a budget is spent. */
  #admit(to: Route, downgradedBy: Refused | undefined): void {
    const { maxOutputTokens, choices, servedAs, counted, stream } = this.#peeked;
    this.#model = to.model;
    this.#shadow = to.shadow;
    const plan = to.plan(this);
    if (plan instanceof GatewayError) {
      this.#refuseCounted(plan);
      return;
    }
    const asked: AskedOfAny = {
      caller: this.#caller,
      model: to.model,
      slug: to.slug,
      bodyBytes: this.#peeked.promptBytes ?? this.#exchange.bytesIn,
      maxOutputTokens,
      choices,
      servedAs,
      counted,
      stream,
      downgradedBy,
      metadata: this.#metadata,
    };
    this.#ask({ route: to, plan, index: 0, step: plan.first, several: plan.description !== undefined, asked });
  }

  #ask(wish: Wish): void {
    const { step, several, asked } = wish;
    const request: AdmissionRequest = several ? askedOf(step, asked) : { ...asked, target: step.target };
    const admitted = this.#snapshot.limits.admit(request);
    if (admitted instanceof Promise) this.#waitFor(admitted, wish);
    else this.#proceed(wish, admitted);
  }

  /** Another machine is asked: meanwhile the client may leave, and what was held for it is given back. */
  #waitFor(admitted: Promise<Admission | Refused>, wish: Wish): void {
    admitted
      .then((answer) => this.#proceed(wish, answer))
      .catch((cause) => this.#refuseCounted(new GatewayError('internal_error', { cause })));
  }

  #proceed(wish: Wish, admitted: Admission | Refused): void {
    const { step, several, asked } = wish;
    if (admitted instanceof Refused) {
      step.observer?.left();
      this.#refused(wish, admitted);
      return;
    }
    this.#admission = admitted;
    const left = this.#broken ?? (this.#exchange.aborted === undefined ? undefined : new GatewayError('client_closed'));
    if (left) {
      step.observer?.left();
      this.#leave(left);
      return;
    }
    if (several) this.#admissions = new StepAdmissions(this.#snapshot.limits, asked, step, admitted);
    try {
      this.#relay(wish);
    } catch (cause) {
      this.#leave(new GatewayError('internal_error', { cause }));
    }
  }

  /** What a rule about one target refuses, another target may be asked. */
  #refused(wish: Wish, refused: Refused): void {
    const { plan, index, several, first = refused } = wish;
    const step = several && refused.instead === undefined ? plan.step(index + 1) : undefined;
    if (step === undefined) this.#refuseOrDowngrade(first);
    else this.#ask({ ...wish, index: index + 1, step, first });
  }

  #refuseOrDowngrade(refused: Refused): void {
    const { error, instead } = refused;
    const cheaper = instead === undefined ? error : this.#permittedRoute(instead);
    // A budget gives nobody a model that is not theirs: then it refuses.
    if (cheaper instanceof GatewayError) this.#refuseCounted(error);
    else this.#admit(cheaper, refused);
  }

  #relay(wish: Wish): void {
    const { step } = wish;
    const guard = this.#openGuards();
    if (guard instanceof GatewayError) {
      step.observer?.left();
      this.#leave(guard);
      return;
    }
    this.#guard = guard;
    const plan = guard?.hook('llm-input');
    const { guarded } = this.#dialect;
    const { body } = this.#exchange;
    if (guard === undefined || plan === undefined || guarded === undefined || body.length === 0) {
      this.#answer(wish, undefined);
      return;
    }
    const slots = (request: JsonObject) => guarded.request(request);
    const verdict = guardInput({ session: guard, hook: 'llm-input', plan, slots }, body);
    if (verdict instanceof Promise) {
      verdict
        .then((each) => this.#guardedInput(wish, each))
        .catch((cause) => this.#leave(new GatewayError('internal_error', { cause })));
    } else this.#guardedInput(wish, verdict ?? new GatewayError('invalid_json'));
  }

  #openGuards(): OrError<GuardSession | undefined> {
    const { guardrails } = this.#snapshot;
    const { guardrails: asked } = this.#client;
    const caller = this.#caller;
    const metadata = this.#metadata;
    if (guardrails === undefined) {
      const named = asked && Object.values(asked.guards).flat()[0];
      return named === undefined ? undefined : unknownGuardrail(named);
    }
    const slug = this.#peeked.model;
    const model = { id: this.#model, slug };
    const about = { id: this.#exchange.id, caller, metadata, model: this.#model, form: this.#dialect.name };
    return guardrails.open({ caller, metadata, model }, about, asked);
  }

  /** Guards of the input have read it; others may still be asked. */
  #guardedInput(wish: Wish, verdict: InputVerdict): void {
    const left = this.#broken ?? (this.#exchange.aborted === undefined ? undefined : new GatewayError('client_closed'));
    const refused = left ?? (verdict instanceof GatewayError ? verdict : this.#take(verdict));
    if (refused) {
      wish.step.observer?.left();
      this.#leave(refused);
    } else if (!(verdict instanceof GatewayError)) this.#answer(wish, verdict);
  }

  /** The body as guards left it, read once more. */
  #take({ body }: GuardedInput): GatewayError | undefined {
    if (body === undefined) return undefined;
    const scan = this.#dialect.scan(this.#exchange);
    scan.advance(body, body.length);
    const peeked = scan.result(body);
    if (peeked instanceof GatewayError) return peeked;
    this.#exchange.body = body;
    this.#peeked = peeked;
    return undefined;
  }

  // ── cache ─────────────────────────────────────────────────────────────────

  /** From the cache where it is asked for, else from a target. */
  #answer(wish: Wish, input: GuardedInput | undefined): void {
    const verdict = input?.pending && new PendingVerdict();
    const guards = this.#guardFilters(input, verdict);
    const way: Way = { wish, guards };
    this.#way = way;
    if (input?.pending && verdict) this.#await(input.pending, verdict);
    this.#cacheUse = this.#useOfCache(way);
    if (this.#cacheUse === undefined) this.#send(way);
    else this.#lookUp(way, this.#cacheUse);
  }

  #useOfCache({ wish: { route }, guards }: Way): CacheUse | undefined {
    const { cache } = this.#options;
    const { cacheRules, settings } = this.#snapshot;
    const { cache: wished, waits, retry, strictForm } = this.#client;
    if ((wished === undefined && cacheRules === undefined) || cache === undefined) return undefined;
    if (settings.cache.maxBytes === 0) return undefined;
    const models = route.slug === undefined ? [route.model] : [route.model, route.slug];
    const chosen =
      cacheRules === undefined ? ownCache(wished) : cacheRules.choose(this.#caller, models, this.#metadata, wished);
    if (chosen === undefined) return undefined;
    return new CacheUse(cache, {
      exchange: this.#exchange,
      dialect: this.#dialect,
      peeked: this.#peeked,
      route,
      caller: this.#caller,
      strictForm,
      settings: chosen.settings,
      rule: chosen.rule,
      server: settings,
      client: { waits, retry },
      isFiltered: this.#filters.length + guards.length > 0,
    });
  }

  #lookUp(way: Way, use: CacheUse): void {
    const found = use.find();
    if (found instanceof Promise) {
      found
        .then((source) => this.#lookedUp(way, use, source))
        .catch((cause) => this.#leave(new GatewayError('internal_error', { cause })));
    } else this.#lookedUp(way, use, found);
  }

  #lookedUp(way: Way, use: CacheUse, source: AnswerSource | undefined): void {
    const { wish, guards } = way;
    const left = this.#broken ?? (this.#exchange.aborted === undefined ? undefined : new GatewayError('client_closed'));
    if (left) {
      wish.step.observer?.left();
      this.#leave(left);
      return;
    }
    const isAnothers = source?.contentType !== undefined && this.#targetOf(wish, source.target) === undefined;
    if (isAnothers) use.passOver();
    if (source === undefined || isAnothers) {
      this.#send(way);
      return;
    }
    const rulesJson = this.rulesJson(wish.step);
    const replay = new Replay({
      exchange: this.#exchange,
      dialect: this.#dialect,
      peeked: this.#peeked,
      settings: this.#snapshot.settings,
      sweeper: this.#options.sweeper,
      strictForm: this.#client.strictForm,
      source,
      filters: [...guards, ...this.#filters],
      headers: rulesJson === undefined ? [] : ['x-tfy-applied-rules', rulesJson],
      askedAt: use.askedAt,
      target: (id) => this.#targetOf(wish, id),
      owner: this,
    });
    this.#replaying = replay;
    use.join(replay);
    replay.start();
  }

  /** Undefined: the caller may not use it now, or a plan would not ask it. */
  #targetOf({ route }: Wish, id: string): Target | undefined {
    const target = route.targets.find((each) => each.id === id);
    if (target === undefined || !this.canAsk(target)) return undefined;
    return (route.mayAsk?.(id, this) ?? true) ? target : undefined;
  }

  unanswered(): void {
    this.#replaying = undefined;
    const use = this.#cacheUse!;
    use.passOver();
    // The first of those who are left alone asks; the others join it.
    this.#lookUp(this.#way!, use);
  }

  replayed({ error, status, cut, shortened, target, content, endedAt }: ReplayResult): void {
    const { step } = this.#way!.wish;
    step.observer?.left();
    const hit = answeredHere(step, this.rulesJson(step));
    this.relayed({ ...hit, error, status, cut, shortened, target: target ?? step.target, content, endedAt });
  }

  // ── relay ─────────────────────────────────────────────────────────────────

  #send({ wish, guards }: Way): void {
    const { plan, index, step } = wish;
    const { allowance } = this.#admission;
    const { target } = step;
    if (this.#dialect.fromEstimate !== undefined && mountFor(target, this.#dialect) === undefined) {
      this.#answerByEstimate(step, this.#dialect.fromEstimate);
      return;
    }
    const { pools, sweeper, translateHeavy, heavyAnswers } = this.#options;
    const led = this.#cacheUse?.lead(allowance !== undefined, (usage, id) => {
      const answering = this.#targetOf(wish, id);
      return answering && this.#snapshot.price(answering).costNanoUsd(usage);
    });
    // What a budget cuts is not recorded as it came. What guards change is recorded before them, for each has its own.
    const first = [...(allowance === undefined ? NO_FILTERS : [cutShort(allowance)]), ...(led ? [led.filter] : [])];
    this.#relaying = new Relay({
      exchange: this.#exchange,
      dialect: this.#dialect,
      peeked: this.#peeked,
      plan,
      index,
      settings: this.#snapshot.settings,
      pools,
      sweeper,
      translateHeavy,
      heavyAnswers,
      fetchMedia: this.#options.fetchMedia?.(this.#snapshot.settings),
      // Guards read what is left of an answer, and others what guards leave of it.
      filters: guards.length + first.length === 0 ? this.#filters : [...first, ...guards, ...this.#filters],
      hidesAnswer: guards.length > 0,
      headers: this.#cacheUse?.headers,
      shared: led?.shared,
      sharedMemory: this.#options.sharedMemory,
      strictForm: this.#client.strictForm,
      cacheMarker: this.#client.cacheMarker,
      holds: this.#admissions,
      owner: this,
    });
    // Before the body may be let go.
    if (this.#shadow) this.#options.shadow?.(this.#exchange, this.#dialect, this.#shadow);
    this.#relaying.start();
  }

  #guardFilters(input: GuardedInput | undefined, verdict: PendingVerdict | undefined): readonly AnswerFilterMaker[] {
    const session = this.#guard;
    const { guarded } = this.#dialect;
    if (session === undefined || guarded === undefined) return NO_FILTERS;
    const { maxBodyMemoryBytes, maxTranslateBytes: maxHeldBytes } = this.#snapshot.settings.limits;
    const { sharedMemory } = this.#options;
    const output = session.hook('llm-output');
    const asksWhole = output !== undefined && output.mutators.length + output.validators.length > 0;
    // The body goes with the commit point.
    const parsed = input?.request ?? (asksWhole ? parseObject(this.#exchange.body.toString()) : undefined);
    const request = (): JsonObject => parsed ?? {};
    const filter = outputGuard({ session, form: guarded, request, sharedMemory, maxBodyMemoryBytes, maxHeldBytes });
    return [...(filter ? [filter] : []), ...(verdict ? [untilVerdict(verdict)] : [])];
  }

  /** Guards that run beside the call: one that refuses ends it. */
  #await(pending: Promise<GatewayError | undefined>, verdict: PendingVerdict): void {
    pending
      .catch((cause) => new GatewayError('internal_error', { cause }))
      .then((error) => {
        if (this.#isOver) return;
        if (error === undefined) verdict.pass();
        else if (this.#replaying !== undefined) this.#replaying.breakOff(error);
        else this.breakOff(error);
      });
  }

  breakOff(error: GatewayError): void {
    if (this.#isOver) return;
    // While rules are asked the answer is waited for: what they hold is given back.
    if (this.#relaying === undefined) this.#broken = error;
    else this.#relaying.breakOff(error);
  }

  /** Nobody is asked: the tokens of the prompt are counted here, and the answer says so. */
  #answerByEstimate(step: Step, written: (inputTokens: number) => Buffer): void {
    const { target } = step;
    step.observer?.left();
    const exchange = this.#exchange;
    const { body } = exchange;
    const form = this.#dialect.name;
    const bytesPerToken = 4;
    const answer = (tokens: number | undefined): void => {
      if (exchange.aborted !== undefined) {
        this.#leave(new GatewayError('client_closed'));
        return;
      }
      const headers = ['content-type', 'application/json', 'x-sluice-estimated', 'input_tokens'];
      exchange.pushOwnHeaders(headers, 0);
      headers.push('x-tfy-resolved-model', target.id);
      exchange.sink.start(200, headers);
      exchange.sink.end(written(tokens ?? Math.ceil(body.length / bytesPerToken)));
      this.relayed(answeredHere(step, this.rulesJson(step)));
    };
    const sample = { outputSample: Buffer.alloc(0), outputTotalBytes: 0 };
    const prompt = promptOf(body, body.length);
    this.#options
      .estimate({ promptForm: form, answerForm: form, prompt, ...sample, model: target.modelId })
      .then(
        (estimate) => answer(estimate?.inputTokens),
        () => answer(undefined),
      )
      .catch((cause) => this.#leave(new GatewayError('internal_error', { cause })));
  }

  /** Admitted, and over before anything was sent: what was held is given back. */
  #leave(error: GatewayError): void {
    this.#admission.settle({ dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
    this.#refuseCounted(error);
  }

  credentialRefused(target: Target, error: GatewayError): void {
    this.#options.credentialRefused(target, error);
  }

  rulesJson(step: Step): string | undefined {
    const { rulesJson } = this.#admissions?.of(step) ?? this.#admission;
    const guardrails = this.#guard?.plan.ruleIds ?? [];
    return guardrails.length === 0 ? rulesJson : joinedRules(rulesJson, asciiJson({ guardrails }));
  }

  relayed(answered: RelayResult): void {
    this.#cacheUse?.over(answered.error);
    const left = answered.error === undefined && this.#exchange.aborted !== undefined;
    const result = left ? deserted(answered) : answered;
    const { log } = this.#options;
    const { error } = result;
    this.#isOver = true;
    if (error?.code === 'internal_error')
      log.error({ exchange: this.#exchange.id, error: error.context.cause }, error.message);
    const guard = this.#guard;
    if (guard === undefined) this.#settle(result, undefined);
    else {
      const closedAt = performance.now();
      // What guards only record belongs into the record: their deadline bounds the wait.
      guard.whenRecorded(() => {
        this.#settle(result, closedAt);
        guard.close();
      });
    }
  }

  #settle(result: RelayResult, closedAt: number | undefined): void {
    const exchange = this.#exchange;
    const { thread, log, estimate, record, provisional } = this.#options;
    const { settings, price } = this.#snapshot;
    settle(result, {
      thread,
      log,
      exchange,
      form: this.#dialect,
      model: this.#model,
      stream: this.#peeked.stream,
      servedAs: this.#peeked.servedAs,
      choices: this.#peeked.choices,
      counted: this.#peeked.counted,
      free: this.#cacheUse?.isHit ? true : this.#peeked.free,
      cacheJson: this.#cacheUse?.json,
      price,
      estimate,
      record: this.#capture === undefined ? record : this.#recordWithBodies(this.#capture),
      provisional,
      admission: this.#admissions?.close(result.step) ?? this.#admission,
      teamsJson: this.#caller.teamsJson,
      metadataJson: recordedMetadata(this.#metadata, settings),
      guardrailsJson: this.#guard?.json,
      closedAt,
      providerWords: settings.log.providerWords,
    });
    // Whatever happened: its place in flight is not lost.
    exchange.finish();
  }

  /** By a rule, or while rules were asked: the record says of whom and about what, as that of an answer does. */
  #refuseCounted(error: GatewayError): void {
    const { teamsJson } = this.#caller;
    const metadataJson = recordedMetadata(this.#metadata, this.#snapshot.settings);
    const guard = this.#guard;
    guard?.close();
    this.#refuse(error, { model: this.#model, teamsJson, metadataJson, guardrailsJson: guard?.json });
  }

  #refuse(error: GatewayError, request: RefusedRequest): void {
    refuse(this.#exchange, error, request, this.#options);
    if (this.#capture) this.#options.requestLog?.end(this.#exchange, this.#capture, undefined);
  }

  /** The record, with the bodies where they are kept. */
  #recordWithBodies(capture: Capture): (record: ExchangeRecord) => void {
    return (record) => {
      this.#options.record(record);
      this.#options.requestLog?.end(this.#exchange, capture, record);
    };
  }
}

function isServed(modelTypes: Route['modelTypes'], { operation }: Dialect): boolean {
  const types = MODEL_TYPES_OF[operation];
  return modelTypes?.some((type) => types.includes(type)) ?? true;
}

/** Its manifest says that the model is for this, and its provider speaks a form in which it can be asked. */
function serves(target: Target, dialect: Dialect): boolean {
  if (!isServed(target.modelTypes, dialect)) return false;
  return mountFor(target, dialect) !== undefined || dialect.fromEstimate !== undefined;
}

/** Its answer went on for others after its client had left. */
function deserted(result: RelayResult): RelayResult {
  return { ...result, error: new GatewayError('client_closed'), status: 499 };
}

/** As of an exchange that asked no provider. */
function answeredHere(step: Step, rulesJson: string | undefined): RelayResult {
  return {
    error: undefined,
    status: 200,
    cut: false,
    shortened: undefined,
    rulesJson,
    step,
    target: step.target,
    wireName: undefined,
    meter: new UsageMeter(),
    content: new ContentTimes(),
    sentAt: 0,
    endedAt: 0,
    dispatched: false,
    prompt: undefined,
    upstreamMs: 0,
    attempts: 0,
    attemptsJson: undefined,
    losers: [],
  };
}

function refuse(exchange: Exchange, error: GatewayError, request: RefusedRequest, options: PipelineOptions): void {
  exchange.refuse(error, error.context.headers);
  options.refused(exchange, error, request);
  exchange.finish();
}

const NOTHING_KNOWN: RefusedRequest = { model: undefined };
const NO_FILTERS: readonly AnswerFilterMaker[] = [];

/** What clients of a form say of a request in headers of their own; `x-tfy-metadata` goes before it. */
function withHeaders(
  metadata: Metadata,
  { metadataHeaders }: Dialect,
  { headers: { forwardable } }: Exchange,
): Metadata {
  if (metadataHeaders === undefined || forwardable === undefined) return metadata;
  let found: Record<string, string> | undefined;
  for (const header in metadataHeaders) {
    const value = forwardable[header];
    if (value === undefined || value.length > MAX_HEADER_CHARACTERS) continue;
    found ??= {};
    found[metadataHeaders[header]!] = value;
  }
  return found === undefined ? metadata : { ...found, ...metadata };
}

/** As of a value of `x-tfy-metadata`; a longer one says nothing that anybody could group by. */
const MAX_HEADER_CHARACTERS = 128;

/** `x-tfy-provider-name` names the account where the model id names none. */
function qualified(model: string, providerName: string | undefined): string {
  return providerName === undefined || model.startsWith(`${providerName}/`) ? model : `${providerName}/${model}`;
}
