import type { ContentEvent, InferenceEvent } from '../../inference/event.ts';
import { carryInId } from '../../inference/signature.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext, EventWriter } from '../dialect.ts';
import { finishWord } from '../openai-json/finish-word.ts';
import { servedTier, usageObject } from '../openai-json/usage-object.ts';
import { audioPart, imagePart, urlCitation } from './message-parts.ts';

/** Reasoning that is held for the block that closes it; beyond this the block is left out, its text was sent anyway. */
const MAX_HELD_REASONING_CHARACTERS = 4 * 1024 * 1024;

/** A streamed answer as `chat.completion.chunk` events: one chunk for each neutral event, at once. */
export function eventWriter(context: AnswerContext): EventWriter {
  return new ChunkWriter(context);
}

/** Fields that all chunks of one choice share, and those that wait for a later one. */
interface Choice {
  /** `data: {"id":…,"choices":[{"index":0,"delta":` */
  readonly head: string;
  /** Reasoning since the last signature. */
  unproven: string;
}

/**
 * Chunks are put together as text: between the head, which is the same in all of them, and the tail only the new
 * piece is escaped.
 */
class ChunkWriter implements EventWriter {
  readonly #context: AnswerContext;
  /** `data: {"id":…,"choices":`, once the answer has begun. */
  #base = '';
  readonly #choices: (Choice | undefined)[] = [];
  /** OpenAI puts `"usage":null` on every chunk but the last where usage was asked for. */
  readonly #tail: string;
  #usage: Usage | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#tail = context.includeUsage ? ',"finish_reason":null}],"usage":null}\n\n' : ',"finish_reason":null}]}\n\n';
  }

  write(event: InferenceEvent): Buffer | undefined {
    switch (event.type) {
      case 'start':
        if (this.#base !== '') return undefined;
        this.#begin(event.id, event.model, event.created);
        return Buffer.from(this.#role(0));
      case 'finish':
        return this.#finish(event.choice ?? 0, finishWord(event.reason, this.#context));
      case 'usage':
        this.#usage ??= {};
        mergeUsage(this.#usage, event.usage);
        return undefined;
      case 'error':
        return undefined; // The relay writes it as the dialect's error event, and cuts.
      default:
        return this.#content(event, event.choice ?? 0);
    }
  }

  end(): Buffer {
    const usage = this.#context.includeUsage && this.#usage ? usageObject(this.#usage) : undefined;
    if (usage === undefined) return Buffer.from('data: [DONE]\n\n');
    if (this.#base === '') this.#begin();
    const tier = servedTier(this.#usage ?? {});
    const served = tier === undefined ? '' : `"service_tier":"${tier}",`;
    return Buffer.from(`${this.#base}[],${served}"usage":${JSON.stringify(usage)}}\n\ndata: [DONE]\n\n`);
  }

  #content(event: ContentEvent, index: number): Buffer | undefined {
    const role = this.#choices[index] === undefined ? this.#role(index) : '';
    const choice = this.#choices[index]!;
    const delta = this.#delta(event, choice);
    if (delta !== undefined) return Buffer.from(`${role}${choice.head}${delta}${this.#tail}`);
    return role === '' ? undefined : Buffer.from(role);
  }

  /** The JSON of one delta; undefined where there is nothing to say. */
  #delta(event: ContentEvent, choice: Choice): string | undefined {
    const { strict } = this.#context;
    switch (event.type) {
      case 'text':
        return `{"content":${JSON.stringify(event.text)}}`;
      case 'tool-call-arguments':
        return `{"tool_calls":[{"index":${event.index},"function":{"arguments":${JSON.stringify(event.text)}}}]}`;
      case 'tool-call': {
        const id = JSON.stringify(carryInId(event.id, event.signature));
        return `{"tool_calls":[{"index":${event.index},"id":${id},"type":"function","function":{"name":${JSON.stringify(event.name)},"arguments":""}}]}`;
      }
      case 'reasoning':
        if (strict) return undefined;
        if (choice.unproven.length <= MAX_HELD_REASONING_CHARACTERS) choice.unproven += event.text;
        return `{"reasoning_content":${JSON.stringify(event.text)}}`;
      case 'reasoning-signature':
        return strict ? undefined : this.#closeReasoning(choice, event.signature);
      case 'redacted-reasoning':
        if (strict) return undefined;
        return `{"thinking_blocks":[{"type":"redacted_thinking","data":${JSON.stringify(event.data)}}]}`;
      case 'refusal':
        return `{"refusal":${JSON.stringify(event.text)}}`;
      case 'citation':
        return `{"annotations":[${JSON.stringify(urlCitation(event))}]}`;
      case 'image':
        return strict ? undefined : `{"images":[${JSON.stringify(imagePart(event))}]}`;
      case 'audio':
        return `{"audio":${JSON.stringify(audioPart(event, this.#context))}}`;
      case 'extension':
        return strict ? undefined : `{${JSON.stringify(event.key)}:${JSON.stringify(event.value)}}`;
      case 'logprobs':
        return `{},"logprobs":{"content":${JSON.stringify(event.content)},"refusal":null}`;
    }
  }

  #begin(id?: string, model?: string, created?: number): void {
    const { exchangeId } = this.#context;
    this.#base =
      `data: {"id":${JSON.stringify(id ?? `chatcmpl-${exchangeId}`)},"object":"chat.completion.chunk",` +
      `"created":${created ?? this.#context.created},"model":${JSON.stringify(model ?? this.#context.model)},"choices":`;
  }

  /** The chunk that names the role; it comes before any other of its choice. */
  #role(index: number): string {
    if (this.#base === '') this.#begin();
    const head = `${this.#base}[{"index":${index},"delta":`;
    this.#choices[index] = { head, unproven: '' };
    return `${head}{"role":"assistant","content":""}${this.#tail}`;
  }

  #finish(index: number, word: string): Buffer {
    const role = this.#choices[index] === undefined ? this.#role(index) : '';
    const usage = this.#context.includeUsage ? ',"usage":null' : '';
    return Buffer.from(`${role}${this.#choices[index]!.head}{},"finish_reason":${JSON.stringify(word)}}]${usage}}\n\n`);
  }

  /**
   * The whole block with its signature, so that a client which appends the lists of all chunks holds what it must send
   * back with the next request.
   */
  #closeReasoning(choice: Choice, signature: string): string | undefined {
    const thinking = choice.unproven;
    choice.unproven = '';
    if (thinking.length > MAX_HELD_REASONING_CHARACTERS) return undefined;
    return `{"thinking_blocks":[{"type":"thinking","thinking":${JSON.stringify(thinking)},"signature":${JSON.stringify(signature)}}]}`;
  }
}
