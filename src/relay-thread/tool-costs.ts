import type { McpServer } from '../config/mcp/mcp-servers.ts';

/** Which servers are made of others, and what a call of a tool costs, as the manifests say. */
export class ToolCosts {
  readonly #servers: ReadonlyMap<string, McpServer>;

  constructor(servers: readonly McpServer[]) {
    this.#servers = new Map(servers.map((server) => [server.name, server]));
  }

  /** Which tool of which server a name means, only the thread of MCP knows. `undefined` is all servers together. */
  isJoint(server: string | undefined): boolean {
    return server === undefined || this.#servers.get(server)?.kind === 'virtual';
  }

  /** Integer nano-dollars; undefined: no price is known. */
  of(name: string, tool: string): number | undefined {
    const server = this.#servers.get(name);
    if (!server) return undefined;
    const own = 'tools' in server ? server.tools : 'operations' in server ? server.operations : [];
    return own.find((each) => each.name === tool)?.callNanoUsd ?? server.callNanoUsd;
  }
}
