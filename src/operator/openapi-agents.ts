import type { OpenApiPart } from '../dialects/dialect-document.ts';
import { INFERENCE_PARAMETERS, PROVIDER_REFUSALS, parameter, response } from './openapi-answers.ts';
import type { DescribedOperation, DescribedPaths } from './openapi-dialects.ts';
import { ownHeaders, upstreamHeaders } from './openapi-headers.ts';

/** Agents that run in the gateway, and hooks of agents that run elsewhere. */

export const agentTag = { name: 'Agents', description: 'Runs of a model with tools of MCP servers; hooks of agents' };

const freeObject = { type: 'object', additionalProperties: true };
const freeObjects = { type: 'array', items: freeObject };
const words = { type: 'array', items: { type: 'string' } };

const agentRun: OpenApiPart = {
  ...freeObject,
  required: ['model'],
  properties: {
    model: { type: 'string', minLength: 1, description: '`account/model`, or a bare id' },
    messages: { ...freeObjects, minItems: 1 },
    mcp_servers: {
      type: 'array',
      maxItems: 50,
      items: {
        ...freeObject,
        properties: {
          integration_fqn: { type: 'string' },
          name: { type: 'string' },
          headers: { type: 'object', additionalProperties: { type: 'string' } },
          enable_all_tools: { type: 'boolean', default: true },
          tools: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
          require_approval_for_tools: {
            ...words,
            description: 'Names with `*`, or `@destructive`, `@write`, `@read-only`, `@all`',
          },
        },
      },
    },
    stream: { type: 'boolean', enum: [true], default: true },
    iteration_limit: { type: 'integer', minimum: 1, maximum: 20, default: 5 },
    tool_approvals: { type: 'object', additionalProperties: { type: 'string', enum: ['approve', 'reject'] } },
    budget: {
      type: 'object',
      description: 'Of the whole run',
      properties: {
        max_cost_usd: { type: 'number', minimum: 0 },
        max_total_tokens: { type: 'integer', minimum: 0 },
      },
    },
  },
};

function agentOperation(told: {
  readonly summary: string;
  readonly operationId: string;
  readonly request: OpenApiPart;
  readonly events: string;
}): DescribedOperation & OpenApiPart {
  return {
    summary: told.summary,
    description:
      'The gateway asks the model, calls the tools that it wants, and asks on, until it is done or a bound is met. The answer is a stream.',
    operationId: told.operationId,
    tags: [agentTag.name],
    parameters: INFERENCE_PARAMETERS,
    requestBody: { required: true, content: { 'application/json': { schema: told.request } } },
    responses: {
      '200': {
        description: 'All steps of the run',
        headers: { ...ownHeaders, ...upstreamHeaders },
        content: { 'text/event-stream': { schema: { type: 'string', description: told.events } } },
      },
      ...PROVIDER_REFUSALS,
    },
  };
}

export const agentPaths: DescribedPaths = {
  '/agent/chat/completions': {
    post: agentOperation({
      summary: 'Run an Agent, Told as a Chat',
      operationId: 'runAgentChat',
      request: { ...agentRun, required: ['model', 'messages'] },
      events: 'Chunks of a chat and results of tools; then `data: [DONE]`',
    }),
  },
  '/agent/responses': {
    post: agentOperation({
      summary: 'Run an Agent, Told as a Response',
      operationId: 'runAgentResponse',
      request: {
        ...agentRun,
        properties: {
          ...(agentRun['properties'] as OpenApiPart),
          input: { oneOf: [{ type: 'string' }, { ...freeObjects, minItems: 1 }] },
          instructions: { type: 'string', nullable: true },
          max_output_tokens: { type: 'integer', minimum: 1, nullable: true },
        },
      },
      events: 'Events of a response, with items of MCP calls',
    }),
  },
  '/hooks/claude-code': {
    post: {
      summary: 'Hook of Claude Code',
      description: 'Guards read what Claude Code is about to do, and answer in the words of its hooks.',
      operationId: 'hookClaudeCode',
      tags: [agentTag.name],
      parameters: [parameter('Metadata'), parameter('RequestId')],
      requestBody: { required: true, content: { 'application/json': { schema: freeObject } } },
      responses: {
        '200': {
          description: 'What the guards say; an empty object: nothing',
          headers: ownHeaders,
          content: { 'application/json': { schema: freeObject } },
        },
        '400': response('BadRequest'),
        '401': response('Unauthorized'),
        '408': response('Timeout'),
        '413': response('TooLarge'),
        '503': response('Unavailable'),
      },
    } as DescribedOperation,
  },
};
