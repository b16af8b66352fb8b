import type { Configuration } from '../config/configuration.ts';
import type { RateLimitRule } from '../config/rules/counted-rules.ts';

/** Before the name of a server and its tool, where models stand: no account has a colon in its name. */
const TOOL_PREFIX = 'mcp:';

/** How a tool of an MCP server stands where models stand: in records, metrics and rules. */
export function toolModel(server: string, tool: string): string {
  return `${TOOL_PREFIX}${server}/${tool.slice(0, 128)}`;
}

/**
 * The limits that calls of tools are held against: those that name tools (`mcp:<server>/<tool>`), and count anything but
 * tokens. A rule for all models is one of models, and must not be used up by tools.
 */
export function toolRules({
  rateLimits,
  budgets,
}: Pick<Configuration, 'rateLimits' | 'budgets'>): Pick<Configuration, 'rateLimits' | 'budgets'> {
  return {
    rateLimits: rateLimits
      .map((rules) => rules.filter((rule) => rule.counts !== 'tokens' && namesTools(rule)))
      .filter(({ length }) => length > 0),
    budgets: budgets.filter((budget) => namesTools(budget) && budget.limits.every(({ counts }) => counts === 'cost')),
  };
}

function namesTools({ match }: Pick<RateLimitRule, 'match'>): boolean {
  return match.models?.in?.some((model) => model.startsWith(TOOL_PREFIX)) ?? false;
}
