import { parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';

type Content = Record<string, unknown>;
type PartOf<Type extends Part['type']> = Extract<Part, { type: Type }>;

export interface Conversation {
  messages: object[];
  /** Text files: Cohere takes them beside the messages, so that an answer can cite them. */
  documents: object[];
}

/** https://docs.cohere.com/reference/chat#request.body.messages. `thinks`: whether the model's thoughts go back to it. */
export function toConversation(source: readonly Message[], thinks: boolean): OrError<Conversation> {
  const documents: object[] = [];
  const messages: object[] = [];
  for (const { role, parts } of source) {
    const made =
      role === 'assistant'
        ? assistantMessage(parts, thinks)
        : role === 'tool'
          ? toolMessage(parts)
          : plainMessage(role === 'user' ? 'user' : 'system', parts, documents);
    if (made instanceof GatewayError) return made;
    if (made !== undefined) messages.push(made);
  }
  if (messages.length > 0) return { messages, documents };
  return unsupported('Cohere needs a message that is not empty.');
}

function plainMessage(role: string, parts: readonly Part[], documents: object[]): OrError<object | undefined> {
  const content: Content[] = [];
  for (const part of parts) {
    if (part.type === 'file') {
      const document = textDocument(part, documents.length);
      if (document instanceof GatewayError) return document;
      documents.push(document);
      continue;
    }
    const made = contentOf(part);
    if (made instanceof GatewayError) return made;
    if (made !== undefined) content.push(made);
  }
  return content.length > 0 ? { role, content } : undefined;
}

/** A message of calls alone has no content: Cohere refuses an empty one. Its plan is what a model without thoughts says first. */
function assistantMessage(parts: readonly Part[], thinks: boolean): OrError<object | undefined> {
  const content: Content[] = [];
  const calls: object[] = [];
  let plan = '';
  for (const part of parts) {
    if (part.type === 'tool-call') calls.push(toolCall(part));
    else if (part.type === 'reasoning') {
      // What carries a signature is another vendor's: Cohere signs nothing.
      if (part.signature !== undefined || part.text === '') continue;
      if (thinks) content.push({ type: 'thinking', thinking: part.text });
      else plan += part.text;
    } else if (part.type !== 'redacted-reasoning') {
      const made = contentOf(part);
      if (made instanceof GatewayError) return made;
      if (made !== undefined) content.push(made);
    }
  }
  const called = calls.length > 0;
  if (!called && content.length === 0) return undefined;
  return {
    role: 'assistant',
    content: content.length > 0 ? content : undefined,
    tool_plan: called && plan !== '' ? plan : undefined,
    tool_calls: called ? calls : undefined,
  };
}

function toolCall({ id, name, argumentsText }: PartOf<'tool-call'>): object {
  return { id, type: 'function', function: { name, arguments: argumentsText.trim() === '' ? '{}' : argumentsText } };
}

/** The dialect gives one result for each message of the role `tool`. */
function toolMessage(parts: readonly Part[]): OrError<object | undefined> {
  const result = parts.find((part) => part.type === 'tool-result');
  if (result === undefined) return undefined;
  const texts: string[] = [];
  for (const part of result.parts) {
    if (part.type !== 'text')
      return unsupported(`Cohere takes text as the result of a tool, not a part of type "${part.type}".`);
    texts.push(part.text);
  }
  return { role: 'tool', tool_call_id: result.toolCallId, content: resultContent(texts) };
}

/** Results of a search, a list of objects, become one document each: so an answer cites the one that it used. */
function resultContent(texts: readonly string[]): string | object[] {
  const [first = ''] = texts;
  if (texts.length > 1) return texts.filter((text) => text !== '').map((text) => ({ type: 'text', text }));
  return foundDocuments(first) ?? first;
}

function foundDocuments(text: string): object[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = parseExact(text);
  } catch {
    // Text that only looks like JSON.
    return undefined;
  }
  if (!isArray(value) || value.length === 0 || !value.every(isObject)) return undefined;
  return value.map((data) => ({ type: 'document', document: { id: idOf(data), data } }));
}

function idOf(found: JsonObject): string | undefined {
  return stringOf(found['id']) ?? stringOf(found['url']);
}

/** Undefined: an empty text, which Cohere refuses. */
function contentOf(part: Part): OrError<Content | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? undefined : { type: 'text', text: part.text };
    case 'image':
      return image(part);
    default:
      return unsupported(`Cohere takes text, images and text files, not a part of type "${part.type}".`);
  }
}

function image({ source, detail }: PartOf<'image'>): OrError<Content> {
  if ('url' in source && !/^https?:/i.test(source.url))
    return unsupported('Cohere takes images from http(s) or as a data: URL.');
  const url = 'url' in source ? source.url : `data:${source.mediaType};base64,${source.base64}`;
  return { type: 'image_url', image_url: { url, detail } };
}

const TEXT_TYPE = /^(text\/|application\/(json|xml|yaml)$)/;
const TEXT_NAME = /\.(txt|md|csv|json|xml|html?|ya?ml|log)$/i;

function textDocument({ base64, mediaType, filename }: PartOf<'file'>, place: number): OrError<object> {
  const isText = mediaType === undefined ? TEXT_NAME.test(filename ?? '') : TEXT_TYPE.test(mediaType);
  if (base64 === undefined || !isText)
    return unsupported('Cohere takes files of text only, as a data: URL or from the web.');
  return { id: `doc:${place}`, data: { title: filename, text: Buffer.from(base64, 'base64').toString('utf8') } };
}

function unsupported(detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param: 'messages', detail });
}
