import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { NativeTool, Tool, ToolChoice } from '../../inference/request.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';
import { CUSTOM_INPUT, flatName } from './tool-names.ts';

export interface ReadTools {
  /** Those that the client itself runs. */
  readonly tools: Tool[];
  /** Those of every other type, as they are: a provider has them, or refuses them by type. */
  readonly nativeTools: NativeTool[];
}

/** https://platform.openai.com/docs/api-reference/responses/create#responses-create-tools */
export function readTools(reader: RequestReader, value: unknown): ReadTools {
  const read: ReadTools = { tools: [], nativeTools: [] };
  for (const [index, entry] of reader.list(value, 'tools').entries()) {
    readTool(reader, reader.requiredObject(entry, `tools[${index}]`), `tools[${index}]`, undefined, read);
  }
  return read;
}

function readTool(
  reader: RequestReader,
  tool: JsonObject,
  place: string,
  namespace: string | undefined,
  read: ReadTools,
): void {
  const type = reader.requiredText(tool['type'], `${place}.type`);
  switch (type) {
    case 'function':
      read.tools.push({
        name: flatName(reader.requiredText(tool['name'], `${place}.name`), namespace),
        description: reader.text(tool['description'], `${place}.description`),
        parameters: reader.object(tool['parameters'], `${place}.parameters`),
        strict: reader.flag(tool['strict'], `${place}.strict`),
        extra: {},
      });
      return;
    case 'custom':
      read.tools.push(customTool(reader, tool, place, namespace));
      return;
    case 'namespace': {
      const name = reader.requiredText(tool['name'], `${place}.name`);
      for (const [index, each] of reader.list(tool['tools'], `${place}.tools`).entries()) {
        const at = `${place}.tools[${index}]`;
        readTool(reader, reader.requiredObject(each, at), at, name, read);
      }
      return;
    }
    default:
      read.nativeTools.push({ type, definition: tool, place });
  }
}

/** Its input is free text: others are given a function of one text. A grammar is told in words, and nobody enforces it. */
function customTool(reader: RequestReader, tool: JsonObject, place: string, namespace: string | undefined): Tool {
  const format = reader.object(tool['format'], `${place}.format`);
  const description = reader.text(tool['description'], `${place}.description`) ?? '';
  const definition = stringOf(format?.['definition']);
  const grammar =
    definition === undefined
      ? ''
      : `\n\nThe text must follow this grammar (${stringOf(format?.['syntax']) ?? 'lark'}):\n${definition}`;
  return {
    name: flatName(reader.requiredText(tool['name'], `${place}.name`), namespace),
    description: `${description}${grammar}`,
    parameters: {
      type: 'object',
      properties: { [CUSTOM_INPUT]: { type: 'string', description: 'The whole input of the tool, as free text.' } },
      required: [CUSTOM_INPUT],
      additionalProperties: false,
    },
    extra: {},
  };
}

interface Chosen {
  readonly choice: ToolChoice | undefined;
  /** Those of them that may be called. */
  readonly tools: Tool[];
}

export function toToolChoice(reader: RequestReader, value: unknown, tools: Tool[]): Chosen {
  if (value === undefined || value === null) return { choice: undefined, tools };
  if (value === 'auto' || value === 'none' || value === 'required') return { choice: { type: value }, tools };
  const place = 'tool_choice';
  if (typeof value === 'string') {
    reader.invalid(place, 'auto, none, required or an object', value);
    return { choice: undefined, tools };
  }
  const choice = reader.requiredObject(value, place);
  const type = reader.requiredText(choice['type'], `${place}.type`);
  if (type === 'function' || type === 'custom') {
    return { choice: { type: 'tool', name: reader.requiredText(choice['name'], `${place}.name`) }, tools };
  }
  if (type === 'allowed_tools') return allowedTools(reader, choice, tools);
  reader.unsupported(`${place}.type`, `A choice of type "${type.slice(0, 40)}" cannot be made at this provider.`);
  return { choice: undefined, tools };
}

function allowedTools(reader: RequestReader, choice: JsonObject, tools: Tool[]): Chosen {
  const mode = reader.text(choice['mode'], 'tool_choice.mode') ?? 'auto';
  const { tools: allowed } = choice;
  const names = new Set(isArray(allowed) ? allowed.map((each) => stringOf(objectOf(each)?.['name'])) : []);
  if (mode !== 'auto' && mode !== 'required') reader.invalid('tool_choice.mode', 'auto or required', mode);
  return {
    choice: { type: mode === 'required' ? 'required' : 'auto' },
    tools: tools.filter(({ name }) => names.has(name)),
  };
}
