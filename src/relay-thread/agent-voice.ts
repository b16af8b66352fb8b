import { isArray, type JsonObject, objectOf, stringOf } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';

const MAX_CALLS = 64;

export interface ToolCall {
  readonly id: string;
  name: string;
  arguments: string;
}

/** A call with what is known of its tool. */
export interface NamedCall extends ToolCall {
  /** Undefined: the model called what is not there. */
  readonly server: string | undefined;
}

export interface AgentUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export type AgentEnd =
  | { readonly why: 'done' }
  /** These calls wait for an approval. */
  | { readonly why: 'approval'; readonly calls: readonly NamedCall[] }
  | { readonly why: 'limit'; readonly iterationLimit: number }
  | { readonly why: 'budget'; readonly setting: string; readonly spent: number };

/** How a run of an agent is told to its client, in one form of API. Each gives text of whole events, or nothing. */
export interface AgentVoice {
  begun(): string;
  /** An event of the model's turn: JSON as it came, and the first choice of it. */
  said(json: string, delta: JsonObject): string;
  /** These calls begin, before the first result of them: the model's turn is over, or they were approved. */
  turned(calls: readonly NamedCall[]): string;
  result(call: NamedCall, content: string, failed: boolean): string;
  ended(end: AgentEnd, usage: AgentUsage): string;
  failed(error: GatewayError): Uint8Array;
}

/** `chat.completion.chunk`, with the events of the reference product. */
export class ChatVoice implements AgentVoice {
  readonly #id: string;
  readonly #tellsUsage: boolean;
  readonly #errorEvent: (error: GatewayError) => Uint8Array;

  constructor(id: string, tellsUsage: boolean, errorEvent: (error: GatewayError) => Uint8Array) {
    this.#id = id;
    this.#tellsUsage = tellsUsage;
    this.#errorEvent = errorEvent;
  }

  begun(): string {
    return '';
  }

  said(json: string): string {
    return `data: ${json}\n\n`;
  }

  turned(): string {
    return '';
  }

  result({ id }: NamedCall, content: string): string {
    return this.#chunk({ delta: { role: 'tool', tool_call_id: id, content }, finish_reason: null });
  }

  ended(end: AgentEnd, { inputTokens, outputTokens }: AgentUsage): string {
    const usage = {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
    };
    const sum = this.#tellsUsage ? `data: ${JSON.stringify({ ...this.#head(), choices: [], usage })}\n\n` : '';
    return `${this.#end(end)}${sum}data: [DONE]\n\n`;
  }

  failed(error: GatewayError): Uint8Array {
    return this.#errorEvent(error);
  }

  #end(end: AgentEnd): string {
    switch (end.why) {
      case 'done':
        return '';
      case 'approval': {
        const tool_calls = end.calls.map(asToolCall);
        return this.#chunk({ delta: {}, finish_reason: 'tool_calls' }, { tool_approval_required: { tool_calls } });
      }
      case 'limit':
        return this.#chunk({ delta: {}, finish_reason: 'length' }, { iteration_limit_reached: end.iterationLimit });
      case 'budget': {
        const { setting, spent } = end;
        return this.#chunk({ delta: {}, finish_reason: 'length' }, { budget_reached: { setting, spent } });
      }
    }
  }

  #chunk(choice: object, more: object = {}): string {
    return `data: ${JSON.stringify({ ...this.#head(), choices: [{ index: 0, ...choice }], ...more })}\n\n`;
  }

  #head() {
    return { id: `agent-${this.#id}`, object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1000) };
  }
}

export function asToolCall({ id, name, arguments: text }: ToolCall): object {
  return { id, type: 'function', function: { name, arguments: text } };
}

/** Joins the pieces of calls; an error where there are too many. */
export function gatherCalls(calls: ToolCall[], pieces: unknown): GatewayError | undefined {
  for (const piece of isArray(pieces) ? pieces : []) {
    const { index, id, function: called } = objectOf(piece) ?? {};
    const place = typeof index === 'number' ? index : calls.length;
    if (place < 0 || place >= MAX_CALLS) {
      return new GatewayError('upstream_protocol', { detail: `The model makes more than ${MAX_CALLS} calls at once.` });
    }
    const { name, arguments: text } = objectOf(called) ?? {};
    const call = calls[place] ?? { id: stringOf(id) ?? `call_${place}`, name: '', arguments: '' };
    calls[place] = call;
    call.name ||= stringOf(name) ?? '';
    call.arguments += stringOf(text) ?? '';
  }
  return undefined;
}

/** The calls that a message of the conversation makes. */
export function callsOf(message: JsonObject): ToolCall[] {
  const calls: ToolCall[] = [];
  const written = message['tool_calls'];
  gatherCalls(calls, isArray(written) ? written.map((each, index) => ({ ...objectOf(each), index })) : []);
  return calls;
}
