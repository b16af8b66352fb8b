import { z } from 'zod';
import { objectOf } from '../codec/json-value.ts';
import { toolSelector } from '../config/mcp/mcp-schema.ts';
import { parseResourceName } from '../config/resource-name.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { conversationOf } from './agent-conversation.ts';

/** `POST /agent/…` of the reference product; `require_approval_for_tools`, `tool_approvals` and `budget` are ours. */

const MAX_NAMES = 256;
const toolName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^@]/, { error: 'a tool name, in which `*` stands for any characters' });

const server = z.object({
  integration_fqn: z.string().min(1).max(512).optional(),
  name: z.string().min(1).max(512).optional(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  enable_all_tools: z.boolean().default(true),
  tools: z
    .array(z.object({ name: toolName }))
    .max(MAX_NAMES)
    .default([]),
  require_approval_for_tools: z.array(toolSelector).max(MAX_NAMES).default([]),
});

const common = {
  model: z.string().min(1),
  mcp_servers: z.array(server).max(50).default([]),
  stream: z.literal(true).default(true),
  iteration_limit: z.int().min(1).max(20).default(5),
  tool_approvals: z.record(z.string(), z.enum(['approve', 'reject'])).default({}),
  /** The budget of the whole run, a field of ours. */
  budget: z
    .object({ max_cost_usd: z.number().min(0).optional(), max_total_tokens: z.int().min(0).optional() })
    .default({}),
};

const messages = z.array(z.looseObject({ role: z.string() })).min(1);
const commonRequest = z.looseObject(common);
const chatRequest = z.looseObject({ ...common, messages });

/** As `POST /responses` writes it, or with the `messages` of the reference product. */
const responsesRequest = z.looseObject({
  ...common,
  messages: messages.optional(),
  input: z.union([z.string(), z.array(z.looseObject({ type: z.string().optional() })).min(1)]).optional(),
  instructions: z.string().nullish(),
  max_output_tokens: z.int().min(1).nullish(),
});

export interface AgentServer {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Names with `*`; undefined: all. */
  readonly tools: readonly string[] | undefined;
  /** Names with `*`, or `@all`, `@read-only`, `@write`, `@destructive`. */
  readonly approval: readonly string[];
}

export type Message = Record<string, unknown> & { role: string };

export interface AgentRequest {
  readonly model: string;
  readonly messages: Message[];
  readonly servers: readonly AgentServer[];
  readonly iterationLimit: number;
  readonly approvals: Readonly<Record<string, 'approve' | 'reject'>>;
  readonly budget: { readonly maxCostUsd: number | undefined; readonly maxTotalTokens: number | undefined };
  /** The client asked for the usage of the whole run. */
  readonly tellsUsage: boolean;
  /** What goes to the model with each turn: all that is not the agent's. */
  readonly forModel: Readonly<Record<string, unknown>>;
}

export function readAgentRequest(body: Buffer): OrError<AgentRequest> {
  const written = parsed(chatRequest, body);
  if (written instanceof GatewayError) return written;
  const { messages: said, ...rest } = written;
  const options = objectOf(rest['stream_options']);
  return agentRequest(rest, said, {}, options?.['include_usage'] === true);
}

/** `POST /agent/responses`: the body of Responses, or of a chat. */
export function readAgentResponse(body: Buffer): OrError<AgentRequest> {
  const written = parsed(responsesRequest, body);
  if (written instanceof GatewayError) return written;
  const { input, messages: said, instructions, max_output_tokens: maxTokens, ...rest } = written;
  if (input === undefined && said === undefined) return new GatewayError('missing_parameter', { param: 'input' });
  const read = input === undefined ? { messages: [], approvals: {} } : conversationOf(input);
  if (read instanceof GatewayError) return read;
  const system = instructions ? [{ role: 'system', content: instructions }] : [];
  const forModel = { ...rest, ...(maxTokens && { max_tokens: maxTokens }) };
  return agentRequest(forModel, [...system, ...(said ?? read.messages)], read.approvals, false);
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: Buffer): OrError<z.output<Schema>> {
  let written: unknown;
  try {
    written = JSON.parse(body.toString());
  } catch {
    return new GatewayError('invalid_json');
  }
  const read = schema.safeParse(written);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const param = issue?.path.join('.') ?? '';
  return new GatewayError('invalid_parameter', { param, detail: `\`${param}\`: ${issue?.message ?? 'is wrong'}.` });
}

function agentRequest(
  written: z.output<typeof commonRequest>,
  said: Message[],
  decided: AgentRequest['approvals'],
  tellsUsage: boolean,
): OrError<AgentRequest> {
  const {
    mcp_servers: servers,
    iteration_limit: iterationLimit,
    tool_approvals: approvals,
    budget,
    stream_options: _options,
    ...rest
  } = written;
  const found: AgentServer[] = [];
  for (const [index, each] of servers.entries()) {
    const param = `mcp_servers.${index}`;
    // A caller that may choose an address could have the gateway ask anything it can reach.
    if (each.url !== undefined) {
      const detail = 'A server by `url` is not called; put it into a manifest and name it by `integration_fqn`.';
      return new GatewayError('invalid_parameter', { param: `${param}.url`, detail });
    }
    const name = each.integration_fqn ?? each.name;
    if (name === undefined) return new GatewayError('missing_parameter', { param: `${param}.integration_fqn` });
    found.push({
      server: serverName(name),
      headers: each.headers,
      tools: each.enable_all_tools && each.tools.length === 0 ? undefined : each.tools.map((tool) => tool.name),
      approval: each.require_approval_for_tools,
    });
  }
  return {
    model: written.model,
    messages: said,
    servers: found,
    iterationLimit,
    approvals: { ...approvals, ...decided },
    budget: { maxCostUsd: budget.max_cost_usd, maxTotalTokens: budget.max_total_tokens },
    tellsUsage,
    forModel: { ...rest, stream: true },
  };
}

/** `group/name` of a fully qualified name, else as it is. */
function serverName(written: string): string {
  const parsed = parseResourceName(written);
  if (parsed === undefined) return written;
  return parsed.integration === undefined ? parsed.account : `${parsed.account}/${parsed.integration}`;
}
