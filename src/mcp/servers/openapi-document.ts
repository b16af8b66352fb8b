import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { McpOpenApi, McpOperation } from '../../config/mcp/mcp-servers.ts';
import { type OperationBody, operationBody } from './openapi-body.ts';
import { References } from './openapi-references.ts';

/** Where an argument of a tool goes in the request. */
export interface Parameter {
  /** The name of the argument. */
  readonly argument: string;
  readonly name: string;
  readonly place: 'path' | 'query' | 'header';
  readonly explode: boolean;
  /** The keys of an object become parameters of their own: `filter[name]=…`. */
  readonly deep: boolean;
}

/** One operation of an API as a tool. */
export interface OperationTool {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Undefined: the operation takes none. */
  readonly body: OperationBody | undefined;
  /** As clients see it. */
  readonly tool: JsonObject & { readonly name: string };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head'];
/** The most tools of `enable_all_tools`, as the reference product has it. */
const MAX_ALL = 30;
const MAX_NAME = 64;

/**
 * Operations of an OpenAPI document as tools: https://spec.openapis.org/oas/v3.1.0. Parameters and body become
 * arguments; `$ref` is put in, so that a model sees one schema. A text says what is wrong with the document.
 */
export function toolsOf(
  document: JsonObject,
  manifest: Pick<McpOpenApi, 'allTools' | 'operations'>,
): OperationTool[] | string {
  const paths = objectOf(document['paths']);
  if (!paths) return 'the document has no `paths`';
  const references = new References(document);
  if (!manifest.allTools) {
    const found = manifest.operations.map((written) => {
      const operation = objectOf(objectOf(paths[written.path])?.[written.method]);
      return operation ? toolOf(references, paths, written.method, written.path, operation, written) : written;
    });
    const missing = found.find((each): each is McpOperation => !('tool' in each));
    if (missing) return `the document has no operation ${missing.method.toUpperCase()} ${missing.path}`;
    return found.flatMap((each) => ('tool' in each ? each : []));
  }
  const all: OperationTool[] = [];
  // The names of the manifest are its own, whatever the document calls its operations: rules name tools by them.
  const names = new Set(manifest.operations.map(({ name }) => name));
  for (const [path, item] of Object.entries(paths)) {
    for (const method of METHODS) {
      const operation = objectOf(objectOf(item)?.[method]);
      if (!operation) continue;
      const written = manifest.operations.find((each) => each.path === path && each.method === method);
      const name = written?.name ?? freeName(stringOf(operation['operationId']) ?? `${method}_${path}`, names);
      all.push(toolOf(references, paths, method, path, operation, { ...written, name }));
      if (all.length === MAX_ALL) return all;
    }
  }
  return all;
}

function toolOf(
  references: References,
  paths: JsonObject,
  method: string,
  path: string,
  operation: JsonObject,
  written: Pick<McpOperation, 'name'> & Partial<McpOperation>,
): OperationTool {
  const listed = [...listOf(objectOf(paths[path])?.['parameters']), ...listOf(operation['parameters'])];
  const properties: Record<string, unknown> = {};
  const required = new Set<string>();
  const parameters = new Map<string, Parameter>();
  for (const each of listed) {
    const parameter = objectOf(references.resolved(each));
    const [name, place] = [stringOf(parameter?.['name']), stringOf(parameter?.['in'])];
    if (!parameter || name === undefined || (place !== 'path' && place !== 'query' && place !== 'header')) continue;
    // A header that frames the message or authorises the gateway is not the model's to choose.
    if (place === 'header' && /^(authorization|content-|accept|host|cookie|connection|transfer-)/i.test(name)) continue;
    const argument = name === 'body' ? 'body_parameter' : name;
    const { description } = parameter;
    properties[argument] = { ...objectOf(parameter['schema']), ...(description !== undefined && { description }) };
    if (place === 'path' || parameter['required'] === true) required.add(argument);
    parameters.set(`${place} ${name}`, {
      argument,
      name,
      place,
      explode: parameter['explode'] !== false,
      deep: parameter['style'] === 'deepObject',
    });
  }
  const found = operationBody(objectOf(references.resolved(operation['requestBody'])) ?? {});
  if (found) {
    properties['body'] = found.schema;
    if (found.body.required) required.add('body');
  }
  const { name } = written;
  const description =
    written.description ?? stringOf(operation['description']) ?? stringOf(operation['summary']) ?? `${method} ${path}`;
  const tool = {
    name,
    description,
    inputSchema: { type: 'object', properties, ...(required.size > 0 && { required: [...required] }) },
    annotations: {
      readOnlyHint: method === 'get' || method === 'head',
      ...((method === 'delete' || method === 'put') && { destructiveHint: true }),
      openWorldHint: true,
      ...written.annotations,
    },
  };
  return { method: method.toUpperCase(), path, parameters: [...parameters.values()], body: found?.body, tool };
}

/** As clients take names, and no two alike. */
function freeName(text: string, names: Set<string>): string {
  const plain = text.replaceAll(/[^A-Za-z0-9_.-]+/g, '_').replaceAll(/^_+|_+$/g, '');
  const name = plain.slice(0, MAX_NAME) || 'operation';
  let free = name;
  for (let count = 2; names.has(free); count += 1) free = `${name.slice(0, MAX_NAME - 4)}_${count}`;
  names.add(free);
  return free;
}

function listOf(value: unknown): readonly unknown[] {
  return isArray(value) ? value : [];
}
