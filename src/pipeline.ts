import type { ServerSettings } from './config/configuration.ts';
import { GatewayError } from './core/errors.ts';
import type { Exchange, OrError } from './core/exchange.ts';
import type { Log } from './core/log.ts';
import type { Sweeper } from './core/sweeper.ts';
import type { Dialect, PeekedRequest, RequestScan } from './dialects/dialect.ts';
import type { Admission, Limits } from './policy/admission.ts';
import { authorize } from './policy/authorize.ts';
import type { Callers } from './policy/caller.ts';
import { type ClientSettings, clientSettings } from './policy/client-settings.ts';
import { recordedMetadata, requestMetadata } from './policy/metadata.ts';
import type { Target } from './providers/provider.ts';
import { Relay } from './relay/relay.ts';
import type { HeavyTranslator } from './relay/request-translation.ts';
import { type Estimator, settle } from './relay/settlement.ts';
import type { ModelRoutes, Route } from './routing/model-routes.ts';
import type { ExchangeRecord } from './telemetry/exchange-record.ts';
import type { OriginPools } from './upstream/origin-pools.ts';
import type { Price } from './usage/price-table.ts';

/** Everything that belongs to one configuration. An exchange keeps the one it began with until it ends. */
export interface Snapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
  readonly callers: Callers;
  readonly limits: Limits;
  price(target: Target): Price;
}

export interface PipelineOptions {
  readonly thread: number;
  readonly log: Log;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly estimate: Estimator;
  readonly translateHeavy: HeavyTranslator;
  readonly snapshot: () => Snapshot;
  readonly record: (record: ExchangeRecord) => void;
  /** See settlement: a record that a better one follows; undefined: there is no ledger. */
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  /** Why no new exchange may begin now; asked for each. */
  readonly refusal: () => GatewayError | undefined;
  /** An exchange was refused before it reached a target. */
  readonly refused: (exchange: Exchange, error: GatewayError, request: RefusedRequest) => void;
}

/** As much as is known of a request that was refused, for its record. */
export interface RefusedRequest {
  readonly model: string | undefined;
  readonly teamsJson?: string | undefined;
  readonly metadataJson?: string | undefined;
}

/** Stages 2 to 8 of an inference request, in order: dialect, policy, routing, provider, upstream, relay, usage. */
export function runInference(exchange: Exchange, dialect: Dialect, options: PipelineOptions): void {
  const { settings, routes, callers, limits, price } = options.snapshot();
  const full = options.refusal();
  if (full) {
    refuse(full);
    return;
  }

  const peeked = (exchange.scan as RequestScan).result(exchange.body);
  if (peeked instanceof GatewayError) {
    refuse(peeked);
    return;
  }
  const client = clientSettings(exchange.headers);
  if (client instanceof GatewayError) {
    refuse(client);
    return;
  }

  const caller = callers.of(exchange.principal);
  const metadata = requestMetadata(client.metadata, caller);
  const name = qualified(peeked.model, client.providerName);
  const route = permittedRoute(name);
  if (route instanceof GatewayError) {
    refuse(route, route.context.target);
    return;
  }

  admit(route, undefined);

  /** Known, allowed, and able to do what is asked. */
  function permittedRoute(model: string): OrError<Route> {
    const found = routes.resolve(model);
    if (found instanceof GatewayError) {
      return found.code === 'model_not_found' ? routes.notFound(model, caller.allows) : found;
    }
    const forbidden = authorize(caller, found.model);
    if (forbidden) return forbidden;
    if (found.targets.some((target) => target.modelTypes?.includes(dialect.modelType) ?? true)) return found;
    const types = found.targets.flatMap((target) => target.modelTypes ?? []).join(', ');
    const detail = `\`${found.model}\` is for: ${types}.`;
    return new GatewayError('unsupported_operation', { param: 'model', detail, target: found.model });
  }

  /** `downgradedBy`: the admission that sent the request here, because a budget is spent. */
  function admit(to: Route, downgradedBy: Admission | undefined): void {
    const { maxOutputTokens, choices, stream } = peeked as PeekedRequest;
    const admitted = limits.admit({
      caller,
      model: to.model,
      target: to.targets[0]!,
      bodyBytes: exchange.bytesIn,
      maxOutputTokens,
      choices,
      stream,
      downgradedBy,
      metadata,
    });
    if (!(admitted instanceof Promise)) {
      proceed(to, admitted);
      return;
    }
    // Another machine is asked: meanwhile the client may leave, and what was held for it is given back.
    admitted
      .then((answer) => proceed(to, answer))
      .catch((cause) => refuseCounted(new GatewayError('internal_error', { cause }), to.model));
  }

  function proceed(to: Route, admission: OrError<Admission>): void {
    if (admission instanceof GatewayError) {
      refuseCounted(admission, to.model);
      return;
    }
    if (admission.downgradeTo === undefined) {
      relay(to, admission);
      return;
    }
    // A budget gives nobody a model that is not theirs.
    const cheaper = permittedRoute(admission.downgradeTo);
    if (cheaper instanceof GatewayError) refuseCounted(admission.instead ?? cheaper, to.model);
    else admit(cheaper, admission);
  }

  function relay(to: Route, admission: Admission): void {
    if (exchange.aborted !== undefined) {
      admission.settle({ dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
      refuse(new GatewayError('client_closed'), to.model);
      return;
    }
    const { rulesJson } = admission;
    new Relay({
      exchange,
      dialect,
      peeked: peeked as PeekedRequest,
      targets: to.targets,
      waits: client as ClientSettings,
      settings,
      pools: options.pools,
      sweeper: options.sweeper,
      translateHeavy: options.translateHeavy,
      headers: rulesJson === undefined ? NO_HEADERS : ['x-tfy-applied-rules', rulesJson],
      allowance: admission.allowance,
      onOver: (result) => {
        const { thread, estimate, record, provisional, log } = options;
        const { error } = result;
        if (error?.code === 'internal_error')
          log.error({ exchange: exchange.id, error: error.context.cause }, error.message);
        settle(result, {
          thread,
          exchange,
          model: to.model,
          stream: (peeked as PeekedRequest).stream,
          price: price(result.target),
          estimate,
          record,
          provisional,
          admission,
          teamsJson: caller.teamsJson,
          metadataJson: recordedMetadata(metadata, settings),
        });
        exchange.finish();
      },
    }).start();
  }

  function refuse(error: GatewayError, model?: string): void {
    exchange.refuse(error, error.context.headers);
    options.refused(exchange, error, { model });
    exchange.finish();
  }

  /** By a rule, or while rules were asked: the record says of whom and about what, as that of an answer does. */
  function refuseCounted(error: GatewayError, model: string): void {
    exchange.refuse(error, error.context.headers);
    const { teamsJson } = caller;
    options.refused(exchange, error, { model, teamsJson, metadataJson: recordedMetadata(metadata, settings) });
    exchange.finish();
  }
}

const NO_HEADERS: readonly string[] = [];

/** `x-tfy-provider-name` names the account where the model id names none. */
function qualified(model: string, providerName: string | undefined): string {
  return providerName === undefined || model.startsWith(`${providerName}/`) ? model : `${providerName}/${model}`;
}
