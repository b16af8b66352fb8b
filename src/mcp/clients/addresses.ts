/** Where servers of MCP are: today's address, and those of earlier versions of the reference product. */
export const SERVER_PATHS = [
  '/mcp/v1/{name}/mcp',
  '/mcp/v1/{group}/{name}/mcp',
  '/mcp/{name}/server',
  '/mcp/{group}/{name}/server',
  '/mcp-server/{group}/{name}/server',
  '/{tenant}/mcp/{name}/server',
] as const;

/** Those under which the same address stands once more (edge/routes.ts). */
const BASES = ['/api/llm/v1', '/api/llm', '/v1', ''];

const PATTERNS = SERVER_PATHS.map((path) => new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`));

/** Whether a path is one of MCP, and whose; `server` undefined: of all servers. */
export function mcpAddress(path: string): { readonly server: string | undefined } | undefined {
  for (const base of BASES) {
    if (!path.startsWith(`${base}/`)) continue;
    const rest = path.slice(base.length);
    if (rest === '/mcp') return { server: undefined };
    for (const pattern of PATTERNS) {
      const { group, name } = pattern.exec(rest)?.groups ?? {};
      if (name === undefined) continue;
      try {
        return { server: decodeURIComponent(group === undefined ? name : `${group}/${name}`) };
      } catch {
        // A malformed escape names nothing.
        return undefined;
      }
    }
  }
  return undefined;
}
