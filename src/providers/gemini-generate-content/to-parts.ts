import { parseExact } from '../../codec/exact-json.ts';
import { isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Part } from '../../inference/request.ts';
import { ownSignature } from '../../inference/signature.ts';
import { VENDOR } from './vendor.ts';

/** A `Part` as it goes into the body. https://ai.google.dev/api/caching#Part */
export type GeminiPart = Record<string, unknown>;

/** A call of a function: its results are sent under the name, and no id is sent at all. */
interface CalledFunction {
  readonly name: string;
  /** How many calls stand before it in the conversation. */
  readonly place: number;
}

/** The calls so far. An id may come again in a later step, for another function: it means the latest. */
export class CalledFunctions {
  readonly #byId = new Map<string, CalledFunction>();
  #count = 0;

  add(id: string, name: string): void {
    this.#byId.set(id, { name, place: this.#count });
    this.#count += 1;
  }

  get(id: string): CalledFunction | undefined {
    return this.#byId.get(id);
  }
}

/** Undefined: the part says nothing that Gemini would take. */
export function toPart(part: Part, called: CalledFunctions): OrError<GeminiPart | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? undefined : { text: part.text };
    case 'image':
      if ('url' in part.source) return fileData(part.source.url, undefined);
      return { inlineData: { mimeType: part.source.mediaType, data: part.source.base64 } };
    case 'audio':
      return { inlineData: { mimeType: audioType(part.format), data: part.base64 } };
    case 'file':
      return filePart(part);
    case 'reasoning':
    case 'redacted-reasoning':
      // Thoughts are not sent back; only their signature is, with the part that follows (to-contents.ts).
      return undefined;
    case 'tool-call':
      return functionCall(part);
    case 'tool-result':
      return functionResponse(part, called);
  }
}

function functionCall(part: Extract<Part, { type: 'tool-call' }>): GeminiPart {
  const signature = ownSignature(VENDOR, part.signature);
  const call = { functionCall: { name: part.name, args: argumentsOf(part.argumentsText) } };
  return signature === undefined ? call : { ...call, thoughtSignature: signature };
}

/** A past call whose arguments were cut must not make every later turn fail: its text goes on in an object. */
function argumentsOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    const value = parseExact(text);
    if (isObject(value)) return value;
  } catch {
    // Not JSON: sent on as text, as what is JSON but no object.
  }
  return { INVALID_JSON: text };
}

/** Text is put under `output` (or `error`), a JSON object is the response itself. https://ai.google.dev/api/caching#FunctionResponse */
function functionResponse(part: Extract<Part, { type: 'tool-result' }>, called: CalledFunctions): OrError<GeminiPart> {
  const name = called.get(part.toolCallId)?.name;
  if (name === undefined) {
    const detail = `The tool message for call "${part.toolCallId.slice(0, 100)}" has no such call before it; Gemini wants the name of its function.`;
    return new GatewayError('invalid_parameter', { param: 'messages', detail });
  }
  const texts: string[] = [];
  const media: GeminiPart[] = [];
  for (const each of part.parts) {
    const made = 'text' in each ? undefined : toPart(each, called);
    if (made instanceof GatewayError) return made;
    if ('text' in each) texts.push(each.text);
    else if (made !== undefined) media.push(made);
  }
  const text = texts.join('\n');
  const response = part.isError ? { error: text } : (objectFrom(text) ?? { output: text });
  return { functionResponse: { name, response, parts: media.length > 0 ? media : undefined } };
}

function objectFrom(text: string): object | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const value = parseExact(text);
    return isObject(value) ? value : undefined;
  } catch {
    // Text that only looks like JSON.
    return undefined;
  }
}

function filePart(part: Extract<Part, { type: 'file' }>): OrError<GeminiPart> {
  const mimeType = part.mediaType ?? typeOfName(part.filename ?? '');
  if (part.base64 !== undefined) {
    if (mimeType !== undefined) return { inlineData: { mimeType, data: part.base64 } };
    return new GatewayError('unsupported_parameter', {
      param: 'messages',
      detail: 'Gemini wants the type of a file; send it as a data: URL, or with a file name that tells it.',
    });
  }
  return fileData(part.url ?? part.fileId ?? '', mimeType);
}

/** Files are named by their address, uploaded ones too. https://ai.google.dev/api/caching#FileData */
function fileData(fileUri: string, mimeType: string | undefined): GeminiPart {
  return { fileData: { fileUri, mimeType: mimeType ?? typeOfName(fileUri) } };
}

/** Google's own addresses, which it reads by itself: uploads, its storage, videos. */
const GOOGLES = /^https?:\/\/((www\.|m\.)?youtube\.com|youtu\.be|[\w.-]+\.googleapis\.com)\//i;
/** From before it read addresses on the web. https://ai.google.dev/gemini-api/docs/file-input-methods */
const READS_NO_WEB = /gemini-(1\.|2\.0)/;

/** Whether Google would refuse an address: older models read none, and the type of what lies there must be told. */
export function takesBytesAlone(part: Part, modelId: string): boolean {
  const address =
    part.type === 'image' && 'url' in part.source ? part.source.url : part.type === 'file' ? part.url : '';
  if (!address || GOOGLES.test(address)) return false;
  const told = (part.type === 'file' && (part.mediaType ?? typeOfName(part.filename ?? ''))) || typeOfName(address);
  return READS_NO_WEB.test(modelId) || !told;
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['webp', 'image/webp'],
  ['gif', 'image/gif'],
  ['heic', 'image/heic'],
  ['heif', 'image/heif'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['csv', 'text/csv'],
  ['html', 'text/html'],
  ['json', 'application/json'],
  ['xml', 'text/xml'],
  ['mp3', 'audio/mpeg'],
  ['wav', 'audio/wav'],
  ['ogg', 'audio/ogg'],
  ['flac', 'audio/flac'],
  ['aac', 'audio/aac'],
  ['mp4', 'video/mp4'],
  ['mov', 'video/quicktime'],
  ['webm', 'video/webm'],
]);

function typeOfName(name: string): string | undefined {
  const ending = /\.([A-Za-z0-9]{1,5})(?:[?#]|$)/.exec(name)?.[1];
  return ending === undefined ? undefined : TYPES.get(ending.toLowerCase());
}

function audioType(format: string): string {
  return TYPES.get(format.toLowerCase()) ?? `audio/${format.toLowerCase()}`;
}
