/** MCP servers as plain data: what the kinds `mcp-server/…` make, and what crosses to the threads that use it. Holds secrets: never logged. */
export type McpServer = McpRemote | McpVirtual | McpOpenApi | McpStdio;

export interface McpServerBase {
  /** Unique over all kinds; `group/name` in a group. */
  name: string;
  description: string;
  /** Its users (`user:…`, `team:…`, `virtualaccount:…`, `*`); empty: nobody. */
  subjects: string[];
  tags: Record<string, string>;
  /** Absent: whoever may use the server may use all of its tools. */
  toolAccess?: McpToolGrant[];
  /** Integer nano-dollars of each call, where the tool has no price of its own; absent: none is known. */
  callNanoUsd?: number;
}

export interface McpRemote extends McpServerBase {
  kind: 'remote';
  url: string;
  /** Absent: it is found out. */
  transport?: 'streamable-http' | 'sse';
  auth: McpAuth;
  headers: Record<string, string>;
  tls?: { rejectUnauthorized: boolean; ca?: string };
  tools: McpToolSetting[];
}

export interface McpVirtual extends McpServerBase {
  kind: 'virtual';
  /** Whether its clients see all tools, or a few by which they find and call them, or run code that does. */
  mode: 'tools' | 'search' | 'code';
  servers: McpVirtualPart[];
}

export interface McpVirtualPart {
  name: string;
  /** Absent: all. */
  enabledTools?: string[];
  /** In place of the credential of that server. */
  headers?: Record<string, string>;
}

export interface McpOpenApi extends McpServerBase {
  kind: 'openapi';
  url: string;
  document: { url: string } | { text: string } | { value: unknown };
  allTools: boolean;
  operations: McpOperation[];
  auth: McpAuth;
  headers: Record<string, string>;
  tls?: { rejectUnauthorized: boolean; ca?: string };
}

export interface McpOperation {
  method: string;
  path: string;
  name: string;
  description: string;
  annotations?: McpAnnotations;
  callNanoUsd?: number;
}

export interface McpStdio extends McpServerBase {
  kind: 'stdio';
  command: string;
  args: string[];
  /** Relative programs are looked for here. */
  folder: string;
  environment: Record<string, string>;
  perUser: boolean;
  tools: McpToolSetting[];
}

export interface McpToolSetting {
  name: string;
  description?: string;
  disabled: boolean;
  annotations?: McpAnnotations;
  callNanoUsd?: number;
}

export interface McpAnnotations {
  readOnlyHint?: boolean;
  destructiveHint?: boolean;
}

/** Grants the named subjects the named tools; with a list of grants everything else is closed. */
export interface McpToolGrant {
  subjects: string[];
  /** Names with `*`, or `@all`, `@read-only`, `@write`, `@destructive`. */
  tools: string[];
  /** All of these must be in the metadata of the request. */
  metadata: Record<string, string>;
}

export type McpAuth =
  | { type: 'none' }
  | { type: 'passthrough' }
  /** With `perUser` the values hold `{{NAME}}`, which each user fills. */
  | { type: 'header'; headers: Record<string, string>; perUser: boolean }
  | McpOAuth;

export interface McpOAuth {
  type: 'oauth2';
  /** `token_exchange`: the caller's key, where it is a JWT, for a token of the server (RFC 8693). */
  grant: 'authorization_code' | 'client_credentials' | 'token_exchange';
  /** Absent: the server says where (RFC 9728, RFC 8414); only with `authorization_code`. */
  tokenUrl?: string;
  tokenField: 'access_token' | 'id_token';
  authorizationUrl?: string;
  registrationUrl?: string;
  introspectionUrl?: string;
  /** Further parameters of the address where a user agrees. */
  authorizationParameters: Record<string, string>;
  clientId?: string;
  clientSecret?: string;
  scopes: string[];
  parameters: Record<string, string>;
}
