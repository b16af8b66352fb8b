import type { JsonObject } from '../../codec/json-value.ts';
import type { Message, Part, Role } from '../../inference/request.ts';
import { splitCarryingId } from '../../inference/signature.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';
import { toParts } from './to-parts.ts';

export function toMessages(reader: RequestReader, value: unknown): Message[] {
  if (value === undefined || value === null) {
    reader.missing('messages');
    return [];
  }
  const messages = reader.list(value, 'messages');
  if (messages.length === 0) reader.invalid('messages', 'a list with a message', value);
  return messages.map((entry, index) => toMessage(reader, entry, `messages[${index}]`));
}

function toMessage(reader: RequestReader, value: unknown, place: string): Message {
  const message = reader.requiredObject(value, place);
  const role = toRole(reader, message['role'], `${place}.role`);
  const parts = role === 'tool' ? toolParts(reader, message, place) : contentParts(reader, message, place, role);
  // A marker on the message stands for its end: that is where text given as a plain string can carry it.
  const last = parts.at(-1);
  if (last && message['cache_control']) last.cacheControl ??= message['cache_control'];
  return { role, parts, name: reader.text(message['name'], `${place}.name`) };
}

function toRole(reader: RequestReader, value: unknown, place: string): Role {
  const role = reader.requiredText(value, place);
  switch (role) {
    case 'system':
    case 'developer':
    case 'user':
    case 'assistant':
    case 'tool':
      return role;
    case 'function':
      reader.unsupported(place, 'Messages of the older role "function" name no call; use tools and the role "tool".');
      return 'tool';
    default:
      reader.invalid(place, 'system, developer, user, assistant or tool', value);
      return 'user';
  }
}

function toolParts(reader: RequestReader, message: JsonObject, place: string): Part[] {
  const { id: toolCallId } = splitCarryingId(reader.requiredText(message['tool_call_id'], `${place}.tool_call_id`));
  const parts = toParts(reader, message['content'], `${place}.content`);
  // Not OpenAI's: clients that know Anthropic's word for a failed tool say it here too.
  const isError = reader.flag(message['is_error'], `${place}.is_error`);
  return [{ type: 'tool-result', toolCallId, parts, isError }];
}

function contentParts(reader: RequestReader, message: JsonObject, place: string, role: Role): Part[] {
  if (role === 'assistant') return assistantParts(reader, message, place);
  if (message['content'] === undefined || message['content'] === null) reader.missing(`${place}.content`);
  return toParts(reader, message['content'], `${place}.content`);
}

/** Reasoning first, calls last: the order in which they were made, and the one providers insist on. */
function assistantParts(reader: RequestReader, message: JsonObject, place: string): Part[] {
  const parts = reasoningParts(reader, message, place);
  // Not spread: every part would be an argument on the stack.
  for (const part of toParts(reader, message['content'], `${place}.content`)) parts.push(part);
  const refusal = reader.text(message['refusal'], `${place}.refusal`);
  if (refusal !== undefined) parts.push({ type: 'refusal', text: refusal });
  const calls = reader.list(message['tool_calls'], `${place}.tool_calls`);
  for (const [index, call] of calls.entries()) parts.push(toolCall(reader, call, `${place}.tool_calls[${index}]`));
  return parts;
}

/**
 * What from-inference and the event writer gave out, coming back: `thinking_blocks` with the provider's proof of each
 * block, or only the text as `reasoning_content`.
 */
function reasoningParts(reader: RequestReader, message: JsonObject, place: string): Part[] {
  const blocks = reader.list(message['thinking_blocks'], `${place}.thinking_blocks`);
  if (blocks.length > 0) return toParts(reader, blocks, `${place}.thinking_blocks`);
  const text = reader.text(message['reasoning_content'], `${place}.reasoning_content`);
  return text ? [{ type: 'reasoning', text }] : [];
}

function toolCall(reader: RequestReader, value: unknown, place: string): Part {
  const call = reader.requiredObject(value, place);
  const made = reader.requiredObject(call['function'], `${place}.function`);
  return {
    type: 'tool-call',
    ...splitCarryingId(reader.requiredText(call['id'], `${place}.id`)),
    name: reader.requiredText(made['name'], `${place}.function.name`),
    argumentsText: reader.requiredText(made['arguments'], `${place}.function.arguments`),
    cacheControl: call['cache_control'] ?? undefined,
  };
}
