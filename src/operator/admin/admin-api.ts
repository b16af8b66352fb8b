import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Log } from '../../core/log.ts';
import { storableText } from '../../store/storable-text.ts';
import { DatabaseAway } from '../../store/store-fault.ts';
import { type Answer, CLOSE, JSON_TYPE, refusal, refusalOf } from '../answer.ts';
import { AdminKey } from './admin-key.ts';
import type { AdminAnswer, AdminRequest, AdminRoute } from './admin-route.ts';
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

  /** `search`: from the question mark on. */
  async answer(request: IncomingMessage, path: string, search: string): Promise<Answer> {
    const refused = this.#key.refuses(request.headers.authorization);
    if (refused !== undefined) return refusal(refused, { ...CLOSE, 'www-authenticate': 'Bearer' });
    const method = request.method ?? '';
    const match = this.#router.match(method, path);
    if (match === undefined) return refusal('path_not_found', CLOSE);
    if ('allow' in match) return refusal('method_not_allowed', { ...CLOSE, allow: match.allow });
    const { route, parameters } = match;
    const query = new URLSearchParams(search);
    const unknown = [...query.keys()].find((name) => !Object.hasOwn(route.query ?? {}, name));
    if (unknown !== undefined) return refusalOf(unknownParameter(unknown, route), CLOSE);
    const unstorable = [...query].find(([, value]) => storableText(value) !== value)?.[0];
    if (unstorable !== undefined) return refusalOf(notText(unstorable), CLOSE);
    const body = await readJsonBody(request);
    if (body instanceof GatewayError) return refusalOf(body, CLOSE);
    const answer = await this.#ask(route, { parameters, query, body: body.value });
    if (route.method !== 'GET') this.#tell(route, answer);
    return answer instanceof GatewayError ? refusalOf(answer) : written(answer);
  }

  /**
   * Who holds the key may do much: what was changed can be read in the log. Nothing that was merely asked for stands
   * there: people put the token where its id should be.
   */
  #tell({ method, path }: AdminRoute, answer: OrError<AdminAnswer>): void {
    const outcome = answer instanceof GatewayError ? { code: answer.code } : { ids: answer.changed };
    this.#log?.info({ method, route: path, status: answer.status, ...outcome }, 'admin');
  }

  async #ask(route: AdminRoute, request: AdminRequest): Promise<OrError<AdminAnswer>> {
    try {
      return await route.handle(request);
    } catch (error) {
      if (error instanceof DatabaseAway) return new GatewayError('database_away', { retryAfterMs: 1000 });
      this.#log?.error({ code: 'internal_error', route: route.path, error }, 'the admin API failed');
      return new GatewayError('internal_error');
    }
  }
}

function unknownParameter(name: string, { query }: AdminRoute): GatewayError {
  const param = name.slice(0, 100);
  const known = Object.keys(query ?? {}).map((each) => `\`${each}\``);
  const allowed = known.length === 0 ? 'none' : known.join(', ');
  return new GatewayError('invalid_parameter', { param, detail: `\`${param}\` is none of those allowed: ${allowed}.` });
}

/** PostgreSQL takes no U+0000, and would call the question a failure of ours. */
function notText(param: string): GatewayError {
  const detail = `\`${param.slice(0, 100)}\` holds a character that no text may.`;
  return new GatewayError('invalid_parameter', { param: param.slice(0, 100), detail });
}

function written({ status, json, text, stream }: AdminAnswer): Answer {
  if (stream !== undefined) return { status, type: stream.type, body: '', stream };
  if (text !== undefined) return { status, ...text };
  return { status, type: JSON_TYPE, body: json === undefined ? '' : JSON.stringify(json) };
}
