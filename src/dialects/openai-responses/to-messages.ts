import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { Message, Part, Role } from '../../inference/request.ts';
import { splitCarryingId } from '../../inference/signature.ts';
import type { RequestReader } from '../openai-json/request-reader.ts';
import { proofIn, summaryIn } from './carried-proofs.ts';
import { toParts } from './to-parts.ts';
import { CUSTOM_INPUT, flatName } from './tool-names.ts';

/** What a provider's own tool did on the way to an answer that stands behind it: nobody else can read it. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'mcp_list_tools',
]);

/** Those that only a provider of this form can take. */
const OF_THIS_FORM: ReadonlySet<string> = new Set([
  'additional_tools',
  'apply_patch_call',
  'apply_patch_call_output',
  'compaction_trigger',
  'computer_call',
  'computer_call_output',
  'configuration_update',
  'local_shell_call',
  'local_shell_call_output',
  'mcp_approval_request',
  'mcp_approval_response',
  'mcp_call',
  'program',
  'program_output',
  'shell_call',
  'shell_call_output',
  'tool_search_call',
  'tool_search_output',
]);

/**
 * Items of a conversation, as it is asked of and as it was answered; neighbouring ones of the assistant make one message.
 * https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
 */
export function toMessages(reader: RequestReader, value: unknown, place: string): Message[] {
  if (typeof value === 'string') return [{ role: 'user', parts: [{ type: 'text', text: value }] }];
  if (!isArray(value)) {
    reader.invalid(place, 'a text or a list of items', value);
    return [];
  }
  const messages: Message[] = [];
  const calls = new Set<string>();
  let at = place;
  const add = (role: Role, parts: readonly Part[]): void => {
    for (const part of parts) {
      if (part.type === 'tool-call') calls.add(part.id);
      // Providers refuse it each in words of its own, and Gemini needs the name of the call.
      else if (part.type === 'tool-result' && !calls.has(part.toolCallId))
        reader.invalid(`${at}.call_id`, 'the id of a call that stands before it', part.toolCallId);
    }
    const last = messages.at(-1);
    if (last?.role === role && (role === 'assistant' || role === 'tool'))
      for (const part of parts) last.parts.push(part);
    else messages.push({ role, parts: [...parts] });
  };
  for (const [index, entry] of value.entries()) {
    at = `${place}[${index}]`;
    addItem(reader, reader.requiredObject(entry, at), at, add);
  }
  return messages;
}

type Add = (role: Role, parts: readonly Part[]) => void;

/** `add` is given what the item says; its faults go to the reader, named by `place`. */
export function addItem(reader: RequestReader, item: JsonObject, place: string, add: Add): void {
  // A message may leave out its type.
  const type = stringOf(item['type']) ?? 'message';
  switch (type) {
    case 'message':
      add(toRole(reader, item['role'], `${place}.role`), toParts(reader, item['content'], `${place}.content`));
      return;
    case 'reasoning':
      add('assistant', reasoningParts(reader, item, place));
      return;
    case 'function_call':
      add('assistant', [toolCall(reader, item, reader.requiredText(item['arguments'], `${place}.arguments`), place)]);
      return;
    case 'custom_tool_call': {
      const input = reader.requiredText(item['input'], `${place}.input`);
      add('assistant', [toolCall(reader, item, JSON.stringify({ [CUSTOM_INPUT]: input }), place)]);
      return;
    }
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const { id: toolCallId } = splitCarryingId(reader.requiredText(item['call_id'], `${place}.call_id`));
      add('tool', [{ type: 'tool-result', toolCallId, parts: toParts(reader, item['output'], `${place}.output`) }]);
      return;
    }
    case 'compaction': {
      const text = summaryIn(reader.text(item['encrypted_content'], `${place}.encrypted_content`));
      if (text === undefined) {
        reader.unsupported(`${place}.type`, 'Only the provider that made this compaction can read it.');
      } else add('user', [{ type: 'text', text }]);
      return;
    }
    case 'item_reference':
      reader.unsupported(`${place}.id`, 'No item of this id is kept: send the item itself.');
      return;
    default:
      if (!PASSED_OVER.has(type)) unknown(reader, type, place);
  }
}

function unknown(reader: RequestReader, type: string, place: string): void {
  if (OF_THIS_FORM.has(type)) {
    reader.unsupported(`${place}.type`, `An item of type "${type}" cannot be sent to this provider.`);
  } else reader.invalid(`${place}.type`, 'the type of an item, as message or function_call_output', type);
}

function toRole(reader: RequestReader, value: unknown, place: string): Role {
  const role = reader.requiredText(value, place);
  if (role === 'system' || role === 'developer' || role === 'user' || role === 'assistant') return role;
  reader.invalid(place, 'system, developer, user or assistant', value);
  return 'user';
}

function toolCall(reader: RequestReader, item: JsonObject, argumentsText: string, place: string): Part {
  const name = reader.requiredText(item['name'], `${place}.name`);
  return {
    type: 'tool-call',
    ...splitCarryingId(reader.requiredText(item['call_id'], `${place}.call_id`)),
    name: flatName(name, reader.text(item['namespace'], `${place}.namespace`)),
    argumentsText,
  };
}

/** With the proof that our own answer carried; of another provider's only what it shows can be told. */
function reasoningParts(reader: RequestReader, item: JsonObject, place: string): Part[] {
  const proven = proofIn(reader.text(item['encrypted_content'], `${place}.encrypted_content`));
  if (proven) return [proven];
  const text = textIn(item['content']) || textIn(item['summary']);
  return text === '' ? [] : [{ type: 'reasoning', text }];
}

function textIn(list: unknown): string {
  if (!isArray(list)) return '';
  return list.flatMap((part) => stringOf(objectOf(part)?.['text']) ?? []).join('\n\n');
}
