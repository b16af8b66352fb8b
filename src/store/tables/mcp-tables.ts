/** Times are milliseconds since the Unix epoch. What is `secret` is sealed by the thread of MCP, and of no use elsewhere. */
export interface McpTables {
  mcp_connections: McpConnectionsTable;
  mcp_pending: McpPendingTable;
  mcp_clients: McpClientsTable;
  mcp_sign_ins: McpSignInsTable;
}

/** What one user brought for one account of one MCP server. */
export interface McpConnectionsTable {
  id: string;
  subject: string;
  server: string;
  account: string;
  /** `oauth`, or `values` of a header or an environment. */
  kind: string;
  issuer: string | null;
  /** With spaces between. */
  scopes: string;
  secret: string;
  /** The end of the access token; null: it is not known, or there is none. */
  expires_at: number | null;
  created_at: number;
  updated_at: number;
  /** Counts changes: two gateways never write over each other's. */
  version: number;
  /** Until then one gateway alone refreshes it. */
  leased_until: number;
}

/** What waits for somebody to come back from elsewhere; it is taken once. */
export interface McpPendingTable {
  id: string;
  /** Subject, by whose number it is bounded. */
  owner: string;
  secret: string;
  expires_at: number;
}

/** As what the gateway is registered at an issuer. */
export interface McpClientsTable {
  id: string;
  secret: string;
  created_at: number;
}

/** A client of MCP that somebody signed in: the family of its refresh tokens. */
export interface McpSignInsTable {
  id: string;
  subject: string;
  client: string;
  resource: string;
  secret: string;
  /** Number of the refresh token that is good now. */
  generation: number;
  created_at: number;
  used_at: number;
  expires_at: number;
}
