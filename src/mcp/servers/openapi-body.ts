import { randomBytes } from 'node:crypto';
import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { INVALID_PARAMS, RpcError } from '../protocol/json-rpc.ts';

/** What an operation takes as its body, which is the argument `body` of its tool. */
export interface OperationBody {
  readonly contentType: string;
  readonly required: boolean;
  /** The fields of a form by name, where its document says something of them. */
  readonly fields: ReadonlyMap<string, FormField>;
  /** The whole body is a file. */
  readonly isFile: boolean;
}

/** https://spec.openapis.org/oas/v3.1.0#encoding-object */
export interface FormField {
  readonly isFile: boolean;
  /** Undefined: as its value is. */
  readonly contentType: string | undefined;
  readonly deep: boolean;
  readonly explode: boolean;
}

export interface SentBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

const MULTIPART = 'multipart/form-data';
const URL_ENCODED = 'application/x-www-form-urlencoded';
const PLAIN: FormField = { isFile: false, contentType: undefined, deep: false, explode: true };
/** RFC 9110 §8.3.1, with parameters; one alone, without wildcards. */
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:; ?[\w-]{1,64}=[\w.+-]{1,64}){0,4}$/;

const FILE_SCHEMA = {
  description:
    'A file: its text, or a data URL (data:image/png;base64,…), or an object with `base64` or `text`, and `filename` and `content_type` where they matter.',
  anyOf: [
    { type: 'string' },
    {
      type: 'object',
      properties: {
        base64: { type: 'string' },
        text: { type: 'string' },
        filename: { type: 'string' },
        content_type: { type: 'string' },
      },
    },
  ],
};

/** The body of an operation, and the schema that a model sees of it; undefined: it takes none. `body`: without `$ref`. */
export function operationBody(
  body: JsonObject,
): { readonly body: OperationBody; readonly schema: JsonObject } | undefined {
  const content = objectOf(body['content']) ?? {};
  const types = Object.keys(content);
  const is = (wanted: string) => (type: string) => type.toLowerCase().startsWith(wanted);
  const contentType =
    types.find((type) => /json/i.test(type)) ?? types.find(is(MULTIPART)) ?? types.find(is(URL_ENCODED)) ?? types[0];
  if (contentType === undefined) return undefined;
  const media = objectOf(content[contentType]) ?? {};
  const written = objectOf(media['schema']) ?? {};
  const about = { contentType, required: body['required'] === true };
  if (!isForm(contentType)) {
    const isFile = !/json|^text\//i.test(contentType) && (isBinary(written) || Object.keys(written).length === 0);
    return { body: { ...about, fields: new Map(), isFile }, schema: isFile ? fileSchema(written) : written };
  }
  const encodings = objectOf(media['encoding']) ?? {};
  const fields = new Map<string, FormField>();
  return { body: { ...about, fields, isFile: false }, schema: formSchema(written, encodings, fields) };
}

/** The body that is sent for the argument; undefined: none. Throws an RpcError where the argument makes no such body. */
export function sentBody(
  { contentType, required, fields, isFile }: OperationBody,
  value: unknown,
  maxBytes: number,
): SentBody | undefined {
  if (value === undefined) {
    if (required) throw new RpcError(INVALID_PARAMS, 'The argument `body` is missing.');
    return undefined;
  }
  const sent = isForm(contentType)
    ? form(contentType, fields, value, maxBytes)
    : isFile
      ? { bytes: fileOf('body', value, undefined).bytes, contentType }
      : { bytes: Buffer.from(/json/i.test(contentType) ? JSON.stringify(value) : textOf(value)), contentType };
  if (sent.bytes.length > maxBytes) throw tooLarge(maxBytes);
  return sent;
}

