import { parseExactObject } from '../../codec/exact-json.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ContentEvent, InferenceEvent } from '../../inference/event.ts';
import type { FinishReason } from '../../inference/finish-reason.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../dialect.ts';
import { providerFailure } from '../openai-json/error-body.ts';
import { messageUsage, standIn, stopReason } from './answer-words.ts';
import { toClientCallId, toClientSignature } from './carried.ts';

/** A whole message from the neutral events: https://platform.claude.com/docs/en/api/messages/create */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  let { model } = context;
  let id = `msg_${context.exchangeId}`;
  let finish: FinishReason | undefined;
  const usage: Usage = {};
  const content = new WholeContent();
  for (const event of events) {
    switch (event.type) {
      case 'start':
        id = event.id ?? id;
        model = event.model ?? model;
        break;
      case 'usage':
        mergeUsage(usage, event.usage);
        break;
      case 'error':
        return providerFailure(event);
      case 'finish':
        finish ??= event.reason;
        break;
      default:
        // This form has one answer.
        if ((event.choice ?? 0) === 0) content.take(event);
    }
  }
  return Buffer.from(
    JSON.stringify({
      id,
      type: 'message',
      role: 'assistant',
      model,
      content: content.blocks(),
      stop_reason: stopReason(finish, content.hasCalls),
      stop_sequence: null,
      usage: messageUsage(usage),
    }),
  );
}

type Block =
  | { readonly type: 'text'; text: string }
  | { readonly type: 'thinking'; thinking: string; signature: string | undefined }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; argumentsText: string };

class WholeContent {
  readonly #blocks: Block[] = [];
  readonly #calls: Extract<Block, { type: 'tool_use' }>[] = [];

  get hasCalls(): boolean {
    return this.#calls.length > 0;
  }

  take(event: ContentEvent): void {
    switch (event.type) {
      case 'text':
      case 'refusal':
        this.#text(event.text);
        return;
      case 'reasoning':
        this.#thinking().thinking += event.text;
        return;
      case 'reasoning-signature':
        this.#thinking().signature = event.signature;
        return;
      case 'redacted-reasoning':
        this.#blocks.push({ type: 'redacted_thinking', data: event.data });
        return;
      case 'tool-call': {
        const id = toClientCallId(event.id, event.signature);
        const call = { type: 'tool_use' as const, id, name: event.name, argumentsText: '' };
        this.#calls[event.index] = call;
        this.#blocks.push(call);
        return;
      }
      case 'tool-call-arguments': {
        const call = this.#calls[event.index];
        if (call) call.argumentsText += event.text;
        return;
      }
      default: {
        const text = standIn(event);
        if (text !== undefined) this.#text(text);
      }
    }
  }

  blocks(): object[] {
    return this.#blocks.map((block) => {
      if (block.type === 'thinking') return { ...block, signature: toClientSignature(block.signature) };
      if (block.type !== 'tool_use') return block;
      const { argumentsText, ...call } = block;
      return { ...call, input: inputOf(argumentsText) };
    });
  }

  #text(text: string): void {
    const last = this.#blocks.at(-1);
    if (last?.type === 'text') last.text += text;
    else if (text !== '') this.#blocks.push({ type: 'text', text });
  }

  /** The block that is open; a signature closes it. */
  #thinking(): Extract<Block, { type: 'thinking' }> {
    const last = this.#blocks.at(-1);
    if (last?.type === 'thinking' && last.signature === undefined) return last;
    const block: Block = { type: 'thinking', thinking: '', signature: undefined };
    this.#blocks.push(block);
    return block;
  }
}

/**
 * Arguments that were cut are no object: they go out as Anthropic advises for broken input.
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming#handling-invalid-json-in-tool-responses
 */
function inputOf(text: string): object {
  if (text.trim() === '') return {};
  return parseExactObject(text) ?? { INVALID_JSON: text };
}
