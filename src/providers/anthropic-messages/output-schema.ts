import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';

/**
 * A JSON Schema as structured outputs take it. Anthropic knows a part of the keywords only and refuses the rest with 400;
 * its SDKs move what it does not know into the description, where the model still reads it, and close every object.
 * The depth is that of the request body, which the edge bounds.
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
export function outputSchema(source: JsonObject): JsonObject {
  const { $ref, ...rest } = source;
  const out: Record<string, unknown> = {};
  for (const key of ['$defs', 'definitions']) if (isObject(rest[key])) out[key] = eachSchema(rest[key]);
  // Beside a reference nothing counts.
  if ($ref !== undefined) return { ...out, $ref };
  const moved: string[] = [];
  const type = typeOf(rest);
  if (type !== undefined) out['type'] = type;
  for (const [key, value] of Object.entries(rest)) {
    if (READ.has(key) || IGNORED.has(key)) continue;
    const kept = keptKeyword(key, value, type);
    if (kept === undefined) moved.push(`${key}: ${JSON.stringify(value)}`);
    else out[kept.key] = kept.value;
  }
  if (type === 'object') {
    out['properties'] ??= {};
    out['additionalProperties'] = false;
  }
  const words = [rest['description'], moved.length > 0 ? `{${moved.join(', ')}}` : ''];
  const description = words.filter((text) => typeof text === 'string' && text !== '').join('\n\n');
  if (description !== '') out['description'] = description;
  return out;
}

const READ: ReadonlySet<string> = new Set(['type', '$defs', 'definitions', 'description']);
/** They constrain nothing, or nothing that can be said. */
const IGNORED: ReadonlySet<string> = new Set(['$schema', '$id', '$comment', 'additionalProperties']);
const STRING_FORMATS: ReadonlySet<unknown> = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
]);
/** Literals say their type; a schema of properties is an object although it does not say so. */
function typeOf(schema: JsonObject): unknown {
  const { type } = schema;
  if (type !== undefined) return type;
  if (isObject(schema['properties'])) return 'object';
  return schema['items'] === undefined ? undefined : 'array';
}

function eachSchema(schemas: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, schemaOf(schema)]));
}

/** `true` means anything, and stays. */
function schemaOf(schema: unknown): unknown {
  return isObject(schema) ? outputSchema(schema) : schema;
}

/** Undefined: Anthropic does not take it, so it goes into the description. */
function keptKeyword(key: string, value: unknown, type: unknown): { key: string; value: unknown } | undefined {
  switch (key) {
    case 'title':
    case 'default':
      return { key, value };
    case 'enum':
      return isArray(value) && value.every(isPrimitive) ? { key, value } : undefined;
    case 'const':
      return isPrimitive(value) ? { key, value } : undefined;
    case 'anyOf':
    case 'allOf':
      return isArray(value) ? { key, value: value.map(schemaOf) } : undefined;
    case 'oneOf':
      return isArray(value) ? { key: 'anyOf', value: value.map(schemaOf) } : undefined;
    case 'properties':
      return isObject(value) ? { key, value: eachSchema(value) } : undefined;
    case 'required':
      return isArray(value) ? { key, value } : undefined;
    case 'items':
      return isObject(value) ? { key, value: schemaOf(value) } : undefined;
    case 'format':
      return type === 'string' && STRING_FORMATS.has(value) ? { key, value } : undefined;
    case 'minItems':
      return String(value) === '0' || String(value) === '1' ? { key, value } : undefined;
    default:
      return undefined;
  }
}

/** A number that is kept digit for digit (codec/exact-json.ts) is an object for JavaScript, and none for JSON. */
function isPrimitive(value: unknown): boolean {
  return value === null || typeof value !== 'object' || 'rawJSON' in value;
}
