import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { NativeTool, Tool, ToolChoice } from '../../inference/request.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';

const READ_KEYS: ReadonlySet<string> = new Set([
  'type',
  'name',
  'description',
  'input_schema',
  'strict',
  'cache_control',
]);

/** Those that the client itself runs: `type` is `custom`, or absent. */
export function toTools(reader: RequestReader, value: unknown): Tool[] | undefined {
  if (value === undefined || value === null) return undefined;
  const tools: Tool[] = [];
  for (const [index, entry] of reader.list(value, 'tools').entries()) {
    const tool = reader.requiredObject(entry, `tools[${index}]`);
    if (isCustom(tool)) tools.push(toTool(reader, tool, `tools[${index}]`));
  }
  return tools;
}

/** Those that Anthropic defines, with a date in their type, as they are. */
export function toNativeTools(reader: RequestReader, value: unknown): NativeTool[] | undefined {
  const tools: NativeTool[] = [];
  for (const [index, entry] of reader.list(value, 'tools').entries()) {
    const tool = objectOf(entry);
    const type = tool?.['type'];
    if (tool !== undefined && !isCustom(tool) && typeof type === 'string')
      tools.push({ type, definition: entry, place: `tools[${index}]` });
  }
  return tools.length > 0 ? tools : undefined;
}

function isCustom({ type }: JsonObject): boolean {
  return type === undefined || type === null || type === 'custom';
}

function toTool(reader: RequestReader, tool: JsonObject, place: string): Tool {
  return {
    name: reader.requiredText(tool['name'], `${place}.name`),
    description: reader.text(tool['description'], `${place}.description`),
    parameters: reader.object(tool['input_schema'], `${place}.input_schema`),
    strict: reader.flag(tool['strict'], `${place}.strict`),
    cacheControl: tool['cache_control'] ?? undefined,
    extra: Object.fromEntries(Object.entries(tool).filter(([key, value]) => !READ_KEYS.has(key) && value !== null)),
  };
}

export function toToolChoice(reader: RequestReader, choice: JsonObject): ToolChoice | undefined {
  const type = reader.requiredText(choice['type'], 'tool_choice.type');
  switch (type) {
    case 'auto':
    case 'none':
      return { type };
    case 'any':
      return { type: 'required' };
    case 'tool':
      return { type: 'tool', name: reader.requiredText(choice['name'], 'tool_choice.name') };
    default:
      reader.invalid('tool_choice.type', 'auto, any, tool or none', type);
      return undefined;
  }
}

/** Undefined where nothing is said of it. */
export function isParallel(reader: RequestReader, choice: JsonObject): boolean | undefined {
  const place = 'tool_choice.disable_parallel_tool_use';
  const single = reader.flag(choice['disable_parallel_tool_use'], place);
  return single === undefined ? undefined : !single;
}
