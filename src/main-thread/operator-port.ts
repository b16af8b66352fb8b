import type { Configuration } from '../config/configuration.ts';
import { hostInUrl } from '../core/host-name.ts';
import type { AuditLog } from '../operator/admin/admin-api.ts';
import type { AdminRoute } from '../operator/admin/admin-route.ts';
import { type TargetHealth, targetRoutes } from '../operator/admin/targets.ts';
import type { DocumentedDialect } from '../operator/openapi-dialects.ts';
import { type ConsoleOptions, type GatewayState, startOperator } from '../operator/operator.ts';
import { RemoteSides } from '../operator/sessions/remote-sides.ts';
import type { StartToken } from '../operator/sessions/start-token.ts';
import type { OpenApiMessage } from '../threads/messages.ts';
import type { DatabaseThread } from './database-thread.ts';
import type { MainService } from './main-service.ts';
import type { Observation } from './observation.ts';
import { StartFault } from './start-fault.ts';

export interface OperatorPortOptions {
  /** In force at the time of the call. */
  readonly configuration: () => Configuration;
  /** Their code is loaded for the document alone. */
  readonly dialects: () => readonly DocumentedDialect[];
  readonly state: GatewayState;
  readonly observation: Observation;
  readonly database: Pick<DatabaseThread, 'adminRoutes'>;
  readonly targets: TargetHealth;
  /** The routes of the admin API, that this thread answers itself. */
  readonly routes: readonly AdminRoute[];
  readonly console: ConsoleOptions;
  /** Without an admin key: what opens the console once. Undefined: nothing does. */
  readonly startToken: StartToken | undefined;
  readonly audit: AuditLog;
  tell(thread: number, message: OpenApiMessage): void;
}

export interface OperatorPort extends MainService {
  readonly url: string;
}

/** Opens the operator port, with the admin API where there is an admin key. Throws a StartFault. */
export async function openOperatorPort(options: OperatorPortOptions): Promise<OperatorPort> {
  const { configuration, state, observation } = options;
  const { host, port, tls, adminKey } = configuration().server.operator;
  const hasConsole = configuration().server.console.enabled && (adminKey ?? options.startToken) !== undefined;
  const made = async () => [
    ...(await options.database.adminRoutes()),
    ...targetRoutes(options.targets),
    ...options.routes,
  ];
  // The document needs it too. Without a key nothing is loaded before somebody signs in.
  const known = adminKey === undefined ? undefined : await made();
  const routes = async () => known ?? made();
  const hasAdmin = adminKey !== undefined || hasConsole;
  const sides = new RemoteSides(configuration().server.listen.trustedProxies);
  const { audit } = options;
  const admin = { key: adminKey, routes, audit, sides, ...(hasConsole && { console: options.console.door }) };
  // Made when somebody first asks, on either port: it is the only use of many modules.
  let document: Promise<Buffer> | undefined;
  const openapi = (): Promise<Buffer> => {
    document ??= import('../operator/openapi.ts').then(({ openapiJson }) =>
      openapiJson(options.dialects(), known && { routes: known, operatorUrl: url, hasConsole }),
    );
    return document;
  };
  const operator = await startOperator({
    host,
    port,
    ...(tls && { tls }),
    state,
    metrics: observation.metrics,
    openapi,
    ...(hasAdmin && { admin }),
    ...(hasConsole && { console: options.console }),
    log: observation.log,
  }).catch((error: Error) => {
    throw new StartFault(error.message);
  });
  const url = `${tls ? 'https' : 'http'}://${hostInUrl(host)}:${operator.port}`;
  return {
    url,
    hear(message) {
      if (message.type !== 'openapi-wanted') return;
      const answer = (json: Uint8Array | undefined) =>
        options.tell(message.thread, { type: 'openapi', number: message.number, json });
      openapi().then(answer, (error) => {
        observation.log.error({ error }, 'the OpenAPI document could not be made');
        answer(undefined);
      });
    },
    close: () => operator.close(),
  };
}
