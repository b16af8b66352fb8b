import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { carryInId } from '../../inference/signature.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../dialect.ts';
import { providerFailure } from '../openai-json/error-body.ts';
import { finishWord } from '../openai-json/finish-word.ts';
import { servedTier, usageObject } from '../openai-json/usage-object.ts';
import { audioPart, imagePart, urlCitation } from './message-parts.ts';

/** A whole `chat.completion` from the neutral events. https://platform.openai.com/docs/api-reference/chat/object */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  let { created, model } = context;
  let id = `chatcmpl-${context.exchangeId}`;
  const usage: Usage = {};
  const choices: (WholeChoice | undefined)[] = [new WholeChoice()];
  for (const event of events) {
    switch (event.type) {
      case 'start':
        id = event.id ?? id;
        model = event.model ?? model;
        created = event.created ?? created;
        break;
      case 'usage':
        mergeUsage(usage, event.usage);
        break;
      case 'error':
        return providerFailure(event);
      default: {
        const index = event.choice ?? 0;
        choices[index] ??= new WholeChoice();
        choices[index].take(event, context);
      }
    }
  }
  return Buffer.from(
    JSON.stringify({
      id,
      object: 'chat.completion',
      created,
      model,
      choices: Array.from(choices, (choice, index) => (choice ?? new WholeChoice()).toJson(index, context)),
      service_tier: servedTier(usage),
      usage: usageObject(usage),
    }),
  );
}

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/** One choice as it comes together. */
class WholeChoice {
  #content: string | undefined;
  #refusal: string | undefined;
  #reasoning: string | undefined;
  /** Reasoning since the last signature: what the next one is for. */
  #unproven = '';
  #finish = 'stop';
  readonly #toolCalls: (ToolCall | undefined)[] = [];
  readonly #thinkingBlocks: object[] = [];
  readonly #annotations: object[] = [];
  readonly #images: object[] = [];
  /** Pieces of one sound, each base64 of its own. */
  #audio: { mediaType: string; pieces: string[] } | undefined;
  readonly #logprobs: unknown[] = [];
  /** By key. Lists under the same key are put together, as a client does with deltas. */
  readonly #extensions: Record<string, unknown> = {};

  take(event: Exclude<InferenceEvent, { type: 'start' | 'usage' | 'error' }>, context: AnswerContext): void {
    switch (event.type) {
      case 'text':
        this.#content = (this.#content ?? '') + event.text;
        return;
      case 'reasoning':
        this.#reasoning = (this.#reasoning ?? '') + event.text;
        this.#unproven += event.text;
        return;
      case 'reasoning-signature':
        this.#thinkingBlocks.push({ type: 'thinking', thinking: this.#unproven, signature: event.signature });
        this.#unproven = '';
        return;
      case 'redacted-reasoning':
        this.#thinkingBlocks.push({ type: 'redacted_thinking', data: event.data });
        return;
      case 'refusal':
        this.#refusal = (this.#refusal ?? '') + event.text;
        return;
      case 'tool-call': {
        const id = carryInId(event.id, event.signature);
        this.#toolCalls[event.index] = { id, type: 'function', function: { name: event.name, arguments: '' } };
        return;
      }
      case 'tool-call-arguments': {
        const call = this.#toolCalls[event.index];
        if (call) call.function.arguments += event.text;
        return;
      }
      case 'citation':
        this.#annotations.push(urlCitation(event));
        return;
      case 'image':
        this.#images.push(imagePart(event));
        return;
      case 'audio':
        this.#audio ??= { mediaType: event.mediaType, pieces: [] };
        this.#audio.pieces.push(event.base64);
        return;
      case 'logprobs':
        // Not spread: every entry would be an argument on the stack.
        for (const entry of event.content) this.#logprobs.push(entry);
        return;
      case 'extension':
        this.#extend(event.key, event.value);
        return;
      case 'finish':
        this.#finish = finishWord(event.reason, context);
    }
  }

  #extend(key: string, value: unknown): void {
    const before = this.#extensions[key];
    this.#extensions[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }

  #audioOf(context: AnswerContext): object | undefined {
    if (this.#audio === undefined) return undefined;
    const { mediaType, pieces } = this.#audio;
    const [first = ''] = pieces;
    const base64 =
      pieces.length === 1
        ? first
        : Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))).toString('base64');
    return audioPart({ mediaType, base64 }, context);
  }

  toJson(index: number, context: AnswerContext): object {
    const { strict } = context;
    const calls = this.#toolCalls.filter((call) => call !== undefined);
    const answered = calls.length > 0 || this.#refusal !== undefined || this.#audio !== undefined;
    const extensions = {
      reasoning_content: this.#reasoning,
      thinking_blocks: ifAny(this.#thinkingBlocks),
      images: ifAny(this.#images),
      ...this.#extensions,
    };
    return {
      index,
      message: {
        role: 'assistant',
        content: this.#content ?? (answered ? null : ''),
        refusal: this.#refusal ?? null,
        ...(strict ? undefined : extensions),
        annotations: ifAny(this.#annotations),
        audio: this.#audioOf(context),
        tool_calls: ifAny(calls),
      },
      logprobs: this.#logprobs.length > 0 ? { content: this.#logprobs, refusal: null } : null,
      finish_reason: this.#finish,
    };
  }
}

function ifAny<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
