import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, Method, OrError } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { Sweeper } from '../core/sweeper.ts';
import { continueTrace } from '../core/trace-context.ts';
import type { ApiForm, Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { Usage } from '../inference/usage.ts';
import { type Admission, type Limits, NOTHING_HELD, Refused } from '../limits/admission.ts';
import type { Caller, Callers } from '../policy/caller.ts';
import { type ClientSettings, clientSettings, guardsUnread } from '../policy/client-settings.ts';
import { recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type { Mount, ProviderAccount, Target } from '../providers/provider.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import type { Outcome } from '../relay/relay.ts';
import type { ModelRoutes } from '../routing/model-routes.ts';
import { type Estimator, settle } from '../settlement/settlement.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import type { Price } from '../usage/price-table.ts';
import { CollectedBody } from './collected-body.ts';
import { endpointOrder } from './endpoint-order.ts';
import { isJson, namedModel } from './named-model.ts';
import { PassedBody, type PassedBodyOwner } from './passed-body.ts';
import { broughtKeys, onlyHeader, passedHeaders, withCredential } from './passed-headers.ts';
import { checkedPath, passedQuery, providerPath, queryParameter } from './proxy-path.ts';
import { type ProxyBody, type ProxyOwner, ProxyRelay } from './proxy-relay.ts';
import type { ProxyStep } from './proxy-step.ts';
import { usageWatch } from './usage-watch.ts';

/** As the pipeline has it. */
export interface ProxySnapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
  readonly callers: Callers;
  readonly limits: Limits;
  readonly exportsTraces: boolean;
  price(target: Target): Price;
}

export interface ProxyOptions {
  readonly thread: number;
  readonly log: Log;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly estimate: Estimator;
  readonly sharedMemory: SharedMemory;
  readonly snapshot: () => ProxySnapshot;
  readonly record: (record: ExchangeRecord) => void;
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  readonly refusal: () => GatewayError | undefined;
  readonly credentialRefused: (target: Target, error: GatewayError) => void;
  readonly refused: (
    exchange: Exchange,
    error: GatewayError,
    request: { model: string | undefined; teamsJson?: string | undefined; metadataJson?: string | undefined },
  ) => void;
  /** What is known of forms: to read usage on the side. */
  readonly dialects: readonly Dialect[];
  readonly forms: readonly ApiForm[];
}

/** Where a request asks to be passed on to. */
export type ProxyAsked =
  /** `/proxy-api/{account}/{endpoint}/…` */
  | { readonly kind: 'endpoint'; readonly account: string; readonly endpoint: string; readonly path: string }
  /**
   * A path of a provider's own. `account`: undefined where a header or the query names it, or where it is the only one of
   * its `kinds`.
   */
  | {
      readonly kind: 'provider';
      readonly account: string | undefined;
      readonly kinds: ReadonlySet<string> | undefined;
      readonly path: string;
      /** What its answer stands for, where somebody read that elsewhere: it is recorded and charged with it. */
      readonly billed?: { readonly target: Target | undefined; readonly usage: Usage } | undefined;
    };

/** Passes a request on as it is: the answer is read on the side at most. */
export function runProxy(exchange: Exchange, asked: ProxyAsked, options: ProxyOptions): void {
  new ProxiedRequest(exchange, asked, options).begin();
}

/** What is known of a request whose place is found. */
interface Placed {
  readonly steps: readonly ProxyStep[];
  /** Canonical name of what is asked. */
  readonly model: string;
  readonly body: Buffer | undefined;
}

const NO_LINES: readonly string[] = [];
const NO_STATUSES: ReadonlySet<number> = new Set();
/** Smaller bodies are held, so that another endpoint can be asked. */
const MAX_REPLAYED_BYTES = 262_144;

class ProxiedRequest implements ProxyOwner, PassedBodyOwner {
  readonly #exchange: Exchange;
  readonly #asked: ProxyAsked;
  readonly #options: ProxyOptions;
  readonly #snapshot: ProxySnapshot;
  readonly #caller: Caller;
  readonly #memory: HeldMemory;
  readonly #lines: readonly string[];
  readonly #method: Method | 'HEAD';
  #metadata: Readonly<Record<string, string>> = {};
  #client: ClientSettings | undefined;
  #headers: readonly string[] = [];
  #query = '';
  #model: string | undefined;
  #admission: Admission = NOTHING_HELD;
  #collected: CollectedBody | undefined;
  #passed: PassedBody | undefined;
  #relay: ProxyRelay | undefined;
  /** The wire that the request turned out to speak, and what is known of it. */
  #spoken: { readonly mount: Mount; readonly form: ApiForm | undefined } | undefined;
  #peeked: PeekedRequest | undefined;
  #isStream = false;
  #over = false;

  constructor(exchange: Exchange, asked: ProxyAsked, options: ProxyOptions) {
    this.#exchange = exchange;
    this.#asked = asked;
    this.#options = options;
    this.#snapshot = options.snapshot();
    this.#caller = this.#snapshot.callers.of(exchange.principal);
    this.#memory = new HeldMemory(options.sharedMemory, this.#snapshot.settings.limits.maxBodyMemoryBytes);
    this.#lines = exchange.headers.lines ?? NO_LINES;
    this.#method = exchange.method as Method | 'HEAD';
  }

  begin(): void {
    this.#exchange.onAbort = (reason) => {
      if (reason === 'drain') this.#refuse(new GatewayError('draining', { retryAfterMs: 1000 }));
      else this.#refuse(new GatewayError(reason === 'client' ? 'client_closed' : 'write_timeout'));
    };
    const error = this.#guarded(() => this.#read());
    if (error !== undefined) this.#refuse(error);
  }

  // ── head ──────────────────────────────────────────────────────────────────

  #read(): GatewayError | undefined {
    const full = this.#options.refusal();
    if (full) return full;
    const { headers } = this.#exchange;
    const client = clientSettings(headers);
    if (client instanceof GatewayError) return client;
    const unread = guardsUnread(client);
    if (unread) return unread;
    this.#client = client;
    this.#metadata = requestMetadata(client.metadata, this.#caller);
    const upgrade = onlyHeader(this.#lines, 'upgrade');
    if (upgrade instanceof GatewayError) return upgrade;
    // RFC 9110 §7.8: any other wish may be ignored, as by every answer here.
    if (upgrade?.toLowerCase().includes('websocket')) {
      const detail = 'WebSockets are not passed through.';
      return new GatewayError('invalid_header', { param: 'upgrade', detail });
    }
    const path = checkedPath(this.#asked.path);
    if (path instanceof GatewayError) return path;
    const keys = broughtKeys(this.#lines);
    const query = passedQuery(headers.query, keys);
    if (query instanceof GatewayError) return query;
    this.#query = query;
    const passed = passedHeaders(this.#lines, keys);
    if (passed instanceof GatewayError) return passed;
    this.#headers = this.#snapshot.exportsTraces ? this.#traced(passed) : passed;
    const contentType = onlyHeader(this.#lines, 'content-type');
    if (contentType instanceof GatewayError) return contentType;
    const place = this.#place();
    if (place instanceof GatewayError) return place;
    return this.#takeBody(place, contentType);
  }

  /** The trace goes on as that of any exchange. */
  #traced(passed: readonly string[]): readonly string[] {
    const { headers, id } = this.#exchange;
    continueTrace(headers, id);
    return withCredential(passed, ['traceparent', headers.traceparent ?? '']);
  }

  /** Who is asked, found before any byte of the body is read. */
  #place(): OrError<ProviderAccount> {
    const { routes } = this.#snapshot;
    const asked = this.#asked;
    const named = asked.account ?? this.#namedAccount(asked.kind === 'provider' ? asked.kinds : undefined);
    if (named instanceof GatewayError) return named;
    const account = routes.account(named);
    if (account === undefined) {
      return new GatewayError('account_not_found', { detail: `\`${named.slice(0, 64)}\` is not known.` });
    }
    if (asked.kind === 'endpoint') {
      if (account.endpoints?.has(asked.endpoint)) return account;
      const detail =
        account.endpoints === undefined
          ? `\`${named}\` has models; its provider is asked with the header x-tfy-provider-name.`
          : `\`${asked.endpoint.slice(0, 128)}\` is no endpoint of \`${named}\`.`;
      return new GatewayError('account_not_found', { detail });
    }
    if (account.endpoints !== undefined) {
      const detail = `\`${named}\` has endpoints of its own: ask /proxy-api/${named}/….`;
      return new GatewayError('account_not_found', { detail });
    }
    // What exactly is asked is judged with the model that it names.
    return this.#maySome(account) ? account : this.#forbidden(`${account.name}/*`);
  }

  /** Of an account that lists no models, one may be allowed that only the body names. */
  #maySome({ listed }: ProviderAccount): boolean {
    return listed.length === 0 || listed.some(({ id }) => this.#caller.allows(id));
  }

  #namedAccount(kinds: ReadonlySet<string> | undefined): OrError<string> {
    const { tfy, query } = this.#exchange.headers;
    const account = tfy?.['x-tfy-provider-name'] ?? queryParameter(query, 'tfyProviderName');
    if (account !== undefined) return account;
    const model = this.#namedModel();
    if (model === undefined && kinds !== undefined) {
      const able = this.#snapshot.routes.accountsOfTypes(kinds);
      const inPath = accountInPath(this.#asked.path);
      const [one, ...others] =
        able.filter((each) => each.name === inPath).length > 0
          ? able.filter((each) => each.name === inPath)
          : able.filter((each) => this.#maySome(each));
      if (one !== undefined && others.length === 0) return one.name;
    }
    if (model === undefined) {
      const detail = 'The header x-tfy-provider-name has to name the account whose provider is asked.';
      return new GatewayError('invalid_header', { param: 'x-tfy-provider-name', detail });
    }
    const route = this.#snapshot.routes.resolve(model);
    if (route instanceof GatewayError) return this.#snapshot.routes.notFound(model, this.#caller.allows);
    const accounts = new Set(route.targets.map((target) => target.account));
    const [only] = accounts;
    if (accounts.size === 1 && only !== undefined) return only;
    const detail = `\`${model}\` is served by several accounts: x-tfy-provider-name has to name one.`;
    return new GatewayError('invalid_header', { param: 'x-tfy-model-name', detail });
  }

  #namedModel(): string | undefined {
    const { tfy, query } = this.#exchange.headers;
    return tfy?.['x-tfy-model-name'] ?? queryParameter(query, 'tfyModelName');
  }

  // ── body ──────────────────────────────────────────────────────────────────

  #takeBody(account: ProviderAccount, contentType: string | undefined): GatewayError | undefined {
    const { arriving } = this.#exchange;
    const declared = onlyHeader(this.#lines, 'content-length');
    if (declared instanceof GatewayError) return declared;
    const declaredBytes = declared === undefined ? undefined : Number(declared);
    const isChunked = this.#lines.includes('transfer-encoding');
    const hasBody = isChunked || (declaredBytes ?? 0) > 0;
    if (!hasBody || arriving === undefined) {
      // POST and its like say how long their body is, be it nothing.
      const bytes = this.#exchange.body;
      const none: ProxyBody = ofNothing(this.#method) ? { kind: 'none' } : { kind: 'whole', bytes };
      return this.#placed(account, none, contentType);
    }
    const { limits } = this.#snapshot.settings;
    const isSmall = declaredBytes !== undefined && declaredBytes <= MAX_REPLAYED_BYTES;
    const isWhole =
      account.endpoints === undefined ? isJson(contentType) || signsBody(account) : isSmall && this.#hasOthers(account);
    if (isWhole) {
      if ((declaredBytes ?? 0) > limits.maxBodyBytes) return tooLarge(limits.maxBodyBytes);
      this.#collected = new CollectedBody(arriving, this.#memory, limits.maxBodyBytes, this);
      this.#waitingFor = { account, contentType };
      return undefined;
    }
    const passed = new PassedBody(arriving, this.#memory, limits.highWatermarkBytes, this);
    this.#passed = passed;
    return this.#placed(account, { kind: 'arriving', passed, declaredBytes }, contentType);
  }

  #waitingFor: { readonly account: ProviderAccount; readonly contentType: string | undefined } | undefined;

  #hasOthers(account: ProviderAccount): boolean {
    const { asked } = { asked: this.#asked };
    return asked.kind === 'endpoint' && (account.endpoints?.get(asked.endpoint)?.endpoints.length ?? 0) > 1;
  }

  bodyEnded(): void {
    this.#exchange.bodyReadAt = performance.now();
    this.#relay?.bodyEnded();
    const waiting = this.#waitingFor;
    if (waiting === undefined || this.#over) return;
    this.#waitingFor = undefined;
    const bytes = this.#collected!.whole();
    const error = this.#guarded(() => this.#placed(waiting.account, { kind: 'whole', bytes }, waiting.contentType));
    if (error !== undefined) this.#refuse(error);
  }

  bodyFailed(error: GatewayError): void {
    if (this.#relay) this.#relay.bodyFailed(error);
    else this.#refuse(error);
  }

  memoryFull(): GatewayError {
    return new GatewayError('body_memory_full', { setting: this.#memory.setting, retryAfterMs: 1000 });
  }

  // ── who, what, how much ───────────────────────────────────────────────────

  #placed(account: ProviderAccount, body: ProxyBody, contentType: string | undefined): GatewayError | undefined {
    const whole = body.kind === 'whole' && isJson(contentType) ? body.bytes : undefined;
    const found = this.#asked.kind === 'endpoint' ? this.#atEndpoint(account) : this.#atProvider(account, whole);
    if (found instanceof GatewayError) return found;
    this.#model = found.model;
    const changed: ProxyBody = found.body === undefined ? body : { kind: 'whole', bytes: found.body };
    if (changed.kind === 'whole') this.#exchange.body = changed.bytes;
    const peeked = this.#peek(found, whole === undefined ? undefined : found.body);
    if (peeked instanceof GatewayError) return peeked;
    this.#peeked = peeked;
    return this.#admit(found, changed);
  }

  #atEndpoint(account: ProviderAccount): OrError<Placed> {
    const asked = this.#asked;
    const pool = asked.kind === 'endpoint' ? account.endpoints?.get(asked.endpoint) : undefined;
    if (asked.kind !== 'endpoint' || pool === undefined) throw new Error('the place was found before');
    const order = endpointOrder(pool, this.#metadata, this.#caller.allows);
    if (order.length === 0) {
      const allowed = pool.endpoints.some(({ target }) => this.#caller.allows(target.id));
      if (!allowed) return this.#forbidden(`${account.name}/${asked.endpoint}`);
      const detail = `No endpoint of \`${account.name}\` is for the metadata of this request.`;
      return new GatewayError('account_not_found', { detail });
    }
    const steps = order.map(({ target, fallbackStatuses }): ProxyStep => {
      const [mount] = target.mounts.get('raw')!;
      return { target, mount: mount!, path: endpointPath(mount!.basePath + asked.path, this.#query), fallbackStatuses };
    });
    return { steps, model: order[0]!.target.id, body: undefined };
  }

  #atProvider(account: ProviderAccount, json: Buffer | undefined): OrError<Placed> {
    const { routes } = this.#snapshot;
    const named = namedModel(
      { account, caller: this.#caller, resolve: (id) => targetOf(routes, id) },
      { method: this.#method, path: this.#asked.path, query: this.#query, body: json },
    );
    if (named instanceof GatewayError) return named;
    const target = named.target ?? this.#billed?.target ?? this.#targetByHeader(account);
    if (target instanceof GatewayError) return target;
    const any = target ?? account.listed[0] ?? account.target(account.exampleModel ?? 'any');
    const [mount] = [...(any?.mounts.values() ?? [])].flat();
    if (any === undefined || mount === undefined || any.local !== undefined) {
      const detail = `\`${account.name}\` has no provider behind a connection.`;
      return new GatewayError('unsupported_operation', { detail, target: `${account.name}/*` });
    }
    const wirePath = mount.wire.path(any, { stream: false });
    const path = providerPath(named.path, mount.basePath, wirePath);
    const step = {
      target: target ?? unnamedTarget(account, any),
      mount,
      path: path + (named.query === '' ? '' : `?${named.query}`),
      fallbackStatuses: NO_STATUSES,
    };
    this.#spoken = this.#spokenAt(target, path);
    return { steps: [step], model: step.target.id, body: named.body };
  }

  /** It tells what a request is about that does not say so itself: for records and price, not for access. */
  #targetByHeader(account: ProviderAccount): OrError<Target | undefined> {
    const name = this.#namedModel();
    if (name === undefined) return undefined;
    const { routes } = this.#snapshot;
    const route = routes.resolve(name.startsWith(`${account.name}/`) ? name : `${account.name}/${name}`);
    if (route instanceof GatewayError) return route;
    const target = route.targets.find((each) => each.account === account.name);
    if (target !== undefined && !this.#caller.allows(target.id)) return this.#forbidden(target.id);
    return target;
  }

  /** The wire of the account that has this very path: of its answers the usage can be read. */
  #spokenAt(target: Target | undefined, path: string): { mount: Mount; form: ApiForm | undefined } | undefined {
    if (target === undefined || this.#method !== 'POST') return undefined;
    for (const mount of [...target.mounts.values()].flat()) {
      const paths = [false, true].map((stream) => mount.path(target, { stream }).split('?', 1)[0]!);
      if (!paths.some((each) => same(each, path))) continue;
      return { mount, form: this.#options.forms.find(({ name }) => name === mount.wire.name) };
    }
    return undefined;
  }

  /** What the request says of itself, where its form is one that clients of the gateway speak. */
  #peek({ steps }: Placed, json: Buffer | undefined): OrError<PeekedRequest | undefined> {
    const dialect = this.#options.dialects.find(({ name }) => name === this.#spoken?.mount.wire.name);
    if (dialect === undefined || json === undefined || steps.length === 0) return undefined;
    const { path, params, headers } = this.#exchange;
    const scan = dialect.scan({ path, params, headers });
    scan.advance(json, json.length);
    return scan.result(json);
  }

  #admit(placed: Placed, body: ProxyBody): GatewayError | undefined {
    const { steps, model } = placed;
    const peeked = this.#peeked;
    const admitted = this.#snapshot.limits.admit({
      caller: this.#caller,
      model,
      target: steps[0]!.target,
      bodyBytes: body.kind === 'whole' ? body.bytes.length : 0,
      maxOutputTokens: peeked?.maxOutputTokens ?? (peeked === undefined ? 0 : undefined),
      choices: peeked?.choices ?? 0,
      servedAs: peeked?.servedAs,
      counted: peeked === undefined ? {} : peeked.counted,
      // What passes as it is cannot be ended early.
      stream: false,
      downgradedBy: undefined,
      metadata: this.#metadata,
    });
    if (!(admitted instanceof Promise)) return this.#proceed(steps, body, admitted);
    admitted
      .then(
        (answer) => this.#guarded(() => this.#proceed(steps, body, answer)),
        (cause) => new GatewayError('internal_error', { cause }),
      )
      .then((error) => {
        if (error !== undefined) this.#refuse(error);
      });
    return undefined;
  }

  #proceed(steps: readonly ProxyStep[], body: ProxyBody, admitted: Admission | Refused): GatewayError | undefined {
    // A request that is passed on as it is cannot be sent to a cheaper model.
    if (admitted instanceof Refused) return admitted.error;
    this.#admission = admitted;
    if (this.#over) {
      this.#giveBack();
      return undefined;
    }
    const { pools, sweeper } = this.#options;
    const { settings } = this.#snapshot;
    const { rulesJson } = admitted;
    this.#relay = new ProxyRelay({
      exchange: this.#exchange,
      settings,
      pools,
      sweeper,
      waits: this.#client!.waits,
      method: this.#method,
      headers: this.#headers,
      body,
      steps,
      rulesJson,
      ownHeaders: rulesJson === undefined ? NO_LINES : ['x-tfy-applied-rules', rulesJson],
      owner: this,
      watch: (_step, contentType, meter) => {
        this.#isStream = /^(text\/event-stream|application\/vnd\.amazon\.eventstream)/i.test(contentType);
        const billed = this.#billed;
        if (billed !== undefined) return { chunk() {}, ended: () => meter.add(billed.usage) };
        const spoken = this.#spoken;
        if (spoken === undefined) return undefined;
        return usageWatch(contentType, {
          wire: spoken.mount.wire,
          form: spoken.form,
          meter,
          choices: this.#peeked?.choices ?? 1,
          maxBytes: settings.limits.maxTranslateBytes,
        });
      },
    });
    if (this.#passed?.ended) this.#relay.bodyEnded();
    this.#relay.start();
    return undefined;
  }

  // ── the end ───────────────────────────────────────────────────────────────

  credentialRefused(target: Target, error: GatewayError): void {
    this.#options.credentialRefused(target, error);
  }

  relayed(result: Outcome): void {
    this.#over = true;
    const exchange = this.#exchange;
    const { thread, log, estimate, record, provisional, dialects } = this.#options;
    const { settings, price } = this.#snapshot;
    const { error } = result;
    if (error?.code === 'internal_error')
      log.error({ exchange: exchange.id, error: error.context.cause }, error.message);
    const form = this.#spoken?.form;
    const peeked = this.#peeked;
    settle(
      { ...result, wireName: this.#spoken?.mount.wire.name },
      {
        thread,
        log,
        exchange,
        form: form ?? dialects[0]!,
        model: this.#model ?? result.target.id,
        stream: this.#isStream,
        servedAs: peeked?.servedAs,
        choices: peeked?.choices ?? 0,
        // Of what is not understood nothing is estimated.
        counted: peeked === undefined || form === undefined ? (peeked?.counted ?? {}) : peeked.counted,
        free: this.#isFree(),
        price,
        estimate,
        record,
        provisional,
        admission: this.#admission,
        teamsJson: this.#caller.teamsJson,
        metadataJson: recordedMetadata(this.#metadata, settings),
        providerWords: settings.log.providerWords,
      },
    );
    this.#memory.release();
    // Whatever happened: its place in flight is not lost.
    exchange.finish();
  }

  /** What a provider only shows, lists or deletes is not billed; what a service of one's own bills nobody knows. */
  #isFree(): true | undefined {
    if (this.#billed !== undefined) return undefined;
    return this.#peeked?.free ?? (this.#asked.kind === 'provider' && ofNothing(this.#method) ? true : undefined);
  }

  get #billed() {
    return this.#asked.kind === 'provider' ? this.#asked.billed : undefined;
  }

  #forbidden(model: string): GatewayError {
    const detail = `\`${this.#caller.principal.subject}\` may not use \`${model}\`.`;
    return new GatewayError('model_forbidden', { param: 'model', detail, target: model });
  }

  /** Before anything was sent. */
  #refuse(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#giveBack();
    this.#passed?.close();
    this.#memory.release();
    const exchange = this.#exchange;
    exchange.onAbort = undefined;
    const { teamsJson } = this.#caller;
    const metadataJson = recordedMetadata(this.#metadata, this.#snapshot.settings);
    this.#options.refused(exchange, error, { model: this.#model ?? error.context.target, teamsJson, metadataJson });
    exchange.refuse(error, error.context.headers);
    exchange.finish();
  }

  #giveBack(): void {
    this.#admission.settle({ dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
  }

  /** A bug costs this exchange, and no other. */
  #guarded(run: () => GatewayError | undefined): GatewayError | undefined {
    try {
      return run();
    } catch (cause) {
      return new GatewayError('internal_error', { cause });
    }
  }
}

const unnamedTargets = new WeakMap<ProviderAccount, Target>();

/** What names no model is told of as of `account/*`, which is no name of a model. Prices are remembered by the object. */
function unnamedTarget(account: ProviderAccount, any: Target): Target {
  let target = unnamedTargets.get(account);
  if (target === undefined) {
    target = { ...any, id: `${account.name}/*`, modelId: '*', modelTypes: undefined, price: NO_PRICE };
    unnamedTargets.set(account, target);
  }
  return target;
}

const NO_PRICE = { catalogueId: undefined, modelId: '*' } as const;

/** `account/model` in the place of a model's id: `/model/bedrock-eu%2Fanthropic.claude-…/converse`. */
function accountInPath(path: string): string | undefined {
  return /^\/model\/([A-Za-z0-9._-]+)%2F/i.exec(path)?.[1];
}

function targetOf(routes: ModelRoutes, id: string): Target | undefined {
  const route = routes.resolve(id);
  return route instanceof GatewayError ? undefined : route.targets.find((each) => each.id === id);
}

function ofNothing(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'DELETE';
}

function signsBody(account: ProviderAccount): boolean {
  const any = account.listed[0] ?? account.target(account.exampleModel ?? 'any');
  return [...(any?.mounts.values() ?? [])].flat().some(({ credential }) => credential.signsBody === true);
}

function endpointPath(path: string, query: string): string {
  return (path === '' ? '/' : path) + (query === '' ? '' : `?${query}`);
}

/** Paths of providers, whose ids may be written with or without percent-encoding. */
function same(one: string, other: string): boolean {
  return one === other || decodeURIComponent(one) === decodeURIComponent(other);
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('body_too_large', {
    detail: 'JSON, and what has to be signed, is held whole.',
    setting: `limits.max_body_bytes: ${maxBytes}`,
  });
}