/** `append` is called for each pair that the value makes of a parameter of a query, or of a field of a form. */
export function spread(
  name: string,
  value: unknown,
  { deep, explode }: Pick<FormField, 'deep' | 'explode'>,
  append: (name: string, text: string) => void,
): void {
  if (value === undefined || value === null) return;
  if (isArray(value) && explode) for (const each of value) append(name, textOf(each));
  else if (isObject(value) && deep) {
    for (const [key, each] of Object.entries(value)) spread(`${name}[${key}]`, each, { deep, explode }, append);
  } else append(name, textOf(value));
}

export function textOf(value: unknown): string {
  if (isArray(value)) return value.map(textOf).join(',');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

function isForm(contentType: string): boolean {
  const [type] = contentType.toLowerCase().split(';');
  return type?.trim() === MULTIPART || type?.trim() === URL_ENCODED;
}

/** A string of any bytes: `format: binary` of 3.0, a media type without an encoding of 3.1. */
function isBinary({ format, contentMediaType, contentEncoding }: JsonObject): boolean {
  return format === 'binary' || (contentMediaType !== undefined && contentEncoding === undefined);
}

function fileSchema({ description }: JsonObject): JsonObject {
  const own = stringOf(description);
  return own === undefined ? FILE_SCHEMA : { ...FILE_SCHEMA, description: `${own} ${FILE_SCHEMA.description}` };
}

/** With files as a model can give them; what is told of each field is added to `fields`. */
function formSchema(schema: JsonObject, encodings: JsonObject, fields: Map<string, FormField>): JsonObject {
  const { properties, allOf } = schema;
  const shown = Object.entries(objectOf(properties) ?? {}).map(([name, each]) => {
    const property = objectOf(each) ?? {};
    const { contentType, style, explode } = objectOf(encodings[name]) ?? {};
    const type = stringOf(contentType);
    const items = objectOf(property['items']);
    const isFile = isBinary(property) || (items !== undefined && isBinary(items)) || isFileType(property, type);
    fields.set(name, {
      isFile,
      contentType: type !== undefined && MEDIA_TYPE.test(type) ? type : undefined,
      deep: style === 'deepObject',
      explode: explode !== false,
    });
    if (!isFile) return [name, each] as const;
    return [name, items ? { ...property, items: fileSchema(items) } : fileSchema(property)] as const;
  });
  return {
    ...schema,
    ...(isObject(properties) && { properties: Object.fromEntries(shown) }),
    ...(isArray(allOf) && { allOf: allOf.map((each) => formSchema(objectOf(each) ?? {}, encodings, fields)) }),
  };
}

/** Whether it is a file as OpenAPI 3.1 writes one, whose schema may be empty. */
function isFileType(property: JsonObject, type: string | undefined): boolean {
  return type !== undefined && property['type'] === undefined && !/json|^text\//i.test(type);
}

function form(contentType: string, fields: OperationBody['fields'], value: unknown, maxBytes: number): SentBody {
  if (!isObject(value)) {
    throw new RpcError(INVALID_PARAMS, 'The argument `body` must be an object: each of its keys is a field of a form.');
  }
  if (contentType.toLowerCase().startsWith(URL_ENCODED)) {
    const pairs = new URLSearchParams();
    for (const [name, each] of Object.entries(value)) {
      spread(name, each, fields.get(name) ?? PLAIN, (key, text) => pairs.append(key, text));
    }
    return { contentType, bytes: Buffer.from(pairs.toString()) };
  }
  const boundary = `sluice-${randomBytes(18).toString('hex')}`;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const part = (head: string, body: Buffer): void => {
    chunks.push(Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`), body, CRLF);
    bytes += body.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
  };
  for (const [name, each] of Object.entries(value)) {
    const field = fields.get(name) ?? PLAIN;
    if (field.isFile) {
      for (const [index, one] of (isArray(each) ? each : [each]).entries()) {
        if (one === undefined || one === null) continue;
        const place = isArray(each) ? `body.${name}[${index}]` : `body.${name}`;
        const { bytes: content, filename = name, contentType: type } = fileOf(place, one, field.contentType);
        part(`${quoted('name', name)}; ${quoted('filename', filename)}\r\ncontent-type: ${type}`, content);
      }
      continue;
    }
    const isJson = !field.deep && (isObject(each) || (isArray(each) && each.some(isObject)));
    const type = field.contentType ?? (isJson ? 'application/json' : undefined);
    const suffix = type === undefined ? '' : `\r\ncontent-type: ${type}`;
    spread(name, each, field, (key, text) => part(`${quoted('name', key)}${suffix}`, Buffer.from(text)));
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `${MULTIPART}; boundary=${boundary}`, bytes: Buffer.concat(chunks) };
}

const CRLF = Buffer.from('\r\n');

/** As browsers write it: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data */
function quoted(key: string, value: string): string {
  const written = value.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
  return `${key}="${written}"`;
}

interface File {
  readonly bytes: Buffer;
  readonly filename?: string;
  readonly contentType: string;
}

const DATA_URL = /^data:([^,;]{0,255})((?:;[^,;]{1,255}){0,4}),/i;
const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';

/** What a model gives in the place of a file. `place`: for its errors. */
function fileOf(place: string, value: unknown, ofDocument: string | undefined): File {
  if (typeof value === 'string') {
    const { bytes, type } = contentOf(place, value);
    return { bytes, contentType: ofDocument ?? type };
  }
  const { base64, text, filename, content_type: type } = objectOf(value) ?? {};
  const [encoded, plain] = [stringOf(base64), stringOf(text)];
  if ((encoded === undefined) === (plain === undefined)) {
    const detail = 'text, a data URL, or an object with either `base64` or `text`';
    throw new RpcError(INVALID_PARAMS, `The file \`${place}\` must be ${detail}.`);
  }
  const isUrl = encoded !== undefined && DATA_URL.test(encoded);
  const found =
    encoded === undefined
      ? { bytes: Buffer.from(plain ?? ''), type: TEXT }
      : isUrl
        ? contentOf(place, encoded)
        : { bytes: decoded(place, encoded), type: BYTES };
  const named = stringOf(type);
  if (named !== undefined && !MEDIA_TYPE.test(named)) {
    throw new RpcError(INVALID_PARAMS, `The \`content_type\` of the file \`${place}\` is no media type.`);
  }
  const name = stringOf(filename);
  return {
    bytes: found.bytes,
    contentType: named ?? ofDocument ?? found.type,
    ...(name !== undefined && { filename: name.slice(0, MAX_FILENAME) }),
  };
}

const MAX_FILENAME = 255;

function contentOf(place: string, text: string): { readonly bytes: Buffer; readonly type: string } {
  const [head, type = '', parameters = ''] = DATA_URL.exec(text) ?? [];
  if (head === undefined) return { bytes: Buffer.from(text), type: TEXT };
  const content = text.slice(head.length);
  const named = MEDIA_TYPE.test(type) ? type : BYTES;
  if (/;base64$/i.test(parameters)) return { bytes: decoded(place, content), type: named };
  try {
    return { bytes: Buffer.from(decodeURIComponent(content)), type: named };
  } catch {
    // A malformed escape.
    throw new RpcError(INVALID_PARAMS, `The file \`${place}\` is no valid data URL.`);
  }
}

function decoded(place: string, base64: string): Buffer {
  const text = base64.replaceAll(/\s+/g, '');
  // The decoder skips what is foreign to it, and a file would be sent that nobody meant.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replaceAll('=', '').length % 4 === 1) {
    throw new RpcError(INVALID_PARAMS, `The file \`${place}\` is no valid base64.`);
  }
  return Buffer.from(text, 'base64');
}

function tooLarge(maxBytes: number): RpcError {
  return new RpcError(INVALID_PARAMS, `The body is larger than mcp.max_message_bytes: ${maxBytes}.`);
}
