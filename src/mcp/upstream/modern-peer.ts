import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import {
  encodeHeader,
  HEADER_MISMATCH,
  META,
  MODERN_VERSION,
  metaOf,
  passingMeta,
  REPEATED,
  UNSUPPORTED_VERSION,
} from '../protocol/eras.ts';
import { RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import { type ParameterHeader, parameterHeaders } from '../protocol/parameter-headers.ts';
import { withoutTaskSupport, withTasks } from '../protocol/tasks.ts';
import { inTime } from './late-call.ts';
import {
  type Call,
  type CallHooks,
  type Listening,
  Peer,
  type PeerOptions,
  type ServerInfo,
  type Wanted,
} from './peer.ts';

const NOBODY: CallHooks = {
  notify: () => undefined,
  ask: () => Promise.reject(new RpcError(UPSTREAM_ERROR, 'A server of this era asks nobody.')),
};

export interface ModernPeerOptions extends PeerOptions {
  /** On a shared stream nobody closes anything: the server is told that a call is cancelled. */
  readonly tellsCancel: boolean;
}

/** A server that keeps no session: each request says all that it must know. */
export class ModernPeer extends Peer {
  readonly era = 'modern';
  readonly #options: ModernPeerOptions;
  #ready: Promise<ServerInfo> | undefined;
  /** By tool: which arguments stand in headers as well. */
  readonly #parameters = new Map<string, readonly ParameterHeader[]>();

  constructor(options: ModernPeerOptions) {
    super(options);
    this.#options = options;
  }

  ready(): Promise<ServerInfo> {
    this.#ready ??= this.#discover();
    return this.#ready;
  }

  call(method: string, params: JsonObject, hooks: CallHooks): Call {
    const token = metaOf(params)['progressToken'];
    const sent = this.#withMeta(params, hooks.takesTasks);
    let call = this.#begin(method, sent, hooks, token);
    if (method === 'tools/list')
      return { result: call.result.then((result) => this.#learn(withoutTaskSupport(result))), cancel: call.cancel };
    if (method !== 'tools/call') return call;
    const result = call.result.catch(async (error: unknown) => {
      if (!(error instanceof RpcError) || error.code !== HEADER_MISMATCH) throw error;
      // The tool wants arguments in headers that are not known yet, or not any more.
      this.#learn(await this.#begin('tools/list', this.#withMeta({}), NOBODY).result);
      call = this.#begin(method, sent, hooks, token);
      return call.result;
    });
    return { result, cancel: () => call.cancel() };
  }

  listen(wanted: Wanted, notify: CallHooks['notify']): Listening {
    const listener = { wanted, notify };
    this.listeners.add(listener);
    const notifications = {
      ...(wanted.tools && { toolsListChanged: true }),
      ...(wanted.prompts && { promptsListChanged: true }),
      ...(wanted.resources && { resourcesListChanged: true }),
      ...(wanted.uris.length > 0 && { resourceSubscriptions: wanted.uris }),
      ...(wanted.taskIds && { taskIds: wanted.taskIds }),
    };
    let call: Call | undefined;
    let failures = 0;
    let heard = (): void => undefined;
    const acknowledged = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const open = (): void => {
      if (this.closed || !this.listeners.has(listener)) return;
      const openedAt = performance.now();
      let granted = true;
      const hooks: CallHooks = {
        ask: NOBODY.ask,
        notify: (method, params) => {
          if (method === 'notifications/subscriptions/acknowledged') {
            granted = Object.keys(objectOf(params['notifications']) ?? notifications).length > 0;
            heard();
            return;
          }
          failures = 0;
          notify(method, params);
        },
      };
      call = this.#begin('subscriptions/listen', this.#withMeta({ notifications }), hooks);
      const again = (): void => {
        heard();
        // It has nothing of what is wanted, and ends the stream: it would do so for ever.
        if (!granted) return;
        failures = performance.now() - openedAt >= LASTING_MS ? 1 : failures + 1;
        if (failures <= MAX_LISTEN_FAILURES) setTimeout(open, LISTEN_AGAIN_MS * 2 ** failures).unref();
      };
      call.result.then(again, (error: unknown) => {
        // It does not offer it: what never comes is not asked for again.
        heard();
        if (!(error instanceof RpcError) || error.code !== -32_601) again();
      });
    };
    open();
    return {
      heard: inTime(acknowledged),
      close: () => {
        this.listeners.delete(listener);
        call?.cancel();
      },
    };
  }

  async #discover(): Promise<ServerInfo> {
    const result = await this.#begin('server/discover', this.#withMeta({}), NOBODY).result;
    const versions = result['supportedVersions'];
    if (isArray(versions) && !versions.includes(MODERN_VERSION)) {
      throw new RpcError(UNSUPPORTED_VERSION, 'The server speaks no version of MCP that is known.', {
        supported: versions,
      });
    }
    this.info = {
      capabilities: objectOf(result['capabilities']) ?? {},
      serverInfo: objectOf(metaOf(result)[META.serverInfo]) ?? {},
      instructions: stringOf(result['instructions']),
    };
    return this.info;
  }

  #withMeta(params: JsonObject, takesTasks?: true): JsonObject {
    const { capabilities, clientInfo, logLevel } = this.options.client;
    const meta = {
      ...passingMeta(params),
      [META.version]: MODERN_VERSION,
      [META.clientInfo]: clientInfo,
      [META.capabilities]: takesTasks ? withTasks(capabilities) : capabilities,
      ...(logLevel !== undefined && { [META.logLevel]: logLevel }),
    };
    return { ...params, _meta: meta };
  }

  #begin(method: string, params: JsonObject, hooks: CallHooks, progressToken?: unknown): Call & { id: number } {
    return this.begin(
      method,
      params,
      hooks,
      () => this.#headers(method, params),
      (id) => this.tooLate(id),
      progressToken,
    );
  }

  protected override tooLate(id: number): void {
    if (this.#options.tellsCancel) void this.notifyServer('notifications/cancelled', { requestId: id });
  }

  #headers(method: string, params: JsonObject): string[] {
    const headers = ['mcp-protocol-version', MODERN_VERSION, 'mcp-method', method];
    const key = REPEATED[method];
    const name = key === undefined ? undefined : stringOf(params[key]);
    if (name !== undefined) headers.push('mcp-name', encodeHeader(name));
    if (method !== 'tools/call' || name === undefined) return headers;
    for (const parameter of this.#parameters.get(name) ?? []) {
      const value = parameter.valueIn(params['arguments']);
      if (value !== undefined) headers.push(`mcp-param-${parameter.header.toLowerCase()}`, encodeHeader(value));
    }
    return headers;
  }

  /** Which tools want arguments in headers; those whose wishes are malformed are taken out, as the specification asks. */
  #learn(result: JsonObject): JsonObject {
    const tools = result['tools'];
    if (!isArray(tools)) return result;
    const kept = tools.filter((tool) => {
      const { name, inputSchema } = objectOf(tool) ?? {};
      if (typeof name !== 'string') return true;
      const headers = parameterHeaders(inputSchema);
      if (headers === undefined) return false;
      if (headers.length > 0) this.#parameters.set(name, headers);
      else this.#parameters.delete(name);
      return true;
    });
    return kept.length === tools.length ? result : { ...result, tools: kept };
  }
}

const MAX_LISTEN_FAILURES = 6;
const LISTEN_AGAIN_MS = 500;
/** A stream that was open for so long did not fail: it was cut, as by a load balancer. */
const LASTING_MS = 30_000;
