import type { Configuration, RateLimitRule } from '../config/configuration.ts';

/** Before the name of a server and its tool, where models stand: no account has a colon in its name. */
export const TOOL_PREFIX = 'mcp:';

/** How a tool of an MCP server stands where models stand: in records, metrics and rules. */
export function toolModel(server: string, tool: string): string {
  return `${TOOL_PREFIX}${server}/${tool.slice(0, 128)}`;
}

/**
 * The rate limits that calls of tools are held against: those that name tools (`mcp:<server>/<tool>`) and count requests
 * or what is open. A rule for all models is one of models, and must not be used up by tools.
 */
export function toolRules({
  rateLimits,
}: Pick<Configuration, 'rateLimits'>): Pick<Configuration, 'rateLimits' | 'budgets'> {
  const isForTools = ({ match, counts }: RateLimitRule): boolean =>
    (counts === 'requests' || counts === 'concurrent') &&
    (match.models?.in?.some((model) => model.startsWith(TOOL_PREFIX)) ?? false);
  return {
    rateLimits: rateLimits.map((rules) => rules.filter(isForTools)).filter(({ length }) => length > 0),
    budgets: [],
  };
}
