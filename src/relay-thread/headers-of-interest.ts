import type { Configuration } from '../config/configuration.ts';
import { forwardable } from '../plugs.ts';
import { MCP_HEADERS } from './mcp-request.ts';

/** What providers take, what sets sessions apart, and what tells coding agents to the semantic cache. */
export function headersOfInterest(configuration: Configuration): readonly string[] {
  const { virtualModels, loadBalancing, semanticCacheModel: model } = configuration;
  const routings = [
    ...virtualModels.flatMap(({ integrations }) => integrations.map(({ routing }) => routing)),
    ...loadBalancing.map(({ routing }) => routing),
  ];
  const identifiers = routings.flatMap(({ sticky }) => sticky?.identifiers ?? []);
  const ofSessions = identifiers.filter(({ source }) => source === 'headers').map(({ key }) => key);
  const ofAgents = model === undefined ? [] : ['user-agent'];
  return [...new Set([...forwardable(configuration), ...MCP_HEADERS, ...ofSessions, ...ofAgents])];
}
