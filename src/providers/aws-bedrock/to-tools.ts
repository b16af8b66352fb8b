import { isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Tool } from '../../inference/request.ts';
import { cachePoint } from './to-blocks.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html */
export function toolConfig(request: InferenceRequest): OrError<object | undefined> {
  const { tools = [], nativeTools = [] } = request;
  const entries: object[] = [];
  for (const tool of tools) {
    entries.push(toolSpec(tool));
    if (tool.cacheControl) entries.push(cachePoint(tool.cacheControl));
  }
  for (const { type, place, definition } of nativeTools) {
    // What Bedrock runs itself, by its own name: `{"type": "system_tool", "name": "nova_grounding"}`.
    if (type !== 'system_tool') {
      const detail = `Bedrock has no tools of type "${type.slice(0, 40)}": functions, and system_tool with the name of one of its own.`;
      return new GatewayError('unsupported_parameter', { param: `${place}.type`, detail });
    }
    entries.push({ systemTool: { name: objectOf(definition)?.['name'] } });
  }
  if (request.toolChoice?.type === 'none' && !hasToolBlocks(request)) return undefined;
  if (entries.length === 0) {
    const called = calledTools(request);
    return called.length > 0 ? { tools: called } : undefined;
  }
  return { tools: entries, toolChoice: toolChoice(request) };
}

function toolSpec({ name, description, parameters, strict }: Tool): object {
  return {
    // A blank description is a 400 of its own.
    toolSpec: {
      name,
      description: description?.trim() ? description : undefined,
      inputSchema: { json: inputSchema(parameters) },
      strict: strict === true ? true : undefined,
    },
  };
}

function inputSchema(parameters: unknown): JsonObject {
  if (!isObject(parameters)) return { type: 'object', properties: {} };
  return parameters['type'] === 'object' ? parameters : { ...parameters, type: 'object' };
}

function hasToolBlocks({ messages }: InferenceRequest): boolean {
  return messages.some(({ parts }) => parts.some(({ type }) => type === 'tool-call' || type === 'tool-result'));
}

/** A conversation with calls is refused without tools, also where the client has none left to offer. */
function calledTools({ messages }: InferenceRequest): object[] {
  const names = new Set<string>();
  for (const { parts } of messages) for (const part of parts) if (part.type === 'tool-call') names.add(part.name);
  return [...names].map((name) => ({ toolSpec: { name, inputSchema: { json: { type: 'object', properties: {} } } } }));
}

/**
 * There is no `none`: the tools are left out for it, unless the conversation has calls already. `auto` is what models do
 * unasked, and some refuse any choice.
 */
function toolChoice({ toolChoice: choice, tools }: InferenceRequest): object | undefined {
  if (!tools?.length) return undefined;
  switch (choice?.type) {
    case 'required':
      return { any: {} };
    case 'tool':
      return { tool: { name: choice.name } };
    default:
      return undefined;
  }
}
