import { parseExact } from '../../codec/exact-json.ts';
import { isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Part } from '../../inference/request.ts';
import { plainSignature } from '../../inference/signature.ts';
import { strictToolCallId } from '../base/tool-call-id.ts';

/** A content block of Converse. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html */
export type Block = Readonly<Record<string, unknown>>;

export function toBlocks(parts: readonly Part[]): OrError<Block[]> {
  const blocks: Block[] = [];
  for (const part of parts) {
    const block = blockOf(part);
    if (block instanceof GatewayError) return block;
    if (block === undefined) continue;
    blocks.push(block);
    // Bedrock refuses a cache point right behind a document.
    if (part.cacheControl && part.type !== 'file') blocks.push(cachePoint(part.cacheControl));
  }
  return blocks;
}

/** `cache_control: {type: ephemeral, ttl}` marks an end, a cache point stands behind it. */
export function cachePoint(cacheControl: unknown): Block {
  const ttl = isObject(cacheControl) ? cacheControl['ttl'] : undefined;
  return { cachePoint: { type: 'default', ttl } };
}

/** Undefined: the part says nothing that Bedrock would take. */
function blockOf(part: Part): OrError<Block | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      // A blank text is a 400 of its own.
      return part.text.trim() === '' ? undefined : { text: part.text };
    case 'image':
      return image(part.source);
    case 'file':
      return document(part);
    case 'audio':
      return { audio: { format: part.format, source: { bytes: part.base64 } } };
    case 'reasoning': {
      // Without a signature it is only text that a model may have said, and Bedrock refuses it.
      const signature = plainSignature(part.signature);
      return signature ? { reasoningContent: { reasoningText: { text: part.text, signature } } } : undefined;
    }
    case 'redacted-reasoning':
      return { reasoningContent: { redactedContent: part.data } };
    case 'tool-call':
      return { toolUse: { toolUseId: strictToolCallId(part.id), name: part.name, input: inputOf(part.argumentsText) } };
    case 'tool-result':
      return toolResult(part);
  }
}

/** A past call whose arguments were cut must not make every later turn fail: its text goes on in an object. */
function inputOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    const value = parseExact(text);
    if (isObject(value)) return value;
  } catch {
    // Not JSON: sent on as text, as what is JSON but no object.
  }
  return { INVALID_JSON: text };
}

function toolResult(part: Extract<Part, { type: 'tool-result' }>): OrError<Block> {
  const content = toBlocks(part.parts);
  if (content instanceof GatewayError) return content;
  // `status` only where it says something: some models refuse it.
  const status = part.isError ? 'error' : undefined;
  const said = content.length > 0 ? content : [{ text: ' ' }];
  return { toolResult: { toolUseId: strictToolCallId(part.toolCallId), content: said, status } };
}

function image(source: { url: string } | { base64: string; mediaType: string }): OrError<Block> {
  if ('url' in source) {
    if (source.url.startsWith('s3://')) return { image: { format: formatOf(source.url), source: s3(source.url) } };
    return new GatewayError('unsupported_parameter', {
      param: 'messages',
      detail: 'Bedrock takes images as a data: URL, from the web (fetched for it), or from s3://.',
    });
  }
  const format = source.mediaType.slice(source.mediaType.indexOf('/') + 1);
  return { image: { format, source: { bytes: source.base64 } } };
}

function s3(uri: string): object {
  return { s3Location: { uri } };
}

function formatOf(name: string): string | undefined {
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(name)?.[1]?.toLowerCase();
  return ending === 'jpg' ? 'jpeg' : ending;
}

const FORMATS: ReadonlyMap<string, string> = new Map([
  ['application/pdf', 'pdf'],
  ['text/csv', 'csv'],
  ['text/html', 'html'],
  ['text/plain', 'txt'],
  ['text/markdown', 'md'],
  ['application/msword', 'doc'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.ms-excel', 'xls'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
]);

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html */
function document(part: Extract<Part, { type: 'file' }>): OrError<Block> {
  const { filename = '', mediaType = '', base64 } = part;
  if (base64 !== undefined && mediaType.startsWith('image/')) return image({ base64, mediaType });
  const format = FORMATS.get(mediaType) ?? formatOf(filename);
  const address = part.url ?? part.fileId;
  const source = base64 === undefined ? address?.startsWith('s3://') && s3(address) : { bytes: base64 };
  if (source && format !== undefined) return { document: { format, name: documentName(filename), source } };
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail:
      'Bedrock takes files of a type it knows (PDF, CSV, Word, Excel, HTML, text, Markdown) as a data: URL, from the web, or from s3://.',
  });
}

/** Letters, digits, single blanks, hyphens, parentheses and brackets are all that Bedrock takes. */
function documentName(filename: string): string {
  const name = filename
    .replace(/\.[^.]*$/, '')
    .replace(/[^A-Za-z0-9\s()[\]-]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return name === '' ? 'document' : name.slice(0, 200);
}
