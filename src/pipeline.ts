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
  /** An exchange was refused before it reached a target. */
  readonly refused: (exchange: Exchange, error: GatewayError, model: string | undefined) => void;
}

/** Stages 2 to 8 of an inference request, in order: dialect, policy, routing, provider, upstream, relay, usage. */
export function runInference(exchange: Exchange, dialect: Dialect, options: PipelineOptions): void {
  const { settings, routes, callers, limits, price } = options.snapshot();

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

  const admitted = admit(route);
  if (!(admitted instanceof Promise)) {
    relay(route, admitted);
    return;
  }
  // Another machine is asked: meanwhile the client may leave, and what was held for it is given back.
  admitted.then(
    (answer) => relay(route, answer),
    (cause) => refuse(new GatewayError('internal_error', { cause }), route.model),
  );

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

  function admit({ model, targets }: Route): OrError<Admission> | Promise<OrError<Admission>> {
    const { maxOutputTokens } = peeked as PeekedRequest;
    return limits.admit({
      caller,
      model,
      target: targets[0]!,
      bodyBytes: exchange.bytesIn,
      maxOutputTokens,
      metadata,
    });
  }

  function relay(to: Route, admission: OrError<Admission>): void {
    if (admission instanceof GatewayError) {
      refuse(admission, to.model);
      return;
    }
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
        const { thread, estimate, record, log } = options;
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
    options.refused(exchange, error, model);
    exchange.finish();
  }
}

const NO_HEADERS: readonly string[] = [];

/** `x-tfy-provider-name` names the account where the model id names none. */
function qualified(model: string, providerName: string | undefined): string {
  return providerName === undefined || model.startsWith(`${providerName}/`) ? model : `${providerName}/${model}`;
}
