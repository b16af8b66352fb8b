import type { ConditionValues } from '../config/rules/target-condition.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import { MODEL_TYPES_OF } from '../inference/operation.ts';
import { authorize, type Caller } from '../policy/caller.ts';
import type { ClientSettings } from '../policy/client-settings.ts';
import { type Metadata, recordedMetadata, requestMetadata } from '../policy/metadata.ts';
import type { Target } from '../providers/provider.ts';
import type { AnswerFilterMaker } from '../relay/answer-filter.ts';
import { mountFor } from '../relay/choose-mount.ts';
import { complexityOf } from '../routing/complexity.ts';
import type { Complexity, PlanContext, Route, StepRetry, StepWaits } from '../routing/route-plan.ts';
import type { PipelineOptions, Snapshot } from './pipeline-options.ts';

export const NO_FILTERS: readonly AnswerFilterMaker[] = [];

/** What an exchange brings with it before the first stage. */
export interface UnderstoodRequest {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly options: PipelineOptions;
  readonly snapshot: Snapshot;
  readonly peeked: PeekedRequest;
  readonly client: ClientSettings;
  /** They see the answer last, as its client gets it. */
  readonly filters: readonly AnswerFilterMaker[];
}

/** What all stages know of one request: who asks for what, and what its plan may depend on. */
export class RequestContext implements PlanContext {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly options: PipelineOptions;
  readonly snapshot: Snapshot;
  /** What was peeked of the body as it is now: guards may change it. */
  peeked: PeekedRequest;
  readonly client: ClientSettings;
  readonly filters: readonly AnswerFilterMaker[];
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  /** Canonical id of the model that is asked. */
  model = '';
  /** What a classifier told; undefined: signs in the body tell. */
  classified: Complexity | undefined;
  /** What its plan was told; undefined: it asked nothing of that kind. */
  told: Complexity | undefined;
  /** Made where a target asks for it. */
  #conditionValues: ConditionValues | undefined;

  constructor({ exchange, dialect, options, snapshot, peeked, client, filters }: UnderstoodRequest) {
    this.exchange = exchange;
    this.dialect = dialect;
    this.options = options;
    this.snapshot = snapshot;
    this.peeked = peeked;
    this.client = client;
    this.filters = filters;
    this.caller = snapshot.callers.of(exchange.principal);
    const { metadata } = peeked;
    const told = metadata === undefined ? client.metadata : { ...metadata, ...client.metadata };
    this.metadata = requestMetadata(withHeaders(told, dialect, exchange), this.caller);
  }

  /** As far as the ledger keeps it. */
  get metadataJson(): string | undefined {
    return recordedMetadata(this.metadata, this.snapshot.settings);
  }

  /** Known, allowed, and able to do what is asked. */
  permittedRoute(model: string): OrError<Route> {
    const { routes, routeRules } = this.snapshot;
    const { caller } = this;
    const found = routes.resolve(model);
    if (found instanceof GatewayError)
      return found.code === 'model_not_found' ? routes.notFound(model, caller.allows) : found;
    const forbidden = authorize(caller, found.model, found.slug);
    if (forbidden) return forbidden;
    const route = routeRules === undefined ? found : routeRules.apply(found, caller, this.metadata);
    const isFor = isServed(route.modelTypes, this.dialect);
    if (isFor && route.targets.some((target) => serves(target, this.dialect))) return route;
    const types = (route.modelTypes ?? route.targets.flatMap((target) => target.modelTypes ?? [])).join(', ');
    const detail = types === '' ? undefined : `\`${route.model}\` is for: ${types}.`;
    return new GatewayError('unsupported_operation', { param: 'model', detail, target: route.model });
  }

  /** The target of a route; undefined: the caller may not use it now, or a plan would not ask it. */
  targetOf(route: Route, id: string): Target | undefined {
    const target = route.targets.find((each) => each.id === id);
    if (target === undefined || !this.canAsk(target)) return undefined;
    return (route.mayAsk?.(id, this) ?? true) ? target : undefined;
  }

  // ── what a plan may depend on ─────────────────────────────────────────────

  get waits(): StepWaits {
    return this.client.waits;
  }

  get retry(): StepRetry | undefined {
    return this.client.retry;
  }

  get subject(): string {
    return this.exchange.principal.subject;
  }

  header(name: string): string | undefined {
    const { tfy, forwardable } = this.exchange.headers;
    return forwardable?.[name] ?? tfy?.[name];
  }

  canAsk(target: Target): boolean {
    return this.caller.allows(target.id) && serves(target, this.dialect);
  }

  conditionValues(): ConditionValues {
    this.#conditionValues ??= {
      subject: this.subject,
      metadata: this.metadata,
      operation: this.dialect.operation,
      stream: this.peeked.stream,
      body_bytes: this.exchange.bytesIn,
      max_output_tokens: this.peeked.maxOutputTokens ?? 0,
      hour: new Date().getUTCHours(),
    };
    return this.#conditionValues;
  }

  complexity(): Complexity {
    this.told = this.classified ?? { tier: complexityOf(this.exchange.body), cause: 'signs' };
    return this.told;
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
