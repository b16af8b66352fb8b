import { randomBytes } from 'node:crypto';
import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { ServerSettings } from '../../config/server/server-settings.ts';
import { GenerationCache } from '../../core/generation-cache.ts';
import type { McpRefusal, McpRequest } from '../../threads/mcp-messages.ts';
import {
  ALL_VERSIONS,
  decodeHeader,
  isModern,
  LEGACY_VERSION,
  LEGACY_VERSIONS,
  MODERN_VERSIONS,
  type ModernHeaders,
  mismatch,
  NAMED,
  readModern,
  statusOf,
  UNSUPPORTED_VERSION,
} from '../protocol/eras.ts';
import {
  errorJson,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  PARSE_ERROR,
  RpcError,
  type RpcMessage,
  type RpcRequest,
  readMessage,
  resultJson,
} from '../protocol/json-rpc.ts';
import { headersOfError, ScopeError, scopeGrant, scopeOf } from '../protocol/scopes.ts';
import type { ServerRegistry } from '../servers/registry.ts';
import type { Served } from '../servers/served.ts';
import { ClientSession, type RequestContext } from './client-session.ts';
import { ModernRequests } from './modern-requests.ts';
import type { Reply } from './reply.ts';
import type { Seal } from './seal.ts';

export interface FrontOptions {
  readonly registry: ServerRegistry;
  readonly seal: Seal;
  settings(): ServerSettings;
}

const SESSION = 'mcp session';
/** What a client says of itself at its start stands in the id of its session; more than this does not. */
const MAX_SEALED = 2_048;
const MAX_ENDED = 20_000;
/** Within it, which of two sessions was used last is not minded. */
const RECENT_MS = 1_000;

/** Every request of every client of MCP: which era it is of, and which server it is for. */
export class Front {
  readonly #options: FrontOptions;
  readonly #modern: ModernRequests;
  /** Least used first, to the second. */
  readonly #sessions = new Map<string, ClientSession>();
  readonly #ended = new GenerationCache<true>(MAX_ENDED);

  constructor(options: FrontOptions) {
    this.#options = options;
    const { seal } = options;
    const settings = () => options.settings().mcp;
    this.#modern = new ModernRequests({ seal, settings, keepAliveMs: () => options.settings().keepaliveCommentMs });
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  handle(request: McpRequest, reply: Reply): void {
    try {
      this.#handle(request, reply);
    } catch (error) {
      // A bug costs this request.
      this.#options.registry.log.error({ error, server: request.server }, 'an MCP request failed in the gateway');
      this.#refuse(reply, 500, null, new RpcError(INTERNAL_ERROR, 'The gateway failed.'));
    }
  }

  closeIdle(): void {
    const before = performance.now() - this.#options.settings().mcp.sessionIdleMs;
    for (const session of this.#sessions.values()) if (!session.busy && session.usedAt < before) this.#drop(session);
  }

  /** Questions of a held call reach nobody. */
  refused(state: string, why: McpRefusal): void {
    this.#modern.refused(state, why);
  }

  close(): void {
    this.#modern.close();
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
  }

  #handle(request: McpRequest, reply: Reply): void {
    const { caller, serverHeaders } = request;
    const subjects = new Set(caller.subjects);
    const context: RequestContext = {
      subject: caller.subject,
      subjects,
      metadata: caller.metadata,
      key: caller.key,
      serverHeaders,
      base: caller.base,
      ...(caller.accounts && { accounts: caller.accounts }),
      ...(caller.scope && { scope: scopeGrant(caller.scope.names, request.server, caller.scope.metadataUrl) }),
      holder: reply.holder,
      guarded: request.guarded,
    };
    const { registry } = this.#options;
    const served = request.server === undefined ? registry.all : registry.find(request.server, { subjects });
    if (!served) {
      const message = `There is no MCP server \`${request.server?.slice(0, 128)}\` that you may use.`;
      this.#refuse(reply, 404, null, new RpcError(INVALID_REQUEST, message, { code: 'mcp_server_not_found' }));
      return;
    }
    reply.outcome.server = served.name;
    if (context.scope?.here === undefined && context.scope && !this.#reachesBehind(request.server, context)) {
      const error = new ScopeError(scopeOf(request.server, 'all'), context.scope);
      this.#refuse(reply, 403, null, error, headersOfError(error));
      return;
    }
    if (request.method === 'GET') this.#listen(request, served, context, reply);
    else if (request.method === 'DELETE') this.#delete(request, served, reply);
    else this.#post(request, served, context, reply);
  }

  /** Whether a token is good for one of the servers behind an address. */
  #reachesBehind(server: string | undefined, { scope, subjects }: RequestContext): boolean {
    const { registry } = this.#options;
    const names = [...(scope?.servers.keys() ?? [])];
    if (server === undefined) return names.some((name) => registry.find(name, { subjects }));
    return registry.behind(server, { subjects }).some(({ name }) => names.includes(name));
  }

