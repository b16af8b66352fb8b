import { scalarText } from '../codec/exact-json.ts';
import { isArray, type JsonObject, objectOf, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { asToolCall } from './agent-voice.ts';

type Message = Record<string, unknown> & { role: string };

export interface Conversation {
  readonly messages: Message[];
  /** By id of the call. */
  readonly approvals: Readonly<Record<string, 'approve' | 'reject'>>;
}

/** Items of Responses as the messages of a chat, calls of MCP and their approvals included. */
export function conversationOf(input: string | readonly JsonObject[]): OrError<Conversation> {
  if (typeof input === 'string') return { messages: [{ role: 'user', content: input }], approvals: {} };
  const messages: Message[] = [];
  const approvals: Record<string, 'approve' | 'reject'> = {};
  const known = new Set(
    input
      .filter(({ type }) => type !== 'mcp_approval_response')
      .flatMap((item) => [item['call_id'], item['id'], item['approval_request_id']]),
  );
  for (const [index, item] of input.entries()) {
    const { type = 'message', role, content, id, call_id: callId } = item;
    const call = {
      id: scalarText(callId ?? id) ?? '',
      name: scalarText(item['name']) ?? '',
      arguments: argumentsOf(item),
    };
    switch (type) {
      case 'message':
        messages.push({ role: stringOf(role) ?? 'user', content: partsOf(content) });
        break;
      case 'mcp_call':
        addCall(messages, call);
        messages.push({
          role: 'tool',
          tool_call_id: call.id,
          content: scalarText(item['output'] ?? item['error']) ?? '',
        });
        break;
      case 'function_call':
        addCall(messages, call);
        break;
      case 'mcp_approval_request':
        // It waits, so it stands behind what was called already.
        if (messages.at(-1)?.role === 'tool') messages.push({ role: 'assistant', content: null });
        addCall(messages, call);
        break;
      case 'function_call_output':
        messages.push({ role: 'tool', tool_call_id: call.id, content: textOf(item['output']) });
        break;
      case 'mcp_approval_response': {
        const asked = item['approval_request_id'];
        if (typeof asked !== 'string' || !known.has(asked)) {
          const param = `input.${index}.approval_request_id`;
          const detail = `\`${param}\`: No item of \`input\` asks for this approval; send all items that came.`;
          return new GatewayError('invalid_parameter', { param, detail });
        }
        approvals[asked] = item['approve'] === true ? 'approve' : 'reject';
        break;
      }
      case 'reasoning':
      case 'mcp_list_tools':
        // What the model thought, and which tools there were, is nothing that it is asked.
        break;
      default: {
        const detail = `\`input.${index}.type\`: \`${(scalarText(type) ?? 'an object').slice(0, 64)}\` is not known here.`;
        return new GatewayError('invalid_parameter', { param: `input.${index}.type`, detail });
      }
    }
  }
  if (messages.length === 0) {
    const detail = '`input`: It holds nothing that a model could be asked.';
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  return { messages, approvals };
}

/** Calls of one turn belong into one message, whatever results stand between them. */
function addCall(messages: Message[], call: Parameters<typeof asToolCall>[0]): void {
  const results = messages.length - 1 - messages.findLastIndex(({ role }) => role !== 'tool');
  const last = messages.at(-1 - results);
  const calls = last?.role === 'assistant' ? last['tool_calls'] : undefined;
  if (last?.role === 'assistant' && (results === 0 || isArray(calls))) {
    last['tool_calls'] = [...(isArray(calls) ? calls : []), asToolCall(call)];
  } else messages.push({ role: 'assistant', content: null, tool_calls: [asToolCall(call)] });
}

function argumentsOf(item: JsonObject): string {
  return stringOf(item['arguments']) ?? '{}';
}

function partsOf(content: unknown): unknown {
  if (!isArray(content)) return content;
  const parts = content.map((each) => {
    const { type, text, image_url: url, detail } = objectOf(each) ?? {};
    if (type === 'input_image')
      return { type: 'image_url', image_url: { url, ...(detail !== undefined && { detail }) } };
    if (type === 'input_text' || type === 'output_text') return { type: 'text', text };
    return each;
  });
  const texts = parts.flatMap((part) => stringOf(objectOf(part)?.['text']) ?? []);
  return texts.length === parts.length ? texts.join('') : parts;
}

function textOf(output: unknown): string {
  if (typeof output === 'string') return output;
  const parts = partsOf(output);
  return typeof parts === 'string' ? parts : JSON.stringify(parts ?? '');
}
