import { isArray, type JsonObject } from '../../codec/json-value.ts';
import type { Message, Part } from '../../inference/request.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';
import { fromClientCallId, fromClientSignature } from './carried.ts';

/**
 * A line that Claude Code puts in front of its system prompt, another in each conversation. It is for Anthropic's eyes,
 * and at any other vendor it would keep every prompt out of its cache.
 */
const ATTRIBUTION = /^x-anthropic-billing-header:[^\n]*\n?/;

/** `system`: a text, or a list of texts. */
export function systemMessages(reader: RequestReader, value: unknown): Message[] {
  const parts = toParts(reader, value, 'system').flatMap((part): Part[] => {
    if (part.type !== 'text' || !ATTRIBUTION.test(part.text)) return [part];
    const text = part.text.replace(ATTRIBUTION, '');
    return text.trim() === '' ? [] : [{ ...part, text }];
  });
  return parts.length > 0 ? [{ role: 'system', parts }] : [];
}

export function toMessages(reader: RequestReader, value: unknown): Message[] {
  const messages = reader.list(value, 'messages');
  if (messages.length === 0) reader.invalid('messages', 'a list with a message', value);
  return messages.flatMap((entry, index) => messagesOf(reader, entry, `messages[${index}]`));
}

/** The results in a message of the user are messages of their own, in front of what else it says. */
function messagesOf(reader: RequestReader, value: unknown, place: string): Message[] {
  const message = reader.requiredObject(value, place);
  const role = reader.requiredText(message['role'], `${place}.role`);
  if (message['content'] === undefined || message['content'] === null) reader.missing(`${place}.content`);
  const parts = toParts(reader, message['content'], `${place}.content`);
  if (role === 'assistant' || role === 'system') return [{ role, parts }];
  if (role !== 'user') reader.invalid(`${place}.role`, 'user, assistant or system', message['role']);
  const results: Message[] = [];
  const others: Part[] = [];
  for (const part of parts) {
    if (part.type === 'tool-result') results.push({ role: 'tool', parts: [part] });
    else others.push(part);
  }
  return others.length > 0 || results.length === 0 ? [...results, { role: 'user', parts: others }] : results;
}

function toParts(reader: RequestReader, content: unknown, place: string): Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  const parts: Part[] = [];
  for (const [index, value] of reader.list(content, place).entries()) {
    const at = `${place}[${index}]`;
    const block = reader.requiredObject(value, at);
    for (const part of blockParts(reader, block, at)) {
      if (block['cache_control']) part.cacheControl = block['cache_control'];
      parts.push(part);
    }
  }
  return parts;
}

/** https://platform.claude.com/docs/en/api/messages/create: blocks of content. Most are one part. */
function blockParts(reader: RequestReader, block: JsonObject, place: string): Part[] {
  const type = reader.requiredText(block['type'], `${place}.type`);
  const required = (key: string): string => reader.requiredText(block[key], `${place}.${key}`);
  switch (type) {
    case 'text':
      return [{ type: 'text', text: required('text') }];
    case 'image':
      return imageParts(reader, reader.requiredObject(block['source'], `${place}.source`), `${place}.source`);
    case 'document':
      return documentParts(reader, block, place);
    case 'search_result': {
      const text = toParts(reader, block['content'], `${place}.content`).map((part) =>
        'text' in part ? part.text : '',
      );
      return [{ type: 'text', text: [required('title'), required('source'), ...text].join('\n') }];
    }
    case 'thinking': {
      const signature = fromClientSignature(reader.text(block['signature'], `${place}.signature`));
      return [{ type: 'reasoning', text: required('thinking'), ...(signature !== undefined && { signature }) }];
    }
    case 'redacted_thinking':
      return [{ type: 'redacted-reasoning', data: required('data') }];
    case 'tool_use': {
      const input = reader.object(block['input'], `${place}.input`);
      const argumentsText = JSON.stringify(input ?? {});
      return [{ type: 'tool-call', ...fromClientCallId(required('id')), name: required('name'), argumentsText }];
    }
    case 'tool_result':
      return [
        {
          type: 'tool-result',
          toolCallId: fromClientCallId(required('tool_use_id')).id,
          parts: toParts(reader, block['content'], `${place}.content`),
          isError: reader.flag(block['is_error'], `${place}.is_error`),
        },
      ];
    case 'tool_reference':
      // What a search for tools found: the tool itself stands among `tools`.
      return [{ type: 'text', text: `Tool: ${required('tool_name')}` }];
    default:
      reader.unsupported(
        `${place}.type`,
        `A block of type "${type.slice(0, 40)}" is Anthropic's own, and the host of this model does not speak its form.`,
      );
      return [];
  }
}

function imageParts(reader: RequestReader, source: JsonObject, place: string): Part[] {
  const type = reader.requiredText(source['type'], `${place}.type`);
  if (type === 'url') return [{ type: 'image', source: { url: reader.requiredText(source['url'], `${place}.url`) } }];
  if (type === 'base64') {
    const base64 = reader.requiredText(source['data'], `${place}.data`);
    const mediaType = reader.requiredText(source['media_type'], `${place}.media_type`);
    return [{ type: 'image', source: { base64, mediaType } }];
  }
  if (type === 'file') return [{ type: 'file', fileId: reader.requiredText(source['file_id'], `${place}.file_id`) }];
  reader.invalid(`${place}.type`, 'base64, url or file', type);
  return [];
}

function documentParts(reader: RequestReader, block: JsonObject, place: string): Part[] {
  const source = reader.requiredObject(block['source'], `${place}.source`);
  const at = `${place}.source`;
  const title = reader.text(block['title'], `${place}.title`);
  const named = title === undefined ? {} : { filename: title };
  const type = reader.requiredText(source['type'], `${at}.type`);
  switch (type) {
    case 'base64': {
      const base64 = reader.requiredText(source['data'], `${at}.data`);
      const mediaType = reader.requiredText(source['media_type'], `${at}.media_type`);
      return [{ type: 'file', base64, mediaType, ...named }];
    }
    case 'text': {
      const text = reader.requiredText(source['data'], `${at}.data`);
      return [{ type: 'file', base64: Buffer.from(text).toString('base64'), mediaType: 'text/plain', ...named }];
    }
    case 'url':
      return [{ type: 'file', url: reader.requiredText(source['url'], `${at}.url`), ...named }];
    case 'file':
      return [{ type: 'file', fileId: reader.requiredText(source['file_id'], `${at}.file_id`), ...named }];
    case 'content': {
      const { content } = source;
      const parts = toParts(reader, content, `${at}.content`);
      return isArray(content) || typeof content === 'string' ? parts : [];
    }
    default:
      reader.invalid(`${at}.type`, 'base64, text, content, url or file', type);
      return [];
  }
}