  #post(request: McpRequest, served: Served, context: RequestContext, reply: Reply): void {
    let value: unknown;
    try {
      value = JSON.parse(request.body);
    } catch {
      this.#refuse(reply, 400, null, new RpcError(PARSE_ERROR, 'The body is not JSON.'));
      return;
    }
    const message = readMessage(value);
    if (typeof message === 'string') {
      const why = Array.isArray(value) ? 'batches are not supported; send each message by itself' : message;
      this.#refuse(reply, 400, null, new RpcError(INVALID_REQUEST, `Invalid request: ${why}.`));
      return;
    }
    if (message.kind !== 'response') {
      reply.outcome.rpcMethod = message.method;
      if (message.method === 'tools/call') {
        reply.outcome.tool = served.meant?.(message.params) ?? stringOf(message.params['name']) ?? '';
      }
      const headers: ModernHeaders = request.headers;
      if (isModern(message, headers)) {
        this.#modernMessage(message, request, served, context, reply);
        return;
      }
    }
    reply.outcome.era = 'legacy';
    this.#legacyMessage(message, request, served, context, reply);
  }

  #modernMessage(
    message: Exclude<RpcMessage, { kind: 'response' }>,
    request: McpRequest,
    served: Served,
    context: RequestContext,
    reply: Reply,
  ): void {
    reply.outcome.era = 'modern';
    const meta = readModern(message, request.headers);
    const wrong = meta instanceof RpcError ? meta : wrongParameters(request);
    if (meta instanceof RpcError || wrong) {
      const error = meta instanceof RpcError ? meta : wrong!;
      const id = message.kind === 'request' ? message.id : null;
      this.#refuse(reply, Math.max(400, statusOf(error)), id, error);
    } else if (message.kind === 'notification') reply.answer(202, '');
    else this.#modern.request(message, meta, served, context, reply, takesEvents(request));
  }

  #legacyMessage(
    message: RpcMessage,
    request: McpRequest,
    served: Served,
    context: RequestContext,
    reply: Reply,
  ): void {
    const { session: id, version } = request.headers;
    if (message.kind === 'request' && message.method === 'initialize') {
      this.#initialize(message, served, context, reply);
      return;
    }
    if (version !== undefined && !LEGACY_VERSIONS.includes(version)) {
      const data = { supported: ALL_VERSIONS, requested: version };
      this.#refuse(reply, 400, idOf(message), new RpcError(UNSUPPORTED_VERSION, 'Unsupported protocol version', data));
      return;
    }
    const session = this.#sessionOf(id, served, context, reply, idOf(message));
    if (!session) return;
    const unnamed = message.kind === 'request' ? withoutName(message) : undefined;
    if (unnamed) {
      this.#refuse(reply, 200, idOf(message), unnamed);
      return;
    }
    if (message.kind === 'request') session.request(message, served, context, reply, takesEvents(request));
    else {
      if (message.kind === 'notification') session.notification(message);
      else session.response(message);
      reply.answer(202, '');
    }
  }

  #initialize({ id, params }: RpcRequest, served: Served, context: RequestContext, reply: Reply): void {
    const wanted = stringOf(params['protocolVersion']) ?? '';
    const version = LEGACY_VERSIONS.includes(wanted) ? wanted : LEGACY_VERSION;
    const capabilities = objectOf(params['capabilities']) ?? {};
    const clientInfo = objectOf(params['clientInfo']) ?? { name: 'unknown', version: '0' };
    const session = this.#newSession(served, context, version, capabilities, clientInfo);
    const startedAt = performance.now();
    served.info({ ...context, session, client: session.client }).then(
      (info) => {
        reply.outcome.upstreamMs = performance.now() - startedAt;
        const { name: ofServer, ...rest } = info.serverInfo;
        const result = {
          protocolVersion: version,
          capabilities: legacyCapabilities(info.capabilities),
          serverInfo: { version: '1', ...rest, name: stringOf(ofServer) ?? served.name },
          ...(info.instructions !== undefined && { instructions: info.instructions }),
        };
        reply.answer(200, resultJson(id, result), ['mcp-session-id', session.id]);
      },
      (error: unknown) => {
        this.#drop(session);
        const told = error instanceof RpcError ? error : new RpcError(INTERNAL_ERROR, 'The gateway failed.');
        this.#refuse(reply, 200, id, told);
      },
    );
  }

  #listen(request: McpRequest, served: Served, context: RequestContext, reply: Reply): void {
    const { session: id, lastEventId, version } = request.headers;
    if (id === undefined || (version !== undefined && MODERN_VERSIONS.includes(version))) {
      const message = 'GET opens the stream of a session, and no `Mcp-Session-Id` came with it.';
      this.#refuse(reply, 405, null, new RpcError(INVALID_REQUEST, message), ['allow', 'POST']);
      return;
    }
    this.#sessionOf(id, served, context, reply, null)?.listen(served, context, reply, lastEventId);
  }

  #delete(request: McpRequest, served: Served, reply: Reply): void {
    const { session: id } = request.headers;
    const context = { subject: request.caller.subject };
    const session = this.#sessionOf(id, served, context, reply, null);
    if (!session) return;
    this.#ended.set(session.id, true);
    this.#drop(session);
    reply.answer(204, '');
  }

  /** Undefined: refused. A session is of one subject at one server; for everybody else it is not there. */
  #sessionOf(
    id: string | undefined,
    served: Served,
    context: Pick<RequestContext, 'subject'>,
    reply: Reply,
    messageId: string | number | null,
  ): ClientSession | undefined {
    if (id === undefined) {
      const message = 'No `Mcp-Session-Id` came with the request; begin with `initialize`.';
      this.#refuse(reply, 400, messageId, new RpcError(INVALID_REQUEST, message));
      return undefined;
    }
    const session = this.#sessions.get(id) ?? this.#revived(id);
    if (session && session.options.subject === context.subject && session.options.server === served.name) {
      if (performance.now() - session.usedAt > RECENT_MS) {
        this.#sessions.delete(id);
        this.#sessions.set(id, session);
      }
      return session;
    }
    this.#refuse(
      reply,
      404,
      messageId,
      new RpcError(INVALID_REQUEST, 'There is no such session; begin with `initialize`.'),
    );
    return undefined;
  }

  #newSession(
    served: Served,
    { subject }: RequestContext,
    version: string,
    capabilities: JsonObject,
    clientInfo: JsonObject,
  ): ClientSession {
    const facts = { n: randomBytes(12).toString('base64url'), s: subject, m: served.name, v: version };
    const told = { ...facts, c: capabilities, i: clientInfo };
    const fits = JSON.stringify(told).length <= MAX_SEALED;
    const id = this.#options.seal.close(
      SESSION,
      fits ? told : { ...facts, c: {}, i: { name: 'unknown', version: '0' } },
    );
    return this.#add({ id, subject, server: served.name, version, capabilities, clientInfo });
  }

  /** One that began at another gateway, or before this one was started: its id says all that it was. */
  #revived(id: string): ClientSession | undefined {
    if (this.#ended.get(id)) return undefined;
    const told = this.#options.seal.open(SESSION, id);
    const [subject, server, version] = [stringOf(told?.['s']), stringOf(told?.['m']), stringOf(told?.['v'])];
    if (!told || subject === undefined || server === undefined || version === undefined) return undefined;
    const clientInfo = objectOf(told['i']) ?? {};
    return this.#add({ id, subject, server, version, capabilities: objectOf(told['c']) ?? {}, clientInfo });
  }

  #add(facts: Omit<ClientSession['options'], 'settings' | 'keepAliveMs'>): ClientSession {
    const { settings } = this.#options;
    const { maxSessions } = settings().mcp;
    for (const session of this.#sessions.values()) {
      if (this.#sessions.size < maxSessions) break;
      if (!session.busy) this.#drop(session);
    }
    const session = new ClientSession({
      ...facts,
      settings: () => settings().mcp,
      keepAliveMs: () => settings().keepaliveCommentMs,
    });
    this.#sessions.set(facts.id, session);
    return session;
  }

  #drop(session: ClientSession): void {
    this.#sessions.delete(session.id);
    session.end();
  }

  #refuse(
    reply: Reply,
    status: number,
    id: string | number | null,
    error: RpcError,
    headers: readonly string[] = [],
  ): void {
    reply.outcome.failed = true;
    reply.outcome.detail = error.message;
    reply.answer(status, errorJson(id, error), headers);
  }
}

