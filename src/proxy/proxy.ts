import { abortError } from '../core/abort-error.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, Method, OrError } from '../core/exchange.ts';
import { continueTrace } from '../core/trace-context.ts';
import type { PeekedRequest } from '../dialects/dialect.ts';
import type { AdmissionRequest } from '../limits/admission.ts';
import type { Caller } from '../policy/caller.ts';
import { type ClientSettings, clientSettings, guardsUnread } from '../policy/client-settings.ts';
import { recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type { ProviderAccount, Target } from '../providers/provider.ts';
import { plainFormOf } from '../relay/choose-mount.ts';
import { HeldMemory } from '../relay/held-memory.ts';
import type { Outcome } from '../relay/relay.ts';
import { settle } from '../settlement/settlement.ts';
import { type Asking, askedAccount, type ProxyAsked } from './asked-account.ts';
import { askedSteps, type Placed, type ProxyStep, signsBody } from './asked-steps.ts';
import { CollectedBody, tooLarge } from './collected-body.ts';
import { isJson } from './named-model.ts';
import { PassedBody, type PassedBodyOwner } from './passed-body.ts';
import { broughtKeys, onlyHeader, passedHeaders, withCredential } from './passed-headers.ts';
import { ProxyAdmissions } from './proxy-admissions.ts';
import type { ProxyOptions, ProxySnapshot } from './proxy-options.ts';
import { checkedPath, passedQuery } from './proxy-path.ts';
import { type ProxyBody, type ProxyOwner, ProxyRelay } from './proxy-relay.ts';
import { choicesOf, usageWatch } from './usage-watch.ts';

/** Passes a request on as it is: the answer is read on the side at most. */
export function runProxy(exchange: Exchange, asked: ProxyAsked, options: ProxyOptions): void {
  new ProxiedRequest(exchange, asked, options).begin();
}

const NO_LINES: readonly string[] = [];
/** A body up to this size is held whole, so that another endpoint can be asked with it. */
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
  /** Undefined until limits are asked. */
  #admissions: ProxyAdmissions | undefined;
  #collected: CollectedBody | undefined;
  /** What the collected body is for once it is whole; undefined: nothing waits for it. */
  #waitingFor: { readonly account: ProviderAccount; readonly contentType: string | undefined } | undefined;
  #passed: PassedBody | undefined;
  #relay: ProxyRelay | undefined;
  /** The wire that the request turned out to speak, and what is known of it. */
  #spoken: Placed['spoken'];
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
    this.#exchange.onAbort = (reason) => this.#refuse(abortError(reason));
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
    // RFC 9110 §7.8 lets a server ignore any other upgrade, and this one does.
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
    const account = askedAccount(this.#asking());
    if (account instanceof GatewayError) return account;
    return this.#takeBody(account, contentType);
  }

  /** The provider continues the trace of the client, as in any exchange. */
  #traced(passed: readonly string[]): readonly string[] {
    const { headers, id } = this.#exchange;
    continueTrace(headers, id);
    return withCredential(passed, ['traceparent', headers.traceparent ?? '']);
  }

  #asking(): Asking {
    const { routes } = this.#snapshot;
    return { asked: this.#asked, headers: this.#exchange.headers, routes, caller: this.#caller };
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
      // A POST without a body still declares its length, which is 0.
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

  #hasOthers(account: ProviderAccount): boolean {
    const asked = this.#asked;
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
    const found = askedSteps(
      {
        ...this.#asking(),
        method: this.#method,
        query: this.#query,
        metadata: this.#metadata,
        json: whole,
        forms: this.#options.forms,
      },
      account,
    );
    if (found instanceof GatewayError) return found;
    this.#spoken = found.spoken;
    this.#model = found.model;
    const changed: ProxyBody = found.body === undefined ? body : { kind: 'whole', bytes: found.body };
    if (changed.kind === 'whole') this.#exchange.body = changed.bytes;
    const peeked = this.#peek(found, whole === undefined ? undefined : found.body);
    if (peeked instanceof GatewayError) return peeked;
    this.#peeked = peeked;
    return this.#admit(found, changed);
  }

  /** What the request says of itself, where its form is one that clients of the gateway speak. */
  #peek({ steps }: Placed, json: Buffer | undefined): OrError<PeekedRequest | undefined> {
    const form = this.#spoken && plainFormOf(this.#spoken.mount.wire);
    const dialect = this.#options.dialects.find(({ name }) => name === form);
    if (dialect === undefined || json === undefined || steps.length === 0) return undefined;
    const { path, params, headers } = this.#exchange;
    const scan = dialect.scan({ path, params, headers });
    scan.advance(json, json.length);
    return scan.result(json);
  }

  #admit({ steps }: Placed, body: ProxyBody): GatewayError | undefined {
    const peeked = this.#peeked;
    const asked = {
      caller: this.#caller,
      bodyBytes: body.kind === 'whole' ? body.bytes.length : 0,
      maxOutputTokens: peeked?.maxOutputTokens ?? (peeked === undefined ? 0 : undefined),
      choices: peeked?.choices ?? 0,
      servedAs: peeked?.servedAs,
      counted: peeked === undefined ? {} : peeked.counted,
      pages: peeked?.pages,
      // What passes as it is cannot be ended early.
      stream: false,
      downgradedBy: undefined,
      metadata: this.#metadata,
    };
    const askedOf = ({ target }: ProxyStep): AdmissionRequest => ({ ...asked, model: target.id, target });
    this.#admissions = new ProxyAdmissions(this.#snapshot.limits, askedOf);
    const admitted = this.#admissions.admit(steps);
    if (!(admitted instanceof Promise)) return this.#proceed(admitted, body);
    admitted
      .then(
        (answer) => this.#guarded(() => this.#proceed(answer, body)),
        (cause) => new GatewayError('internal_error', { cause }),
      )
      .then((error) => {
        if (error !== undefined) this.#refuse(error);
      });
    return undefined;
  }

  #proceed(steps: OrError<readonly ProxyStep[]>, body: ProxyBody): GatewayError | undefined {
    if (steps instanceof GatewayError) return steps;
    if (this.#over) {
      this.#admissions?.giveBack();
      return undefined;
    }
    const { pools, sweeper } = this.#options;
    const { settings } = this.#snapshot;
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
      admissions: this.#admissions!,
      owner: this,
      watch: (_step, contentType, meter) => {
        this.#isStream = /^(text\/event-stream|application\/vnd\.amazon\.eventstream)/i.test(contentType);
        const billed = this.#billed;
        if (billed !== undefined) return { chunk() {}, ended: () => meter.summed(billed.usage) };
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

  relayed(result: Outcome, step: ProxyStep): void {
    this.#over = true;
    const exchange = this.#exchange;
    const { thread, log, estimate, record, provisional } = this.#options;
    const { settings, price } = this.#snapshot;
    const { error } = result;
    if (error?.code === 'internal_error')
      log.error({ exchange: exchange.id, error: error.context.cause }, error.message);
    const peeked = this.#peeked;
    const wire = this.#spoken?.mount.wire;
    const choices = peeked?.choices ?? choicesOf(wire);
    const billed = this.#billed;
    settle(
      { ...result, wireName: wire && plainFormOf(wire) },
      {
        thread,
        log,
        exchange,
        form: this.#spoken?.form ?? { name: wire?.name ?? '', answerText: () => undefined },
        model: this.#model ?? result.target.id,
        stream: this.#isStream,
        servedAs: peeked?.servedAs,
        choices: choices ?? 0,
        // Nothing is estimated for a request that nobody here reads.
        counted: peeked === undefined && choices === undefined ? {} : peeked?.counted,
        free: this.#isFree(),
        price: billed === undefined ? price : (target) => price(target).ofSum(billed),
        estimate,
        record,
        provisional,
        admission: this.#admissions!.close(step),
        teamsJson: this.#caller.teamsJson,
        metadataJson: recordedMetadata(this.#metadata, settings),
        providerWords: settings.log.providerWords,
      },
    );
    this.#memory.release();
    // The exchange gives back its place in flight on every way out.
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

  /** Refuses the request before anything of it was sent. */
  #refuse(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#admissions?.giveBack();
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

  /** A bug costs this exchange, and no other. */
  #guarded(run: () => GatewayError | undefined): GatewayError | undefined {
    try {
      return run();
    } catch (cause) {
      return new GatewayError('internal_error', { cause });
    }
  }
}

function ofNothing(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'DELETE';
}
