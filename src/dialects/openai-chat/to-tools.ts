import type { Tool, ToolChoice } from '../../inference/request.ts';
import type { RequestReader } from './request-reader.ts';

export function toTools(reader: RequestReader, value: unknown): Tool[] | undefined {
  if (value === undefined || value === null) return undefined;
  return reader.list(value, 'tools').map((entry, index) => toTool(reader, entry, `tools[${index}]`));
}

function toTool(reader: RequestReader, value: unknown, place: string): Tool {
  const tool = reader.requiredObject(value, place);
  const type = reader.requiredText(tool['type'], `${place}.type`);
  if (type !== 'function') {
    reader.unsupported(`${place}.type`, `Tools of type "${type.slice(0, 40)}" cannot be translated for this provider.`);
  }
  const definition = reader.requiredObject(tool['function'], `${place}.function`);
  return {
    name: reader.requiredText(definition['name'], `${place}.function.name`),
    description: reader.text(definition['description'], `${place}.function.description`),
    parameters: reader.object(definition['parameters'], `${place}.function.parameters`),
    strict: reader.flag(definition['strict'], `${place}.function.strict`),
    cacheControl: tool['cache_control'] ?? definition['cache_control'] ?? undefined,
  };
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
  if (type !== 'function') {
    reader.unsupported(
      'tool_choice.type',
      `A choice of type "${type.slice(0, 40)}" cannot be translated for this provider.`,
    );
  }
  const named = reader.requiredObject(choice['function'], 'tool_choice.function');
  return { type: 'tool', name: reader.requiredText(named['name'], 'tool_choice.function.name') };
}
