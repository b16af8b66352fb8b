import { z } from 'zod';
import { parseResourceName } from '../config/resource-name.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';

/** `POST /agent/chat/completions` of the reference product; `require_approval_for_tools` and `tool_approvals` are ours. */

const server = z.object({
  integration_fqn: z.string().min(1).max(512).optional(),
  name: z.string().min(1).max(512).optional(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  enable_all_tools: z.boolean().default(true),
  tools: z.array(z.object({ name: z.string() })).default([]),
  /** Names of tools, or `@destructive`, `@write`, `@all`. */
  require_approval_for_tools: z.array(z.string()).default([]),
});

const request = z.looseObject({
  model: z.string().min(1),
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  mcp_servers: z.array(server).max(50).default([]),
  stream: z.literal(true).default(true),
  iteration_limit: z.int().min(1).max(20).default(5),
  tool_approvals: z.record(z.string(), z.enum(['approve', 'reject'])).default({}),
});

export interface AgentServer {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: all. */
  readonly tools: ReadonlySet<string> | undefined;
  readonly approval: ReadonlySet<string>;
}

export type Message = Record<string, unknown> & { role: string };

export interface AgentRequest {
  readonly messages: Message[];
  readonly servers: readonly AgentServer[];
  readonly iterationLimit: number;
  readonly approvals: Readonly<Record<string, 'approve' | 'reject'>>;
  /** What goes to the model with each turn: all that is not the agent's. */
  readonly forModel: Readonly<Record<string, unknown>>;
}

export function readAgentRequest(body: Buffer): OrError<AgentRequest> {
  let written: unknown;
  try {
    written = JSON.parse(body.toString());
  } catch {
    return new GatewayError('invalid_json');
  }
  const read = request.safeParse(written);
  if (!read.success) {
    const [issue] = read.error.issues;
    const param = issue?.path.join('.') ?? '';
    return new GatewayError('invalid_parameter', { param, detail: `\`${param}\`: ${issue?.message ?? 'is wrong'}.` });
  }
  const {
    messages,
    mcp_servers: servers,
    iteration_limit: iterationLimit,
    tool_approvals: approvals,
    ...rest
  } = read.data;
  const found: AgentServer[] = [];
  for (const [index, each] of servers.entries()) {
    const param = `mcp_servers.${index}`;
    // Whoever may choose an address would have the gateway ask anything it can reach.
    if (each.url !== undefined) {
      const detail = 'A server by `url` is not called; put it into a manifest and name it by `integration_fqn`.';
      return new GatewayError('invalid_parameter', { param: `${param}.url`, detail });
    }
    const name = each.integration_fqn ?? each.name;
    if (name === undefined) return new GatewayError('missing_parameter', { param: `${param}.integration_fqn` });
    found.push({
      server: serverName(name),
      headers: each.headers,
      tools:
        each.enable_all_tools && each.tools.length === 0 ? undefined : new Set(each.tools.map((tool) => tool.name)),
      approval: new Set(each.require_approval_for_tools),
    });
  }
  return { messages, servers: found, iterationLimit, approvals, forModel: { ...rest, stream: true } };
}

/** `group/name` of a fully qualified name, else as it is. */
function serverName(written: string): string {
  const parsed = parseResourceName(written);
  if (parsed === undefined) return written;
  return parsed.integration === undefined ? parsed.account : `${parsed.account}/${parsed.integration}`;
}
