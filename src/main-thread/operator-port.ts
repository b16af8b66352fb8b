import type { Configuration } from '../config/configuration.ts';
import type { AdminRoute } from '../operator/admin/admin-route.ts';
import { type TargetHealth, targetRoutes } from '../operator/admin/targets.ts';
import { openapiJson } from '../operator/openapi.ts';
import type { DocumentedDialect } from '../operator/openapi-dialects.ts';
import { type GatewayState, startOperator } from '../operator/operator.ts';
import type { DatabaseThread } from './database-thread.ts';
import type { MainService } from './main-service.ts';
import type { Observation } from './observation.ts';
import { hostInUrl, StartFault } from './start-fault.ts';

export interface OperatorPortOptions {
  /** In force at the time of the call. */
  readonly configuration: () => Configuration;
  readonly dialects: readonly DocumentedDialect[];
  readonly state: GatewayState;
  readonly observation: Observation;
  readonly database: Pick<DatabaseThread, 'adminRoutes'>;
  readonly targets: TargetHealth;
  /** Of the admin API, that this thread answers itself. */
  readonly routes: readonly AdminRoute[];
}

export interface OperatorPort extends MainService {
  readonly url: string;
  /** The document that the gateway serves of itself on both ports, as JSON. */
  readonly openapi: Buffer;
}

/** Opens the operator port, with the admin API where there is an admin key. Throws a StartFault. */
export async function openOperatorPort(options: OperatorPortOptions): Promise<OperatorPort> {
  const { configuration, state, observation } = options;
  const { host, port, tls, adminKey } = configuration().server.operator;
  const routes = async () => [
    ...(await options.database.adminRoutes()),
    ...targetRoutes(options.targets),
    ...options.routes,
  ];
  const admin = adminKey === undefined ? undefined : { key: adminKey, routes: await routes() };
  let openapi = await openapiJson(options.dialects);
  const operator = await startOperator({
    host,
    port,
    ...(tls && { tls }),
    state,
    metrics: observation.metrics,
    openapi: () => openapi,
    ...(admin && { admin }),
    log: observation.log,
  }).catch((error: Error) => {
    throw new StartFault(error.message);
  });
  const url = `${tls ? 'https' : 'http'}://${hostInUrl(host)}:${operator.port}`;
  if (admin) openapi = await openapiJson(options.dialects, { ...admin, operatorUrl: url });
  return { url, openapi, close: () => operator.close() };
}
