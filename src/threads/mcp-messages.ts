import type { MessagePort } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import type { McpRowAnswer, McpRowQuestion } from './mcp-row-messages.ts';

/** One HTTP request of a client of MCP: from the relay thread that owns its socket to the thread of MCP. */
export interface McpRequest {
  /** The number of the relay thread. */
  readonly id: number;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Undefined: all servers that the caller may use. */
  readonly server: string | undefined;
  readonly body: string;
  readonly headers: McpRequestHeaders;
  readonly caller: McpCaller;
  /** A call of a tool of a joint server is not held against limits yet: which tool it is, only the thread of MCP knows. */
  readonly holds: boolean;
  /** Guards may read results of its tools. */
  readonly guarded: boolean;
  /** What the calls that it makes in turn are made with, and what they give, is wanted: for guards, or to be kept. */
  readonly tellsCalls: boolean;
  /** By server (`x-tfy-mcp-headers`). */
  readonly serverHeaders: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Undefined where absent. */
export interface McpRequestHeaders {
  readonly accept: string | undefined;
  readonly session: string | undefined;
  readonly version: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
  readonly lastEventId: string | undefined;
  /** `mcp-param-…`, by the name behind it in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface McpCaller {
  readonly subject: string;
  readonly subjects: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** What it came with; goes to servers with `passthrough` and to no other. */
  readonly key: string | undefined;
  /** Where the client reaches the gateway: for links. Undefined: nobody knows. */
  readonly base?: string | undefined;
  /** By server: which of several accounts is meant (`x-sluice-mcp-accounts`). */
  readonly accounts?: Readonly<Record<string, string>>;
  /** The scopes of a token that is good for a part alone, and the address of its resource metadata. */
  readonly scope?: { readonly names: readonly string[]; readonly metadataUrl: string };
}

/** A request of a browser, or of a client that wants a token: no part of MCP itself. */
export interface McpPageRequest {
  /** The id that the relay thread gave the request among its own. */
  readonly id: number;
  readonly page:
    | 'register'
    | 'authorize'
    | 'token'
    | 'revoke'
    | 'connect'
    | 'callback'
    | 'sign-in'
    | 'connections'
    | 'sign-ins';
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Scheme, host and port under which the gateway was asked. */
  readonly base: string;
  readonly query: string;
  /** Without the key that somebody wrote into a form. */
  readonly body: string;
  /** Behind the path of the page: a server, or an id. */
  readonly rest: string;
  /** What sets the browser apart. */
  readonly browser: string | undefined;
  /** Its cookies of journeys to an identity provider, in the order of `journeyCookies`; undefined where absent. */
  readonly journeys: readonly (string | undefined)[];
  /** Whose key came with it, in its head or a form; a text says why it is none. */
  readonly signedIn: McpSignedIn | string | undefined;
}

export interface McpSignedIn {
  readonly subject: string;
  readonly subjects: readonly string[];
  readonly keyId: string;
  readonly keyFrom: 'configured' | 'issued' | 'outside';
  readonly teams: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch; undefined: the key has no end. */
  readonly expiresAtMs: number | undefined;
}

export interface McpPageAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  /** A token that was just given, and where it is good: whether its key still is the relay thread knows. */
  readonly given?: { readonly token: string; readonly address: string };
}

/** The facts of a request when it is over, for its record. */
export interface McpOutcome {
  readonly server?: string;
  /** The method of JSON-RPC. */
  readonly rpcMethod?: string;
  readonly tool?: string;
  /** The result is an error of the tool, or the request got one of the protocol. */
  readonly failed: boolean;
  readonly detail?: string;
  readonly era?: string;
  /** Time that the server took. */
  readonly upstreamMs: number;
  /** Integer nano-dollars; undefined: no price is known. */
  readonly costNanoUsd?: number;
}

/** A call of a tool that is to be held against limits. */
export interface McpHold {
  /** The number of the request. */
  readonly number: number;
  /** Every name that a rule may mean; the one that the client used first. */
  readonly called: readonly { readonly server: string; readonly tool: string }[];
  readonly costNanoUsd: number | undefined;
  /** One of many that the request makes: it has a record of its own. */
  readonly nested: boolean;
  readonly bytesIn: number;
  /** JSON of the arguments of a nested call, where they are wanted. */
  readonly args?: string;
}

/** What a nested call came to. */
export interface McpHoldEnd {
  readonly failed: boolean;
  readonly detail?: string;
  readonly bytesOut: number;
  readonly upstreamMs: number;
  /** JSON, where it is wanted. */
  readonly result?: string;
}

export type ToMcpPort =
  | { type: 'request'; request: McpRequest }
  | { type: 'page'; request: McpPageRequest }
  /** The client is gone. */
  | { type: 'abort'; id: number }
  /** The client does not take more, or takes it again. */
  | { type: 'full'; id: number; full: boolean }
  | McpHeld
  | McpReleased
  | McpQuestionRefused;

