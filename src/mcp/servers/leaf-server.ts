import { scalarText } from '../../codec/exact-json.ts';
import { type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { McpRemote, McpStdio, McpToolSetting } from '../../config/mcp/mcp-servers.ts';
import { lackingScopes } from '../protocol/challenge.ts';
import { NAMED } from '../protocol/eras.ts';
import { METHOD_NOT_FOUND, RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import { LEGACY_TASK_METHODS, TASK_METHODS } from '../protocol/tasks.ts';
import { digestOf } from '../upstream/credentials.ts';
import { HttpFault } from '../upstream/http-call.ts';
import { lateCall } from '../upstream/late-call.ts';
import type { Call, CallHooks, Listening, Peer, ServerInfo, Wanted } from '../upstream/peer.ts';
import { LeafTasks } from './leaf-tasks.ts';
import { LeafTools } from './leaf-tools.ts';
import { type CallContext, METHODS, NO_HOOKS, type Served, type ServerHealth } from './served.ts';
import type { Opened, ServerHost } from './server-host.ts';
import { ToolPolicy } from './tool-policy.ts';

/** A server of its own, remote or a process: one peer for each authorization context. */
export abstract class LeafServer implements Served {
  abstract readonly kind: string;
  readonly name: string;
  readonly description: string;
  readonly host: ServerHost;
  readonly policy: ToolPolicy;
  readonly peers = new Map<string, Peer>();
  readonly #tools: LeafTools;
  readonly #tasks: LeafTasks;
  #status: ServerHealth['status'] = 'unknown';
  #reason: string | undefined;

  constructor(base: McpRemote | McpStdio, tools: readonly McpToolSetting[], host: ServerHost) {
    this.name = base.name;
    this.description = base.description;
    this.host = host;
    this.policy = new ToolPolicy(base, tools);
    this.#tools = new LeafTools({
      base,
      host,
      policy: this.policy,
      opened: (context) => this.#opened(context),
      told: (error) => this.#told(error),
      page: (context, params) => this.#askPeer(context, 'tools/list', params, NO_HOOKS, never).result,
    });
    this.#tasks = new LeafTasks({
      server: base.name,
      ids: host.tasks,
      check: (context, tool) => this.#tools.check(context, tool),
      ask: (...asked) => this.#askPeer(...asked),
      mustBeTask: (context, tool) => this.#tools.mustBeTask(context, tool),
      bounds: () => host.settings(),
    });
  }

  mayUse({ subjects }: Pick<CallContext, 'subjects'>): boolean {
    return this.policy.mayUse(subjects);
  }

  priceOf(tool: string): number | undefined {
    return this.policy.priceOf(tool);
  }

  /** Finds or begins the peer of this caller; it is ready, and no promise if it is there. Rejects with an RpcError or a HttpFault. */
  protected abstract open(context: CallContext): Opened | Promise<Opened>;
  /** What it spoke when it was last asked. */
  protected abstract get era(): string | undefined;
  /** The credential was refused: what is kept of it is forgotten. True: another can be had. */
  protected refused(_context: CallContext): Promise<boolean> {
    return Promise.resolve(false);
  }
  /** The credential has not the scopes that the server wants: what to tell the caller; undefined: nothing but that. */
  protected lacking(_context: CallContext, _scopes: readonly string[]): RpcError | undefined {
    return undefined;
  }
  /** Whether `prepare` may have anything to do. */
  protected mayPrepare(): boolean {
    return false;
  }
  /** Before a call during which the user can be asked for what is missing. Rejects with an RpcError. */
  protected prepare(_context: CallContext, _hooks: CallHooks, _cancelled: () => boolean): Promise<void> {
    return Promise.resolve();
  }

  async info(context: CallContext): Promise<ServerInfo> {
    try {
      const { peer } = await this.#opened(context);
      const info = await peer.ready();
      this.#isUp();
      return info;
    } catch (error) {
      throw this.#told(error);
    }
  }

  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    if ((context.session ? LEGACY_TASK_METHODS : TASK_METHODS).has(method)) {
      return this.#tasks.call(context, method, params, hooks);
    }
    if (!METHODS.has(method)) {
      return {
        result: rejected(new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`)),
        cancel: () => undefined,
      };
    }
    const prepares = NAMED[method] !== undefined && this.mayPrepare();
    const checks = method === 'tools/call' && !this.#tools.mayCallAtOnce(context, stringOf(params['name']) ?? '');
    // The usual call waits for nothing: each promise on its way is a tenth of what the gateway itself takes for it.
    if (!prepares && !checks) return this.#ask(context, method, params, hooks, never);
    return lateCall(async (cancelled) => {
      if (prepares) await this.prepare(context, hooks, cancelled);
      if (checks) await this.#tools.check(context, stringOf(params['name']) ?? '');
      return this.#ask(context, method, params, hooks, cancelled);
    });
  }

  infoNow(context: CallContext): ServerInfo | undefined {
    const opened = this.open(context);
    if (!(opened instanceof Promise)) return opened.peer.info;
    opened.catch(() => undefined);
    return undefined;
  }

  #ask(context: CallContext, method: string, params: JsonObject, hooks: CallHooks, cancelled: () => boolean): Call {
    if (method === 'tools/call') return this.#tasks.callTool(context, params, hooks, cancelled);
    const heard = this.#tasks.heard(context, hooks);
    if (method !== 'tools/list') return this.#askPeer(context, method, params, heard, cancelled);
    return this.#askPeer(context, method, params, heard, cancelled, (result) => this.#tools.shownIn(result, context));
  }

  toolOfTask(params: JsonObject, context: Pick<CallContext, 'subjects'>): string | undefined {
    return this.#tasks.toolOf(params, context);
  }

  listen(context: CallContext, wanted: Wanted, notify: CallHooks['notify']): Listening {
    let listening: Listening | undefined;
    let closed = false;
    const named = this.#tasks.heard(context, { ...NO_HOOKS, notify });
    let tasks = new Map<string, string>();
    const heard: CallHooks['notify'] = (method, params) => {
      if (method === 'notifications/tools/list_changed') this.#tools.forgetLists();
      if (method !== 'notifications/tasks') named.notify(method, params);
      else {
        const taskId = tasks.get(scalarText(params['taskId']) ?? '');
        if (taskId !== undefined) notify(method, { ...params, taskId });
      }
    };
    const listens = Promise.resolve(this.open(context)).then(
      async ({ peer }) => {
        const { taskIds = [], ...others } = wanted;
        tasks = await this.#tasks.subscribed(context, taskIds);
        if (closed) return undefined;
        listening = peer.listen(tasks.size > 0 ? { ...others, taskIds: [...tasks.keys()] } : others, heard);
        return listening.heard;
      },
      // Nothing is heard of a server that is away; a call says why.
      () => undefined,
    );
    return {
      heard: listens,
      close: () => {
        closed = true;
        listening?.close();
      },
    };
  }

  /** All that the caller may see, of all pages; at most `mcp.max_tools`. */
  tools(context: CallContext): Promise<JsonObject[]> {
    return this.#tools.shownTo(context);
  }

  health(): ServerHealth {
    const era = this.era;
    return {
      status: this.#status,
      sessions: this.peers.size,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(era !== undefined && { era }),
      ...(this.#tools.seen && { tools: this.#tools.seen }),
      changedTools: this.host.pins.changed(this.name),
    };
  }

  /** Closes what nobody used since then; gives how many are left. */
  closeIdle(beforeMs: number): number {
    for (const [key, peer] of this.peers) if (!peer.busy && peer.usedAt < beforeMs) this.drop(key, peer);
    return this.peers.size;
  }

  close(): void {
    for (const [key, peer] of this.peers) this.drop(key, peer);
  }

  /** Those that were opened with a credential that is gone. */
  dropOf(identity: string): void {
    for (const [key, peer] of this.peers) if (key.startsWith(`${identity}|`)) this.drop(key, peer);
  }

  drop(key: string, peer: Peer): void {
    if (this.peers.get(key) === peer) this.peers.delete(key);
    peer.close();
  }

  protected keep(key: string, peer: Peer, context: CallContext): void {
    if (!this.host.admit(peer)) {
      peer.close();
      const setting = `mcp.max_sessions: ${this.host.settings().maxSessions}`;
      throw new RpcError(UPSTREAM_ERROR, `There is no room for another session with a server (${setting}).`);
    }
    this.peers.set(key, peer);
    const { session } = context;
    if (!session || !key.endsWith(`|${session.id}`)) return;
    const asked: CallHooks = { ...NO_HOOKS, ask: (method, params) => session.ask(method, params) };
    const heard = this.#tasks.heard(context, asked);
    peer.onAsk = (method, params) => heard.ask(method, params);
    session.onEnd(() => this.drop(key, peer));
  }

  /** A second time where the credential was refused and there is another by now. */
  #opened(context: CallContext): Promise<Opened> {
    return Promise.resolve(this.open(context)).catch(async (error: unknown) => {
      if (!(await this.#mayTryAgain(error, context))) throw error;
      return this.open(context);
    });
  }

  /** `shaped`: what becomes of the result. */
  #askPeer(
    context: CallContext,
    method: string,
    params: JsonObject,
    hooks: CallHooks,
    isCancelled: () => boolean,
    shaped: (result: JsonObject) => JsonObject = asItIs,
  ): Call {
    let inner: Call | undefined;
    let cancelled = false;
    const begin = ({ peer }: Opened): Promise<JsonObject> => {
      inner = peer.call(method, params, hooks);
      if (cancelled || isCancelled()) inner.cancel();
      return inner.result;
    };
    const once = (): Promise<JsonObject> => {
      const opened = this.open(context);
      return opened instanceof Promise ? opened.then(begin) : begin(opened);
    };
    const succeeded = (result: JsonObject): JsonObject => {
      this.#isUp();
      return shaped(result);
    };
    const again = async (error: unknown): Promise<JsonObject> => {
      if (!(await this.#mayTryAgain(error, context)) || cancelled || isCancelled()) throw error;
      return once();
    };
    const failed = (error: unknown): Promise<JsonObject> =>
      again(error).then(succeeded, (last: unknown) => {
        throw this.#lacking(last, context) ?? this.#told(last);
      });
    const result = once().then(succeeded, failed);
    result.catch(() => undefined);
    return {
      result,
      cancel: () => {
        cancelled = true;
        inner?.cancel();
      },
    };
  }

  /** The server forgot the session, or refused the credential: neither did anything. */
  async #mayTryAgain(error: unknown, context: CallContext): Promise<boolean> {
    if (!(error instanceof HttpFault)) return false;
    if (error.status === 404) {
      for (const [key, peer] of this.peers) if (keyIsOf(key, context)) this.drop(key, peer);
      return true;
    }
    if (error.status !== 401 || !(await this.refused(context))) return false;
    for (const [key, peer] of this.peers) if (keyIsOf(key, context)) this.drop(key, peer);
    return true;
  }

  #lacking(error: unknown, context: CallContext): RpcError | undefined {
    if (!(error instanceof HttpFault) || error.status !== 403) return undefined;
    const challenge = error.headers['www-authenticate'];
    const scopes = typeof challenge === 'string' ? lackingScopes(challenge) : undefined;
    return scopes && this.lacking(context, scopes);
  }

  #isUp(): void {
    this.#status = 'up';
    this.#reason = undefined;
  }

  /** In the words of the client's protocol. A fault of the network is the server's, and its health. */
  #told(error: unknown): RpcError {
    if (error instanceof RpcError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    const status = error instanceof HttpFault ? error.status : undefined;
    if (!(error instanceof HttpFault)) {
      this.host.log.error({ server: this.name, error }, 'an MCP call failed in the gateway');
      return new RpcError(UPSTREAM_ERROR, 'The gateway failed.', { code: 'internal_error' });
    }
    this.#status = 'down';
    this.#reason = reason;
    const refused = status === 401 || status === 403;
    const code = refused ? 'mcp_credential_refused' : 'mcp_server_failed';
    const message = refused
      ? `The server \`${this.name}\` refused the credential it was sent (${status}).`
      : `The server \`${this.name}\` failed: ${reason}.`;
    return new RpcError(UPSTREAM_ERROR, message, { code, ...(status !== undefined && { status }) });
  }
}

function never(): boolean {
  return false;
}

function asItIs(result: JsonObject): JsonObject {
  return result;
}

function rejected(error: RpcError): Promise<JsonObject> {
  const result = Promise.reject<JsonObject>(error);
  result.catch(() => undefined);
  return result;
}

/** The owner of a task: the subject and, in the legacy era, its session. */
export function ownerOf(context: CallContext): string {
  return `${digestOf([context.subject])}|${context.session?.id ?? digestOf([JSON.stringify(context.client.capabilities)])}`;
}

function keyIsOf(key: string, context: CallContext): boolean {
  return key.includes(digestOf([context.subject])) || key === 'all';
}
