import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { DatabaseAway } from '../../store/store-fault.ts';
import { type Answer, CLOSE, JSON_TYPE, refusal, refusalOf } from '../answer.ts';
import { AdminKey } from './admin-key.ts';
import type { AdminAnswer, AdminRoute } from './admin-route.ts';
import { AdminRouter } from './admin-router.ts';
import { readJsonBody } from './json-body.ts';

export interface AdminOptions {
  readonly key: string;
  readonly routes: readonly AdminRoute[];
}

/** `/admin/…` of the operator port. Without the key nothing is said of what there is, and no body byte is read. */
export class AdminApi {
  readonly #key: AdminKey;
  readonly #router: AdminRouter;
  readonly #log: Log | undefined;

  constructor({ key, routes }: AdminOptions, log: Log | undefined) {
    this.#key = new AdminKey(key, log);
    this.#router = new AdminRouter(routes);
    this.#log = log;
  }

  async answer(request: IncomingMessage, path: string, query: string): Promise<Answer> {
    const refused = this.#key.refuses(request.headers.authorization);
    if (refused !== undefined) return refusal(refused, { ...CLOSE, 'www-authenticate': 'Bearer' });
    const method = request.method ?? '';
    const match = this.#router.match(method, path);
    if (match === undefined) return refusal('path_not_found', CLOSE);
    if ('allow' in match) return refusal('method_not_allowed', { ...CLOSE, allow: match.allow });
    const { route, parameters } = match;
    const body = await readJsonBody(request);
    if (body instanceof GatewayError) return refusalOf(body, CLOSE);
    const answer = await this.#ask(route, { parameters, query: new URLSearchParams(query), body: body.value });
    // Who holds the key may do much: what was changed can be read in the log. Reading is not told.
    if (route.method !== 'GET') {
      const status = answer instanceof GatewayError ? answer.status : answer.status;
      this.#log?.info({ method: route.method, route: route.path, ...parameters, status }, 'admin');
    }
    return answer instanceof GatewayError ? refusalOf(answer) : written(answer);
  }

  async #ask(route: AdminRoute, request: Parameters<AdminRoute['handle']>[0]): Promise<AdminAnswer | GatewayError> {
    try {
      return await route.handle(request);
    } catch (error) {
      if (error instanceof DatabaseAway) return new GatewayError('database_away', { retryAfterMs: 1000 });
      this.#log?.error({ code: 'internal_error', route: route.path, error }, 'the admin API failed');
      return new GatewayError('internal_error');
    }
  }
}

function written({ status, json, text }: AdminAnswer): Answer {
  if (text !== undefined) return { status, ...text };
  return { status, type: JSON_TYPE, body: json === undefined ? '' : JSON.stringify(json) };
}
