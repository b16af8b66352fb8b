import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { plainYaml } from '../../config/documents/yaml-documents.ts';
import type { McpOpenApi } from '../../config/mcp/mcp-servers.ts';
import type { Method } from '../../core/exchange.ts';
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, UPSTREAM_ERROR } from '../protocol/json-rpc.ts';
import type { Credentials } from '../upstream/credentials.ts';
import { HttpCall, type HttpContext, placeOf, wholeAnswer } from '../upstream/http-call.ts';
import { callOf, lateCall, throwIfCancelled } from '../upstream/late-call.ts';
import type { Call, CallHooks, Listening, ServerInfo } from '../upstream/peer.ts';
import { sentBody, spread, textOf } from './openapi-body.ts';
import { type OperationTool, toolsOf } from './openapi-document.ts';
import type { CallContext, Served, ServerHealth } from './served.ts';
import type { ServerHost } from './server-host.ts';
import { requireScope, ToolPolicy, unknownTool } from './tool-policy.ts';

/** An API with an OpenAPI document: each operation that the manifest names is a tool. */
export class OpenApiServer implements Served {
  readonly kind = 'openapi';
  readonly name: string;
  readonly description: string;
  readonly #manifest: McpOpenApi;
  readonly #host: ServerHost;
  readonly #http: HttpContext;
  readonly #credentials: Credentials;
  readonly #policy: ToolPolicy;
  #loading: Promise<Map<string, OperationTool>> | undefined;
  #loaded: Map<string, OperationTool> | undefined;
  #reason: string | undefined;

  constructor(manifest: McpOpenApi, host: ServerHost, http: HttpContext, credentials: Credentials) {
    this.name = manifest.name;
    this.description = manifest.description;
    this.#manifest = manifest;
    this.#host = host;
    this.#http = http;
    this.#credentials = credentials;
    const settings = manifest.operations.map(({ name, callNanoUsd }) => ({
      name,
      disabled: false,
      ...(callNanoUsd !== undefined && { callNanoUsd }),
    }));
    this.#policy = new ToolPolicy(manifest, settings);
  }

  mayUse({ subjects }: Pick<CallContext, 'subjects'>): boolean {
    return this.#policy.mayUse(subjects);
  }

  info(): Promise<ServerInfo> {
    return Promise.resolve({
      capabilities: { tools: {} },
      serverInfo: { name: this.name, version: '1' },
      instructions: this.description === '' ? undefined : this.description,
    });
  }

  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call {
    if (method === 'tools/list') return callOf(this.tools(context).then((tools) => ({ tools })));
    if (method === 'tools/call') return this.#call(context, params, hooks);
    return callOf(Promise.reject(new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`)));
  }

  async tools(context: CallContext): Promise<readonly JsonObject[]> {
    const tools = await this.#tools();
    return this.#policy.shown(
      [...tools.values()].map(({ tool }) => tool),
      context,
    );
  }

  priceOf(tool: string): number | undefined {
    return this.#policy.priceOf(tool);
  }

  listen(): Listening {
    return { heard: Promise.resolve(), close: () => undefined };
  }

  health(): ServerHealth {
    const tools = this.#loaded && [...this.#loaded.keys()];
    const status = this.#reason === undefined ? (tools ? 'up' : 'unknown') : 'down';
    return {
      status,
      sessions: 0,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(tools && { tools }),
    };
  }

  close(): void {}

  #call(context: CallContext, params: JsonObject, hooks: CallHooks): Call {
    const name = stringOf(params['name']) ?? '';
    return lateCall(async (cancelled) => {
      const found = (await this.#tools()).get(name);
      if (!found || !this.#policy.allows(name, found.tool, context)) throw unknownTool(name);
      requireScope(context, this.name, found.tool);
      await this.#credentials.prepare(this.#manifest, context, hooks, cancelled);
      const { headers } = await this.#credentials.headersFor(this.#manifest, context);
      throwIfCancelled(cancelled);
      return this.#request(found, objectOf(params['arguments']) ?? {}, headers);
    });
  }

  /** Read once; a document that cannot be had is asked for again with the next call. */
  #tools(): Promise<Map<string, OperationTool>> {
    this.#loading ??= this.#load().then(
      (tools) => {
        this.#loaded = tools;
        this.#reason = undefined;
        return tools;
      },
      (error: unknown) => {
        this.#loading = undefined;
        const reason = error instanceof Error ? error.message : 'it cannot be read';
        this.#reason = reason;
        throw new RpcError(UPSTREAM_ERROR, `The OpenAPI document of \`${this.name}\` is of no use: ${reason}.`);
      },
    );
    return this.#loading;
  }

  async #load(): Promise<Map<string, OperationTool>> {
    const { document: source, tls } = this.#manifest;
    let document: JsonObject | undefined;
    if ('value' in source) document = objectOf(source.value);
    else if ('text' in source) document = readDocument(source.text);
    else {
      const place = placeOf(source.url, tls, this.name);
      const request = { method: 'GET' as const, headers: ['accept', 'application/json, application/yaml'] };
      const { body } = await wholeAnswer(this.#http, place, request, this.#host.settings().connectMs);
      document = readDocument(body);
    }
    if (!document) throw new Error('it is neither JSON nor YAML');
    const tools = toolsOf(document, this.#manifest);
    if (typeof tools === 'string') throw new Error(tools);
    return new Map(tools.map((each) => [each.tool.name, each]));
  }

  #request(operation: OperationTool, args: JsonObject, headers: readonly string[]): Call {
    const { url, tls } = this.#manifest;
    const base = placeOf(url, tls, this.name);
    const place = { ...base, path: pathOf(base.path, operation, args) };
    const own = new Set(headers.filter((_each, index) => index % 2 === 0));
    // What authorises the gateway is not the model's to replace.
    const all = [...headersOf(operation, args, own), ...headers];
    const { callMs, maxMessageBytes } = this.#host.settings();
    const sent = operation.body && sentBody(operation.body, args['body'], maxMessageBytes);
    if (sent) all.push('content-type', sent.contentType);
    const method = operation.method as Method;
    let status = 0;
    let text = '';
    let call: HttpCall | undefined;
    const result = new Promise<JsonObject>((resolve, reject) => {
      const timer = setTimeout(() => {
        call?.abort();
        reject(
          new RpcError(UPSTREAM_ERROR, `The API \`${this.name}\` gave no answer in time (mcp.call_ms: ${callMs}).`),
        );
      }, callMs);
      call = new HttpCall(
        this.#http,
        place,
        { method, headers: all, ...(sent && { body: sent.bytes }) },
        {
          started: (found) => {
            status = found;
          },
          message: (data) => {
            text = text === '' ? data : `${text}\n${data}`;
          },
          ended: () => {
            clearTimeout(timer);
            resolve(toolResult(status, text, false));
          },
          failed: (fault) => {
            clearTimeout(timer);
            resolve(
              fault.status === undefined
                ? toolResult(0, `The API cannot be reached: ${fault.message}.`, true)
                : toolResult(fault.status, fault.body, true),
            );
          },
        },
      );
    });
    return { result, cancel: () => call?.abort() };
  }
}

