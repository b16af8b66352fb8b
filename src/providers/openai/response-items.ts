import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';
import { ownSignature } from '../../inference/signature.ts';
import { strictToolCallId } from '../base/tool-call-id.ts';

type PartOf<Type extends Part['type']> = Extract<Part, { type: Type }>;

/** Whose encrypted reasoning it is, while a client of another form holds it. */
export const VENDOR = 'openai';

/** Messages, calls, results and reasoning in their order. https://platform.openai.com/docs/api-reference/responses/create */
export function toItems(messages: readonly Message[]): OrError<object[]> {
  const items: object[] = [];
  for (const { role, parts } of messages) {
    const made = role === 'assistant' ? ofAssistant(parts) : ofOthers(role, parts);
    if (made instanceof GatewayError) return made;
    for (const item of made) items.push(item);
  }
  return items;
}

/** Results of calls are items themselves; what stands beside them is one message behind them. */
function ofOthers(role: Message['role'], parts: readonly Part[]): OrError<object[]> {
  const items: object[] = [];
  const content: object[] = [];
  for (const part of parts) {
    const made = part.type === 'tool-result' ? callOutput(part) : inputPart(part);
    if (made instanceof GatewayError) return made;
    if (made !== undefined) (part.type === 'tool-result' ? items : content).push(made);
  }
  const speaker = role === 'system' || role === 'developer' ? 'developer' : 'user';
  if (content.length > 0) items.push({ type: 'message', role: speaker, content });
  return items;
}

function ofAssistant(parts: readonly Part[]): OrError<object[]> {
  const items: object[] = [];
  for (const part of parts) {
    const item = saidItem(part);
    if (item instanceof GatewayError) return item;
    if (item !== undefined) items.push(item);
  }
  return items;
}

/** Undefined: it says nothing, or is reasoning that OpenAI did not encrypt and would refuse. */
function saidItem(part: Part): OrError<object | undefined> {
  switch (part.type) {
    case 'text':
      return part.text === '' ? undefined : assistant({ type: 'output_text', text: part.text, annotations: [] });
    case 'refusal':
      return assistant({ type: 'refusal', refusal: part.text });
    case 'tool-call': {
      const { id, name, argumentsText } = part;
      return { type: 'function_call', call_id: strictToolCallId(id), name, arguments: argumentsText || '{}' };
    }
    case 'reasoning': {
      const encrypted = ownSignature(VENDOR, part.signature);
      return encrypted === undefined ? undefined : { type: 'reasoning', summary: [], encrypted_content: encrypted };
    }
    case 'redacted-reasoning':
      return undefined;
    default:
      return unsupported(`OpenAI takes no part of type "${part.type}" in an answer of the assistant.`);
  }
}

function assistant(content: object): object {
  return { type: 'message', role: 'assistant', content: [content] };
}

function callOutput({ toolCallId, parts, isError }: PartOf<'tool-result'>): OrError<object> {
  const made: object[] = [];
  for (const part of parts) {
    const content = inputPart(part);
    if (content instanceof GatewayError) return content;
    if (content !== undefined) made.push(content);
  }
  const isText = parts.every(({ type }) => type === 'text');
  const text = parts.map((part) => ('text' in part ? part.text : '')).join('\n');
  // The form has no other word for a call that failed.
  const failed = text === '' ? 'The call failed.' : `The call failed: ${text}`;
  const output = isText ? (isError ? failed : text) : isError ? [{ type: 'input_text', text: failed }, ...made] : made;
  return { type: 'function_call_output', call_id: strictToolCallId(toolCallId), output };
}

function inputPart(part: Part): OrError<object | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? undefined : { type: 'input_text', text: part.text };
    case 'image': {
      const { source, detail } = part;
      const url = 'url' in source ? source.url : `data:${source.mediaType};base64,${source.base64}`;
      return { type: 'input_image', image_url: url, detail: detail ?? 'auto' };
    }
    case 'file':
      return file(part);
    case 'audio':
      return unsupported('This model takes no audio.');
    default:
      return undefined;
  }
}

function file({ fileId, base64, url, mediaType, filename }: PartOf<'file'>): object {
  if (fileId !== undefined) return { type: 'input_file', file_id: fileId };
  if (base64 === undefined) return { type: 'input_file', file_url: url };
  if (mediaType?.startsWith('text/')) {
    const text = Buffer.from(base64, 'base64').toString('utf8');
    return { type: 'input_text', text: filename === undefined ? text : `${filename}:\n${text}` };
  }
  const data = `data:${mediaType ?? 'application/pdf'};base64,${base64}`;
  return { type: 'input_file', filename: filename ?? 'file', file_data: data };
}

function unsupported(detail: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param: 'messages', detail });
}
