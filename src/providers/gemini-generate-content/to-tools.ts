import { isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, NativeTool, Tool } from '../../inference/request.ts';
import { boundOf, webSearchOf } from '../base/web-search.ts';

/** Google's own tools, by the type under which a client may send them. https://ai.google.dev/api/caching#Tool */
const NATIVE: ReadonlyMap<string, string> = new Map([
  ['google_search', 'googleSearch'],
  ['googleSearch', 'googleSearch'],
  ['google_search_retrieval', 'googleSearchRetrieval'],
  ['googleSearchRetrieval', 'googleSearchRetrieval'],
  ['code_execution', 'codeExecution'],
  ['code_interpreter', 'codeExecution'],
  ['codeExecution', 'codeExecution'],
  ['url_context', 'urlContext'],
  ['urlContext', 'urlContext'],
  ['google_maps', 'googleMaps'],
  ['googleMaps', 'googleMaps'],
  ['enterprise_web_search', 'enterpriseWebSearch'],
  ['enterpriseWebSearch', 'enterpriseWebSearch'],
]);

export function toTools({ tools = [], nativeTools = [], extra }: InferenceRequest): OrError<object[] | undefined> {
  const made: object[] = [];
  if (tools.length > 0) made.push({ functionDeclarations: tools.map(functionDeclaration) });
  for (const tool of nativeTools) {
    const native = nativeTool(tool);
    if (native instanceof GatewayError) return native;
    made.push(native);
  }
  if (extra['web_search_options'] !== undefined) made.push({ googleSearch: {} });
  return made.length > 0 ? made : undefined;
}

function nativeTool(tool: NativeTool): OrError<object> {
  const { type, place, definition } = tool;
  const name = NATIVE.get(type);
  const search = name === undefined ? webSearchOf(tool) : undefined;
  const bound = search && boundOf(search);
  if (bound !== undefined) {
    const detail = `Google's search cannot be bound to domains: leave out \`${bound}\`.`;
    return new GatewayError('unsupported_parameter', { param: place, detail });
  }
  if (search) return { googleSearch: {} };
  if (name === undefined) {
    const detail = `Gemini has no tools of type "${type.slice(0, 40)}": functions, google_search, code_execution, url_context, google_maps.`;
    return new GatewayError('unsupported_parameter', { param: `${place}.type`, detail });
  }
  // Its container is OpenAI's.
  if (type === 'code_interpreter') return { [name]: {} };
  const { type: _type, [type]: inner, ...rest } = isObject(definition) ? definition : {};
  return { [name]: isObject(inner) ? inner : rest };
}

function functionDeclaration({ name, description, parameters }: Tool): object {
  return { name, description, parametersJsonSchema: parametersSchema(parameters) };
}

/** A function without parameters has no schema: Gemini refuses an object without properties. */
function parametersSchema(parameters: unknown): JsonObject | undefined {
  if (!isObject(parameters)) return undefined;
  const { $schema: _dialect, ...schema } = parameters;
  const { properties } = schema;
  const takesNothing = !isObject(properties) || Object.keys(properties).length === 0;
  if (takesNothing && schema['anyOf'] === undefined && schema['$ref'] === undefined) return undefined;
  return schema['type'] === undefined ? { type: 'object', ...schema } : schema;
}

/** https://ai.google.dev/api/caching#FunctionCallingConfig. Asked only where there are functions. */
export function toolConfig({ toolChoice, tools }: InferenceRequest): object | undefined {
  if (!tools?.length || toolChoice === undefined) return undefined;
  switch (toolChoice.type) {
    case 'auto':
      return mode('AUTO');
    case 'none':
      return mode('NONE');
    case 'required':
      return mode('ANY');
    case 'tool':
      return mode('ANY', [toolChoice.name]);
  }
}

function mode(name: string, allowedFunctionNames?: string[]): object {
  return { functionCallingConfig: { mode: name, allowedFunctionNames } };
}