function takesEvents({ headers: { accept } }: McpRequest): boolean {
  return accept === undefined || accept.includes('text/event-stream') || accept.includes('*/*');
}

/**
 * The name of a tool, prompt or resource must be a string. Some servers convert other values to a name, which rules,
 * limits and guardrails would not match.
 */
function withoutName({ method, params }: RpcRequest): RpcError | undefined {
  const key = NAMED[method];
  if (key === undefined || typeof params[key] === 'string') return undefined;
  return new RpcError(INVALID_PARAMS, `\`params.${key}\` of \`${method}\` must be text.`);
}

function idOf(message: RpcMessage): string | number | null {
  return message.kind === 'request' ? message.id : null;
}

/** What clients of the legacy era can use of it, whatever the server speaks. */
function legacyCapabilities(capabilities: JsonObject): JsonObject {
  const { extensions: _extensions, ...rest } = capabilities;
  return { ...rest, logging: {} };
}

/** What an argument is worth in a header is said anew to the server, from the body; so a wrong header misleads nobody. */
function wrongParameters({ headers: { parameters } }: McpRequest): RpcError | undefined {
  for (const [name, written] of Object.entries(parameters)) {
    if (decodeHeader(written) === undefined) return mismatch(`Mcp-Param-${name} holds characters that no header may`);
  }
  return undefined;
}