/** What the API said, which a model can read and act upon; an error of it is one of the tool, not of the protocol. */
function toolResult(status: number, text: string, isError: boolean): JsonObject {
  const shown = isError && status > 0 ? `HTTP ${status}\n${text}` : text;
  const structured = isError ? undefined : parseObject(text);
  return {
    content: [{ type: 'text', text: shown }],
    ...(structured && { structuredContent: structured }),
    ...(isError && { isError: true }),
  };
}

/** The query of the base address belongs to each operation. */
function pathOf(base: string, { path, parameters }: OperationTool, args: JsonObject): string {
  const [before = '', ofBase = ''] = base.split('?', 2);
  let filled = path;
  const query = new URLSearchParams(ofBase);
  for (const { argument, name, place, explode, deep } of parameters) {
    const value = Object.hasOwn(args, argument) ? args[argument] : undefined;
    if (place === 'path') {
      if (value === undefined || value === null || value === '') {
        throw new RpcError(INVALID_PARAMS, `The argument \`${argument}\` is missing.`);
      }
      const text = textOf(value);
      if (!text.isWellFormed() || leadsElsewhere(text)) {
        throw new RpcError(INVALID_PARAMS, `The argument \`${argument}\` is no part of a path.`);
      }
      filled = filled.replaceAll(`{${name}}`, encodeURIComponent(text));
    } else if (place === 'query') spread(name, value, { deep, explode }, (key, text) => query.append(key, text));
  }
  const search = query.toString();
  const whole = before.replace(/\/+$/, '') + filled;
  return search === '' ? whole : `${whole}?${search}`;
}

/**
 * `..` would lead to another operation than the one that was allowed: also within an argument, since servers and proxies read
 * an escaped slash as one, and some a backslash.
 */
function leadsElsewhere(text: string): boolean {
  return text.split(/[/\\]|%2f|%5c/i).some((part) => /^(?:\.|%2e){1,2}$/i.test(part));
}

function headersOf({ parameters }: OperationTool, args: JsonObject, own: ReadonlySet<string>): string[] {
  return parameters.flatMap(({ argument, name, place }) => {
    const value = Object.hasOwn(args, argument) ? args[argument] : undefined;
    if (place !== 'header' || value === undefined || value === null || own.has(name.toLowerCase())) return [];
    const text = textOf(value);
    if (!/^[\t\x20-\x7e]*$/.test(text)) {
      throw new RpcError(INVALID_PARAMS, `The argument \`${argument}\` holds characters that no header may.`);
    }
    return [name.toLowerCase(), text];
  });
}

function readDocument(text: string): JsonObject | undefined {
  return parseObject(text) ?? objectOf(plainYaml(text));
}
