import type { IncomingMessage } from 'node:http';
import type { ConsoleRole } from '../../config/server/console.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Log } from '../../core/log.ts';
import type { DataScope, Viewer } from '../../policy/data-access.ts';
import { storableText } from '../../store/storable-text.ts';
import { DatabaseAway } from '../../store/store-fault.ts';
import { type Answer, CLOSE, JSON_TYPE, refusal, refusalOf } from '../answer.ts';
import type { ConsoleDoor, Refusal } from '../sessions/console-door.ts';
import type { RemoteSides } from '../sessions/remote-sides.ts';
import type { Session, SessionOwner } from '../sessions/sessions.ts';
import { AdminKey } from './admin-key.ts';
import type { AdminAnswer, AdminRequest, AdminRoute, StreamedAnswer } from './admin-route.ts';
import { AdminRouter } from './admin-router.ts';
import { readJsonBody } from './json-body.ts';

export interface AdminOptions {
  /** Absent: sessions of the console alone reach it. */
  readonly key?: string | undefined;
  readonly routes: () => Promise<readonly AdminRoute[]>;
  readonly console?: (() => Promise<ConsoleDoor>) | undefined;
  readonly audit?: AuditLog | undefined;
  /** The addresses of callers. Absent: none is told. */
  readonly sides?: RemoteSides | undefined;
}

export interface AuditLog {
  /** No more entries have room: nothing may be changed. */
  readonly isFull: boolean;
  /** A change, or what was refused of one. Never rejects. */
  record(change: AuditedChange): Promise<void>;
  /** Somebody was not let in. Never throws; of many few are told one by one. */
  refused(refusal: Refusal): void;
}

/** One call that may change something, as the audit log tells it. Nothing that the caller wrote stands in it. */
export interface AuditedChange {
  readonly actor: string;
  readonly by: Actor['by'];
  readonly role: ConsoleRole;
  /** The method. */
  readonly action: string;
  /** The path of the route: `/admin/keys/:id`. */
  readonly path: string;
  readonly status: number;
  /** Undefined: it was done. */
  readonly code?: string | undefined;
  readonly ids: readonly string[];
  readonly about: NonNullable<AdminAnswer['about']>;
}

/** The caller. */
interface Actor {
  readonly name: string;
  readonly by: SessionOwner['by'] | 'bearer';
  readonly role: ConsoleRole;
  readonly data: DataScope;
  readonly viewer: Viewer | undefined;
  readonly readOnly: boolean;
  /** Absent: they sent the admin key itself. */
  readonly session?: Session;
}

const KEY_HOLDER: Actor = {
  name: 'admin-key',
  by: 'bearer',
  role: 'admin',
  data: 'all',
  viewer: undefined,
  readOnly: false,
};

/** `/admin/…` of the operator port. Without key or session nothing is said of what there is, and no body byte is read. */
export class AdminApi {
  readonly #options: AdminOptions;
  readonly #key: AdminKey | undefined;
  readonly #log: Log | undefined;
  #router: Promise<AdminRouter> | undefined;

  constructor(options: AdminOptions, log: Log | undefined) {
    this.#options = options;
    this.#key = options.key === undefined ? undefined : new AdminKey(options.key, log);
    this.#log = log;
  }

