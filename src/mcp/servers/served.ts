import type { JsonObject } from '../../codec/json-value.ts';
import { METHOD_NOT_FOUND, RpcError } from '../protocol/json-rpc.ts';
import type { ScopeGrant } from '../protocol/scopes.ts';
import type { Call, CallHooks, ClientFacts, Listening, ServerInfo, Wanted } from '../upstream/peer.ts';
import type { ChangedTool } from './tool-pins.ts';

/** On whose behalf a server is asked. Made for each request of a client. */
export interface CallContext {
  readonly subject: string;
  /** All that rules about subjects are held against (policy/caller.ts). */
  readonly subjects: ReadonlySet<string>;
  readonly metadata: Readonly<Record<string, string>>;
  /** The key that the client came with: for servers whose manifest says `passthrough`, and for no other. */
  readonly key: string | undefined;
  /** By server: headers that the client wants sent to it (`x-tfy-mcp-headers`). */
  readonly serverHeaders: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The session of a client of the legacy era; its old servers keep one session for it alone. */
  readonly session: ClientSession | undefined;
  readonly client: ClientFacts;
  /** Where the client reaches the gateway: for links. */
  readonly base?: string | undefined;
  /** By server: which of several accounts of the user is meant. */
  readonly accounts?: Readonly<Record<string, string>>;
  /** What the token is good for, as far as this server is concerned; absent: all that its subject may. */
  readonly scope?: ScopeGrant;
  readonly holder: CallHolder;
  /** Guards read results of tools, and what else a server says of a task they do not. */
  readonly guarded?: boolean;
  /** The names under which the called tool is known so far: of the joint servers on the way, the client's first. */
  readonly askedAs?: readonly ToolName[];
}

export interface ToolName {
  readonly server: string;
  readonly tool: string;
}

/** One call of a tool, as rate limits and budgets see it. */
export interface ToolUse {
  /** Every name that a rule may mean: the one that the client used, and that of its own server last. */
  readonly called: readonly ToolName[];
  /** Integer nano-dollars; undefined: no price is known. */
  readonly costNanoUsd: number | undefined;
  readonly args: unknown;
}

/** Holds calls against the limits before they are made, where only the thread of MCP knows which tool a name means. */
export interface CallHolder {
  /** Rejects with an RpcError where a limit or a guard refuses the call. Undefined: nothing is to be told of its end. */
  hold(use: ToolUse): Promise<HeldUse | undefined>;
  /** The same for calls that one request makes many of: each has guards and a record of its own. */
  readonly nested: CallHolder;
}

export interface HeldUse {
  /** As guards leave them; undefined: as they were. */
  readonly args: JsonObject | undefined;
  /** Once: the error as guards leave it, or theirs. Never rejects. */
  failed(error: unknown): Promise<unknown>;
  /** Once: the result as guards leave it. Rejects with an RpcError where they refuse it. */
  succeeded(result: JsonObject): Promise<JsonObject>;
}

export interface ClientSession {
  readonly id: string;
  /** A server asks beside all calls. */
  ask(method: string, params: JsonObject): Promise<JsonObject>;
  /** Called when it ends. */
  onEnd(over: () => void): void;
}

/** An MCP server as clients see it, of whatever kind and era it is. */
export interface Served {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  /** Whether somebody may know that it is there. */
  mayUse(context: Pick<CallContext, 'subjects'>): boolean;
  /** Rejects with an RpcError. */
  info(context: CallContext): Promise<ServerInfo>;
  /** The same where it is known and nobody has to be asked. */
  infoNow?(context: CallContext): ServerInfo | undefined;
  call(context: CallContext, method: string, params: JsonObject, hooks: CallHooks): Call;
  /** All that the caller may use, of all pages, as they are told of; may be as old as `mcp.list_ttl_ms`. */
  tools(context: CallContext): Promise<readonly JsonObject[]>;
  /** The tool that a task came of, by its own name; undefined: the task is none of this server's. */
  toolOfTask?(params: JsonObject, context: Pick<CallContext, 'subjects' | 'scope'>): string | undefined;
  /** The tool that a call means where it is not the one that it names, for its record. */
  meant?(params: JsonObject): string | undefined;
  /** Integer nano-dollars of each call; undefined: no price is known. */
  priceOf(tool: string): number | undefined;
  listen(context: CallContext, wanted: Wanted, notify: CallHooks['notify']): Listening;
  /** The health that the admin API shows. */
  health(): ServerHealth;
  close(): void;
}

export interface ServerHealth {
  readonly status: 'unknown' | 'up' | 'down';
  /** Why it is down. */
  readonly reason?: string;
  readonly era?: string;
  readonly sessions: number;
  readonly tools?: readonly string[];
  /** Those that are no longer what they were when they were approved. */
  readonly changedTools?: readonly ChangedTool[];
}

/** What clients may ask of a server; anything else is not known here, so that nothing gets past the rules about tools. */
export const METHODS: ReadonlySet<string> = new Set([
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
]);

/** Nobody hears of it, and nobody answers. */
export const NO_HOOKS: CallHooks = {
  notify: () => undefined,
  ask: (method) => Promise.reject(new RpcError(METHOD_NOT_FOUND, `Nobody here can answer \`${method}\`.`)),
};
