import { type JsonObject, stringOf } from '../codec/json-value.ts';
import type { GatewayError } from '../core/errors.ts';
import type { AgentEnd, AgentUsage, AgentVoice, NamedCall } from './agent-voice.ts';

interface OpenMessage {
  readonly id: string;
  readonly index: number;
  text: string;
}

/**
 * The events of Responses, with the items that OpenAI's own MCP tool has: `mcp_call`, `mcp_approval_request`.
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export class ResponsesVoice implements AgentVoice {
  readonly #id: string;
  readonly #model: string;
  readonly #createdAt = Math.floor(Date.now() / 1000);
  readonly #errorEvent: (error: GatewayError) => Uint8Array;
  readonly #output: object[] = [];
  #message: OpenMessage | undefined;
  #sequence = 0;
  /** The index of the next item. Calls take theirs when their turn is over. */
  #index = 0;
  /** By id of the call: its place, in the order of the calls. One that ended waits for those before it. */
  readonly #open = new Map<string, { readonly index: number; item?: object }>();

  constructor(id: string, model: string, errorEvent: (error: GatewayError) => Uint8Array) {
    this.#id = `resp_${id.replaceAll('-', '')}`;
    this.#model = model;
    this.#errorEvent = errorEvent;
  }

  begun(): string {
    const response = this.#response('in_progress');
    return this.#event('response.created', { response }) + this.#event('response.in_progress', { response });
  }

  said(_json: string, delta: JsonObject): string {
    const text = stringOf(delta['content']) ?? '';
    if (text === '') return '';
    let told = '';
    if (!this.#message) {
      this.#message = { id: `msg_${this.#id}_${this.#index}`, index: this.#index, text: '' };
      this.#index += 1;
      const { id, index } = this.#message;
      const item = { type: 'message', id, status: 'in_progress', role: 'assistant', content: [] };
      told += this.#event('response.output_item.added', { output_index: index, item });
      told += this.#event('response.content_part.added', { ...this.#place(), part: textPart('') });
    }
    this.#message.text += text;
    return told + this.#event('response.output_text.delta', { ...this.#place(), delta: text, logprobs: [] });
  }

  turned(calls: readonly NamedCall[]): string {
    let told = this.#endMessage();
    for (const call of calls) {
      const index = this.#index;
      this.#index += 1;
      this.#open.set(call.id, { index });
      const item = { ...itemOf(call), status: 'in_progress', arguments: '', output: null, error: null };
      told += this.#event('response.output_item.added', { output_index: index, item });
      const place = { output_index: index, item_id: call.id };
      told += this.#event('response.mcp_call_arguments.done', { ...place, arguments: call.arguments });
      told += this.#event('response.mcp_call.in_progress', place);
    }
    return told;
  }

  /** Calls end in any order, and each is told at once; items are done in the order of the calls, as clients keep them. */
  result(call: NamedCall, content: string, failed: boolean): string {
    const open = this.#open.get(call.id);
    if (!open) return '';
    const { index } = open;
    open.item = {
      ...itemOf(call),
      status: failed ? 'failed' : 'completed',
      output: failed ? null : content,
      error: failed ? content : null,
    };
    const place = { output_index: index, item_id: call.id };
    let told = this.#event(failed ? 'response.mcp_call.failed' : 'response.mcp_call.completed', place);
    for (const [id, { index: at, item }] of this.#open) {
      if (!item) break;
      this.#open.delete(id);
      this.#output[at] = item;
      told += this.#event('response.output_item.done', { output_index: at, item });
    }
    return told;
  }

  ended(end: AgentEnd, usage: AgentUsage): string {
    let told = this.#endMessage();
    if (end.why === 'approval') for (const call of end.calls) told += this.#approval(call);
    if (end.why === 'limit' || end.why === 'budget') {
      const reason = end.why === 'limit' ? 'iteration_limit' : 'budget';
      const response = { ...this.#response('incomplete', usage), incomplete_details: { reason } };
      return told + this.#event('response.incomplete', { response });
    }
    return told + this.#event('response.completed', { response: this.#response('completed', usage) });
  }

  failed(error: GatewayError): Uint8Array {
    return this.#errorEvent(error);
  }

  #approval(call: NamedCall): string {
    const { id, name, arguments: text, server } = call;
    const item = { type: 'mcp_approval_request', id, name, arguments: text, server_label: server ?? '' };
    const index = this.#index;
    this.#index += 1;
    this.#output[index] = item;
    const place = { output_index: index, item };
    return this.#event('response.output_item.added', place) + this.#event('response.output_item.done', place);
  }

  #endMessage(): string {
    const message = this.#message;
    if (!message) return '';
    const { id, index, text } = message;
    const item = { type: 'message', id, status: 'completed', role: 'assistant', content: [textPart(text)] };
    const told =
      this.#event('response.output_text.done', { ...this.#place(), text, logprobs: [] }) +
      this.#event('response.content_part.done', { ...this.#place(), part: textPart(text) }) +
      this.#event('response.output_item.done', { output_index: index, item });
    this.#output[index] = item;
    this.#message = undefined;
    return told;
  }

  #place() {
    return { item_id: this.#message?.id ?? '', output_index: this.#message?.index ?? 0, content_index: 0 };
  }

  #response(status: string, usage?: AgentUsage): object {
    return {
      id: this.#id,
      object: 'response',
      created_at: this.#createdAt,
      status,
      model: this.#model,
      error: null,
      incomplete_details: null,
      output: this.#output.filter(Boolean),
      usage: usage
        ? {
            input_tokens: usage.inputTokens,
            output_tokens: usage.outputTokens,
            total_tokens: usage.inputTokens + usage.outputTokens,
          }
        : null,
    };
  }

  #event(type: string, fields: object): string {
    const event = { type, sequence_number: this.#sequence, ...fields };
    this.#sequence += 1;
    return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
  }
}

function textPart(text: string): object {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function itemOf({ id, name, arguments: text, server }: NamedCall) {
  return { type: 'mcp_call', id, name, arguments: text, server_label: server ?? '', approval_request_id: null };
}