  /** `search`: from the question mark on. */
  async answer(request: IncomingMessage, path: string, search: string): Promise<Answer> {
    const actor = await this.#actorOf(request, path);
    if ('body' in actor) return actor;
    const method = request.method ?? '';
    const match = (await this.#routes()).match(method, path);
    if (match === undefined) return refusal('path_not_found', CLOSE);
    if ('allow' in match) return refusal('method_not_allowed', { ...CLOSE, allow: match.allow });
    const { route, parameters } = match;
    const forbidden = forbids(route, actor);
    if (forbidden !== undefined) {
      await this.#tell(route, actor, forbidden);
      return refusalOf(forbidden, CLOSE);
    }
    const query = new URLSearchParams(search);
    const unknown = [...query.keys()].find((name) => !Object.hasOwn(route.query ?? {}, name));
    if (unknown !== undefined) return refusalOf(unknownParameter(unknown, route), CLOSE);
    const unstorable = [...query].find(([, value]) => storableText(value) !== value)?.[0];
    if (unstorable !== undefined) return refusalOf(notText(unstorable), CLOSE);
    const body = await readJsonBody(request);
    if (body instanceof GatewayError) return refusalOf(body, CLOSE);
    const left = new AbortController();
    const leave = () => left.abort();
    request.socket.once('close', leave);
    const asked = { parameters, query, body: body.value, viewer: actor.viewer, gone: left.signal };
    if (route.method !== 'GET' && this.#options.audit?.isFull) {
      return refusalOf(new GatewayError('database_away', { retryAfterMs: 1000 }), CLOSE);
    }
    const answer = await this.#ask(route, asked);
    // From here on the answer itself hears of it.
    request.socket.off('close', leave);
    await this.#tell(route, actor, answer);
    return answer instanceof GatewayError ? refusalOf(answer) : written(answer, actor.session);
  }

  /** Or what a stranger is answered. */
  async #actorOf(request: IncomingMessage, path: string): Promise<Actor | Answer> {
    const { authorization, cookie } = request.headers;
    const door = authorization === undefined && cookie !== undefined ? await this.#options.console?.() : undefined;
    const signedIn = door?.signedIn(request);
    if (door !== undefined && signedIn !== undefined) {
      if (signedIn === 'ended') return refusal('session_ended', CLOSE);
      const { session, standing } = signedIn;
      const refused = door.refusesOrigin(request, session);
      if (refused !== undefined) {
        this.#tellRefusal(request, path, { by: 'session', actor: standing.subject, error: refused });
        return refusalOf(refused, CLOSE);
      }
      return { ...standing, name: standing.subject, by: session.owner.by, session };
    }
    if (this.#key === undefined) return refusal('path_not_found', CLOSE);
    const refused = this.#key.refuses(authorization);
    if (refused === undefined) return KEY_HOLDER;
    if (refused === 'invalid_api_key') {
      this.#tellRefusal(request, path, { by: 'bearer', actor: undefined, error: new GatewayError(refused) });
    }
    return refusal(refused, { ...CLOSE, 'www-authenticate': 'Bearer' });
  }

  /** With the path of the route: what stands in that of a caller may be anything. Nobody waits for it. */
  #tellRefusal(request: IncomingMessage, path: string, refused: Pick<Refusal, 'by' | 'actor' | 'error'>): void {
    const { audit, sides } = this.#options;
    if (audit === undefined || sides === undefined) return;
    const action = request.method ?? '';
    const address = sides.textOf(request);
    const tell = (route: string): void => audit.refused({ ...refused, action, path: route, address });
    this.#routes().then(
      (router) => {
        const match = router.match(action, path);
        tell(match !== undefined && 'route' in match ? match.route.path : '/admin');
      },
      // The database is away, and which routes there are is not known.
      () => tell('/admin'),
    );
  }

  #routes(): Promise<AdminRouter> {
    this.#router ??= this.#options.routes().then((routes) => new AdminRouter(routes));
    // A database that was away is asked anew.
    this.#router.catch(() => {
      this.#router = undefined;
    });
    return this.#router;
  }

  /**
   * Callers of this API may do much, so the log tells each change. It tells nothing that was merely asked for:
   * people put the token where its id should be.
   */
  async #tell({ method, path }: AdminRoute, { name, by, role }: Actor, answer: OrError<AdminAnswer>): Promise<void> {
    if (method === 'GET') return;
    const isRefused = answer instanceof GatewayError;
    const outcome = isRefused ? { code: answer.code } : { ids: answer.changed };
    this.#log?.info({ method, route: path, status: answer.status, ...outcome, actor: name, role }, 'admin');
    await this.#options.audit?.record({
      actor: name,
      by,
      role,
      action: method,
      path,
      status: answer.status,
      code: isRefused ? answer.code : undefined,
      ids: isRefused ? [] : (answer.changed ?? []),
      about: isRefused ? {} : (answer.about ?? {}),
    });
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

/** A route that is not opened to sessions is for admins alone. */
function forbids({ method, session }: AdminRoute, { role, data, readOnly }: Actor): GatewayError | undefined {
  if (readOnly && method !== 'GET') {
    return new GatewayError('role_needed', { detail: 'This session is read-only: set `operator.admin_key`.' });
  }
  if (role === 'admin') return undefined;
  const needed = session?.role ?? 'admin';
  if (needed !== 'viewer' && needed !== role) {
    return new GatewayError('role_needed', { detail: `It needs \`${needed}\`, and you are \`${role}\`.` });
  }
  return session?.data === 'all' && data !== 'all' ? new GatewayError('data_access_needed') : undefined;
}

function written({ status, json, text, stream }: AdminAnswer, session: Session | undefined): Answer {
  if (stream !== undefined) {
    const bound = session === undefined ? stream : boundTo(stream, session);
    return { status, type: stream.type, body: '', stream: bound };
  }
  if (text !== undefined) return { status, ...text };
  return { status, type: JSON_TYPE, body: json === undefined ? '' : JSON.stringify(json) };
}

/** It ends with the session, which lasts as long as it is watched. */
function boundTo({ open, ...rest }: StreamedAnswer, { streams }: Session): StreamedAnswer {
  return {
    ...rest,
    open(out) {
      const left = open(out);
      const end = (): void => out.end();
      streams.add(end);
      return () => {
        streams.delete(end);
        left();
      };
    },
  };
}
