import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { NativeTool, Tool, ToolChoice } from '../../inference/request.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';

/** The keys of a function tool that have a neutral name, in the tool or in its `function`. */
const READ_KEYS: ReadonlySet<string> = new Set([
  'type',
  'function',
  'name',
  'description',
  'parameters',
  'strict',
  'cache_control',
]);

/** Those that the client itself runs. */
export function toTools(reader: RequestReader, value: unknown): Tool[] | undefined {
  if (value === undefined || value === null) return undefined;
  const tools: Tool[] = [];
  for (const [index, entry] of reader.list(value, 'tools').entries()) {
    const tool = reader.requiredObject(entry, `tools[${index}]`);
    const type = reader.requiredText(tool['type'], `tools[${index}].type`);
    if (type === 'function') tools.push(toTool(reader, tool, `tools[${index}]`));
  }
  return tools;
}

/** Those of every other type, as they are. */
export function toNativeTools(reader: RequestReader, value: unknown): NativeTool[] | undefined {
  const tools: NativeTool[] = [];
  for (const [index, entry] of reader.list(value, 'tools').entries()) {
    const type = objectOf(entry)?.['type'];
    if (typeof type === 'string' && type !== 'function')
      tools.push({ type, definition: entry, place: `tools[${index}]` });
  }
  return tools.length > 0 ? tools : undefined;
}

function toTool(reader: RequestReader, tool: JsonObject, place: string): Tool {
  const definition = reader.requiredObject(tool['function'], `${place}.function`);
  return {
    name: reader.requiredText(definition['name'], `${place}.function.name`),
    description: reader.text(definition['description'], `${place}.function.description`),
    parameters: reader.object(definition['parameters'], `${place}.function.parameters`),
    strict: reader.flag(definition['strict'], `${place}.function.strict`),
    cacheControl: tool['cache_control'] ?? definition['cache_control'] ?? undefined,
    extra: { ...others(tool), ...others(definition) },
  };
}

function others(source: JsonObject): Record<string, unknown> {
  return Object.fromEntries(Object.entries(source).filter(([key, value]) => !READ_KEYS.has(key) && value !== null));
}

export function toToolChoice(reader: RequestReader, value: unknown): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === 'auto' || value === 'none' || value === 'required') return { type: value };
  if (typeof value === 'string') {
    reader.invalid('tool_choice', 'auto, none, required or an object', value);
    return undefined;
  }
  const choice = reader.requiredObject(value, 'tool_choice');
  const type = reader.requiredText(choice['type'], 'tool_choice.type');
  if (type === 'allowed_tools') return { type: allowedTools(reader, choice).mode };
  if (type !== 'function') {
    reader.unsupported(
      'tool_choice.type',
      `A choice of type "${type.slice(0, 40)}" cannot be translated for this provider.`,
    );
  }
  const named = reader.requiredObject(choice['function'], 'tool_choice.function');
  return { type: 'tool', name: reader.requiredText(named['name'], 'tool_choice.function.name') };
}

interface AllowedTools {
  readonly mode: 'auto' | 'required';
  readonly names: ReadonlySet<string>;
}

/** https://platform.openai.com/docs/api-reference/chat/create#chat_create-tool_choice-allowed_tools */
function allowedTools(reader: RequestReader, choice: JsonObject): AllowedTools {
  const place = 'tool_choice.allowed_tools';
  const allowed = reader.requiredObject(choice['allowed_tools'], place);
  const mode = reader.text(allowed['mode'], `${place}.mode`) ?? 'auto';
  if (mode !== 'auto' && mode !== 'required') reader.invalid(`${place}.mode`, 'auto or required', mode);
  const names = reader.list(allowed['tools'], `${place}.tools`).map((tool, index) => {
    const named = objectOf(objectOf(tool)?.['function']);
    return reader.requiredText(named?.['name'], `${place}.tools[${index}].function.name`);
  });
  return { mode: mode === 'required' ? 'required' : 'auto', names: new Set(names) };
}

/** The functions that may be called: no other provider has a word for it, so the rest is not offered. */
export function offeredTools(reader: RequestReader, tools: Tool[] | undefined, choice: unknown): Tool[] | undefined {
  const asked = objectOf(choice);
  if (tools === undefined || asked?.['type'] !== 'allowed_tools') return tools;
  const { names } = allowedTools(reader, asked);
  const offered = tools.filter(({ name }) => names.has(name));
  return offered.length > 0 ? offered : undefined;
}
