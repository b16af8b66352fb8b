import type { ServerSettings } from './config/configuration.ts';
import { GatewayError } from './core/errors.ts';
import type { Exchange } from './core/exchange.ts';
import type { Log } from './core/log.ts';
import type { Sweeper } from './core/sweeper.ts';
import type { Dialect, RequestScan } from './dialects/dialect.ts';
import { authorize, modelsOf } from './policy/authorize.ts';
import { clientSettings } from './policy/client-settings.ts';
import type { Target } from './providers/provider.ts';
import { Relay } from './relay/relay.ts';
import type { HeavyTranslator } from './relay/request-translation.ts';
import { type Estimator, settle } from './relay/settlement.ts';
import type { ModelRoutes } from './routing/model-routes.ts';
import type { ExchangeRecord } from './telemetry/exchange-record.ts';
import type { OriginPools } from './upstream/origin-pools.ts';
import type { Price } from './usage/price-table.ts';

/** Everything that belongs to one configuration. An exchange keeps the one it began with until it ends. */
export interface Snapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
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
  const { settings, routes, price } = options.snapshot();

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

  const name = qualified(peeked.model, client.providerName);
  const route = routes.resolve(name);
  if (route instanceof GatewayError) {
    refuse(route.code === 'model_not_found' ? routes.notFound(name, modelsOf(exchange.principal)) : route);
    return;
  }
  const forbidden = authorize(exchange.principal, route.model);
  if (forbidden) {
    refuse(forbidden, route.model);
    return;
  }
  if (!route.targets.some((target) => target.modelTypes?.includes(dialect.modelType) ?? true)) {
    const types = route.targets.flatMap((target) => target.modelTypes ?? []).join(', ');
    const detail = `\`${route.model}\` is for: ${types}.`;
    refuse(new GatewayError('unsupported_operation', { param: 'model', detail }), route.model);
    return;
  }

  new Relay({
    exchange,
    dialect,
    peeked,
    targets: route.targets,
    waits: client,
    settings,
    pools: options.pools,
    sweeper: options.sweeper,
    translateHeavy: options.translateHeavy,
    onOver: (result) => {
      const { thread, estimate, record, log } = options;
      const { error } = result;
      if (error?.code === 'internal_error')
        log.error({ exchange: exchange.id, error: error.context.cause }, error.message);
      settle(result, {
        thread,
        exchange,
        model: route.model,
        stream: peeked.stream,
        price: price(result.target),
        estimate,
        record,
      });
      exchange.finish();
    },
  }).start();

  function refuse(error: GatewayError, model?: string): void {
    exchange.refuse(error);
    options.refused(exchange, error, model);
    exchange.finish();
  }
}

/** `x-tfy-provider-name` names the account where the model id names none. */
function qualified(model: string, providerName: string | undefined): string {
  return providerName === undefined || model.startsWith(`${providerName}/`) ? model : `${providerName}/${model}`;
}