/** A question of a server that its client does not get: the server is told why, and waits no longer. */
export interface McpQuestionRefused {
  readonly type: 'question-refused';
  /** The request on whose answer it came. */
  readonly id: number;
  /** Its id on a stream; or the state of the call that waits for answers, as a client of the modern era would send it. */
  readonly about: { readonly question: string } | { readonly state: string };
  readonly refused: McpRefusal;
}

/** Why a call is not made, or its result not given. */
export interface McpRefusal {
  readonly message: string;
  readonly code: string;
  readonly retryAfterMs?: number;
}

/** What became of a hold. */
export interface McpHeld {
  readonly type: 'held';
  readonly id: number;
  readonly number: number;
  readonly refused?: McpRefusal;
  /** JSON of the arguments, where guards changed them. */
  readonly args?: string;
  /** The result is not given before guards have read it: `released` answers the release. */
  readonly guarded?: true;
}

/** What guards made of a result. */
export interface McpReleased {
  readonly type: 'released';
  readonly id: number;
  readonly number: number;
  readonly refused?: McpRefusal;
  /** JSON; absent: as it was. */
  readonly result?: string;
}

export type FromMcpPort =
  | { type: 'page'; id: number; answer: McpPageAnswer }
  /** The whole answer. */
  | { type: 'answer'; id: number; status: number; headers: readonly string[]; body: string; outcome: McpOutcome }
  /** `lasting`: a stream that only tells what changes. `resumes`: JSON of the request whose answer it goes on with. */
  | { type: 'begin'; id: number; status: number; headers: readonly string[]; lasting: boolean; resumes?: string }
  | { type: 'chunk'; id: number; text: string }
  | { type: 'hold'; id: number; hold: McpHold }
  /** A nested call is over. */
  | { type: 'release'; id: number; number: number; end: McpHoldEnd }
  | { type: 'end'; id: number; outcome: McpOutcome };

/** What of a configuration MCP needs: neither keys nor accounts. */
export type McpConfiguration = Pick<Configuration, 'server' | 'mcpServers' | 'identities'>;

/** What of it relay threads need for it. */
export type McpGateConfiguration = Pick<Configuration, 'server' | 'mcpServers' | 'rateLimits' | 'budgets'>;

export interface McpThreadData {
  readonly configuration: McpConfiguration;
}

export interface McpServerState {
  readonly name: string;
  readonly kind: string;
  readonly description: string;
  readonly status: string;
  readonly reason?: string;
  readonly era?: string;
  readonly sessions: number;
  readonly tools?: readonly string[];
  /** How users are let in there, as `auth_data` says. */
  readonly auth?: string;
  readonly changedTools?: readonly { readonly name: string; readonly since: string }[];
}

export interface McpCounts {
  readonly clientSessions: number;
  readonly serverSessions: number;
  readonly children: number;
  /** Calls of tools that ended, by server and outcome. */
  readonly calls: readonly {
    readonly server: string;
    readonly outcome: 'ok' | 'error';
    readonly count: number;
    readonly ms: number;
  }[];
  /** By server: tools that are no longer what they were when they were approved. */
  readonly changedTools: readonly { readonly server: string; readonly count: number }[];
}

/** What an operator asks of what users brought. */
export type McpAdminQuestion =
  | { readonly kind: 'connections'; readonly subject: string | undefined; readonly server: string | undefined }
  | { readonly kind: 'disconnect'; readonly id: string }
  | { readonly kind: 'sign-ins'; readonly subject: string | undefined }
  | { readonly kind: 'sign-out'; readonly id: string };

export type McpAdminAnswer = { readonly data: readonly object[] } | 'done' | 'absent' | 'away';

export type ToMcpThread =
  | { type: 'begin'; data: McpThreadData }
  | { type: 'reconfigure'; configuration: McpConfiguration }
  /** To a relay thread. */
  | { type: 'port'; port: MessagePort }
  /** To be answered with its number. */
  | { type: 'servers'; number: number }
  /** To be answered with its number. */
  | { type: 'admin'; number: number; question: McpAdminQuestion }
  | { type: 'rows'; number: number; answer: McpRowAnswer }
  /** Undefined: all tools of the server that changed. */
  | { type: 'approve'; number: number; server: string; tools: readonly string[] | undefined }
  | { type: 'close' };

export type FromMcpThread =
  | { type: 'admin'; number: number; answer: McpAdminAnswer }
  /** The database is asked; its answer has the same number. */
  | { type: 'rows'; number: number; question: McpRowQuestion }
  | { type: 'servers'; number: number; servers: readonly McpServerState[] }
  | { type: 'approved'; number: number; approved: readonly string[] }
  | { type: 'counts'; counts: McpCounts }
  | { type: 'log'; line: string }
  | { type: 'closed' };
