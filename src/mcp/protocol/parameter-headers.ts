import { scalarText } from '../../codec/exact-json.ts';
import { isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';

/**
 * Arguments of a tool that a server wants in headers as well (`x-mcp-header`):
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#custom-headers-from-tool-parameters
 */
export interface ParameterHeader {
  /** Behind `Mcp-Param-`. */
  readonly header: string;
  /** Undefined: the argument is not there, and neither is the header. */
  valueIn(args: unknown): string | undefined;
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const PRIMITIVE = new Set(['string', 'integer', 'boolean']);
const MAX_DEPTH = 16;

/** Undefined: a wish is malformed, and with it the definition of the tool. */
export function parameterHeaders(inputSchema: unknown): readonly ParameterHeader[] | undefined {
  const found: ParameterHeader[] = [];
  const names = new Set<string>();
  const visit = (schema: JsonObject, path: readonly string[]): boolean => {
    if (path.length > MAX_DEPTH) return true;
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'properties') continue;
      if (key !== 'x-mcp-header' && holdsWish(value, 0)) return false;
    }
    const properties = objectOf(schema['properties']) ?? {};
    for (const [name, property] of Object.entries(properties)) {
      if (!isObject(property)) continue;
      const below = [...path, name];
      const header = property['x-mcp-header'];
      if (header !== undefined) {
        const type = property['type'];
        if (typeof header !== 'string' || !TOKEN.test(header) || !PRIMITIVE.has(scalarText(type) ?? '')) return false;
        if (names.has(header.toLowerCase())) return false;
        names.add(header.toLowerCase());
        found.push({ header, valueIn: (args) => textAt(args, below) });
      }
      if (!visit(property, below)) return false;
    }
    return true;
  };
  const schema = objectOf(inputSchema);
  if (!schema) return found;
  return schema['x-mcp-header'] === undefined && visit(schema, []) ? found : undefined;
}

/** Under a key that is no chain of `properties` a wish cannot be met. */
function holdsWish(value: unknown, depth: number): boolean {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((each) => holdsWish(each, depth + 1));
  return Object.entries(value).some(([key, each]) => key === 'x-mcp-header' || holdsWish(each, depth + 1));
}

function textAt(args: unknown, path: readonly string[]): string | undefined {
  let value = args;
  for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
  return undefined;
}
