import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';

interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content?: string | object[] | null;
  [key: string]: unknown;
}

/** Reasoning, calls and refusals have places of their own in a message; the results of calls are messages themselves. */
type ToolResult = Extract<Part, { type: 'tool-result' }>;

/** https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages */
export function toMessages(source: readonly Message[]): OrError<ChatMessage[]> {
  const messages: ChatMessage[] = [];
  /** What results hold that is no text: `tool` messages take none, so it follows behind the last of them. */
  let shown: object[] = [];
  const show = (): void => {
    if (shown.length > 0) messages.push({ role: 'user', content: shown });
    shown = [];
  };
  for (const { role, parts, name } of source) {
    const results = parts.filter((part) => part.type === 'tool-result');
    for (const result of results) {
      const made = toolMessage(result);
      if (made instanceof GatewayError) return made;
      messages.push(made.message);
      for (const each of made.shown) shown.push(each);
    }
    if (results.length === parts.length) continue;
    show();
    const others = parts.filter((part) => part.type !== 'tool-result');
    const message = role === 'assistant' ? assistantMessage(others) : plainMessage(role, others);
    if (message instanceof GatewayError) return message;
    if (message !== undefined) messages.push(name === undefined ? message : { ...message, name });
  }
  show();
  return messages;
}

/** What stands where a model wants an answer to results before anything else is said; an empty one is refused. */
const BRIDGE: ChatMessage = { role: 'assistant', content: 'Understood.' };

/** The messages with an answer behind the results of calls, where something else followed them. */
export function bridged(messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.flatMap((message, index) => {
    const isBehind = messages[index - 1]?.role === 'tool' && message.role !== 'tool' && message.role !== 'assistant';
    return isBehind ? [BRIDGE, message] : [message];
  });
}

/** The role `developer` is `system` here: hosts that know it read both alike. */
function plainMessage(role: Message['role'], parts: readonly Part[]): OrError<ChatMessage | undefined> {
  const content = toContent(parts, '\n\n');
  if (content instanceof GatewayError || content === undefined) return content;
  return { role: role === 'system' || role === 'developer' ? 'system' : 'user', content };
}

function assistantMessage(parts: readonly Part[]): OrError<ChatMessage | undefined> {
  const calls: object[] = [];
  const said: Part[] = [];
  let reasoning = '';
  let refusal: string | undefined;
  for (const part of parts) {
    if (part.type === 'tool-call') {
      const { id, name, argumentsText } = part;
      calls.push({ id, type: 'function', function: { name, arguments: argumentsText || '{}' } });
    } else if (part.type === 'reasoning') reasoning += part.text;
    else if (part.type === 'refusal') refusal = (refusal ?? '') + part.text;
    else if (part.type !== 'redacted-reasoning') said.push(part);
  }
  const content = toContent(said, '');
  if (content instanceof GatewayError) return content;
  if (content === undefined && calls.length === 0 && refusal === undefined) return undefined;
  return {
    role: 'assistant',
    content: content ?? null,
    refusal,
    reasoning_content: reasoning === '' ? undefined : reasoning,
    tool_calls: calls.length > 0 ? calls : undefined,
  };
}

function toolMessage({ toolCallId, parts, isError }: ToolResult): OrError<{ message: ChatMessage; shown: object[] }> {
  const texts: string[] = [];
  const shown: object[] = [];
  for (const part of parts) {
    if (part.type === 'text') texts.push(part.text);
    else {
      const made = contentPart(part);
      if (made instanceof GatewayError) return made;
      if (made) shown.push(made);
    }
  }
  if (shown.length > 0) shown.unshift({ type: 'text', text: `What the call ${toolCallId} gave:` });
  const text = texts.join('\n');
  // The form has no other word for a call that failed.
  const content = isError ? (text === '' ? 'The call failed.' : `The call failed: ${text}`) : text;
  return { message: { role: 'tool', tool_call_id: toolCallId, content }, shown };
}

/** Texts alone are a plain string: hosts of small models know no lists. Undefined: there is nothing. */
function toContent(parts: readonly Part[], between: string): OrError<string | object[] | undefined> {
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  if (texts.length === parts.length) return texts.length === 0 ? undefined : texts.join(between);
  const content: object[] = [];
  for (const part of parts) {
    const made = contentPart(part);
    if (made instanceof GatewayError) return made;
    if (made !== undefined) content.push(made);
  }
  return content.length > 0 ? content : undefined;
}

function contentPart(part: Part): OrError<object | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { type: 'text', text: part.text };
    case 'image': {
      const { source, detail } = part;
      const url = 'url' in source ? source.url : `data:${source.mediaType};base64,${source.base64}`;
      return { type: 'image_url', image_url: { url, detail } };
    }
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.base64, format: part.format } };
    case 'file':
      return filePart(part);
    default:
      return undefined;
  }
}

function filePart({ fileId, base64, url, mediaType, filename }: Extract<Part, { type: 'file' }>): OrError<object> {
  if (fileId !== undefined) return { type: 'file', file: { file_id: fileId } };
  if (base64 !== undefined && mediaType?.startsWith('text/')) {
    const text = Buffer.from(base64, 'base64').toString('utf8');
    return { type: 'text', text: filename === undefined ? text : `${filename}:\n${text}` };
  }
  if (base64 !== undefined) {
    const data = `data:${mediaType ?? 'application/pdf'};base64,${base64}`;
    return { type: 'file', file: { filename: filename ?? 'file', file_data: data } };
  }
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail: `The host of this model takes files as data, not by address${url === undefined ? '' : `: ${url.slice(0, 60)}`}.`,
  });
}
