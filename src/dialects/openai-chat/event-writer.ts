import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext, EventWriter } from '../dialect.ts';
import { finishWord } from './finish-word.ts';
import { usageObject } from './usage-object.ts';

/** Reasoning that is held for the block that closes it; beyond this the block is left out, its text was sent anyway. */
const MAX_HELD_REASONING_CHARACTERS = 4 * 1024 * 1024;

/** A streamed answer as `chat.completion.chunk` events: one chunk for each neutral event, at once. */
export function eventWriter(context: AnswerContext): EventWriter {
  return new ChunkWriter(context);
}

/**
 * Chunks are put together as text: between the head, which is the same in all of them, and the tail only the new
 * piece is escaped.
 */
class ChunkWriter implements EventWriter {
  readonly #context: AnswerContext;
  /** `data: {"id":…,"choices":[{"index":0,"delta":`, once the answer has begun. */
  #head = '';
  #base = '';
  /** OpenAI puts `"usage":null` on every chunk but the last where usage was asked for. */
  readonly #tail: string;
  #usage: Usage | undefined;
  #unproven = '';

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#tail = context.includeUsage ? ',"finish_reason":null}],"usage":null}\n\n' : ',"finish_reason":null}]}\n\n';
  }

  write(event: InferenceEvent): Buffer | undefined {
    switch (event.type) {
      case 'text':
        return this.#delta(`{"content":${JSON.stringify(event.text)}}`);
      case 'tool-call-arguments':
        return this.#delta(
          `{"tool_calls":[{"index":${event.index},"function":{"arguments":${JSON.stringify(event.text)}}}]}`,
        );
      case 'tool-call':
        return this.#delta(
          `{"tool_calls":[{"index":${event.index},"id":${JSON.stringify(event.id)},"type":"function","function":{"name":${JSON.stringify(event.name)},"arguments":""}}]}`,
        );
      case 'reasoning':
        if (this.#unproven.length <= MAX_HELD_REASONING_CHARACTERS) this.#unproven += event.text;
        return this.#delta(`{"reasoning_content":${JSON.stringify(event.text)}}`);
      case 'reasoning-signature':
        return this.#closeReasoning(event.signature);
      case 'redacted-reasoning':
        return this.#delta(`{"thinking_blocks":[{"type":"redacted_thinking","data":${JSON.stringify(event.data)}}]}`);
      case 'refusal':
        return this.#delta(`{"refusal":${JSON.stringify(event.text)}}`);
      case 'start':
        return this.#head === '' ? Buffer.from(this.#begin(event.id, event.model, event.created)) : undefined;
      case 'finish':
        return this.#finish(finishWord(event.reason));
      case 'usage':
        this.#usage ??= {};
        mergeUsage(this.#usage, event.usage);
        return undefined;
      case 'error':
        return undefined; // The relay writes it as the dialect's error event, and cuts.
    }
  }

  end(): Buffer {
    const usage = this.#context.includeUsage && this.#usage ? usageObject(this.#usage) : undefined;
    if (usage === undefined) return Buffer.from('data: [DONE]\n\n');
    if (this.#head === '') this.#begin();
    return Buffer.from(`${this.#base}[],"usage":${JSON.stringify(usage)}}\n\ndata: [DONE]\n\n`);
  }

  #delta(delta: string): Buffer {
    if (this.#head === '') return Buffer.from(`${this.#begin()}${this.#head}${delta}${this.#tail}`);
    return Buffer.from(`${this.#head}${delta}${this.#tail}`);
  }

  /** The chunk that names the role; it comes before any other. */
  #begin(id?: string, model?: string, created?: number): string {
    const { exchangeId } = this.#context;
    this.#base =
      `data: {"id":${JSON.stringify(id ?? `chatcmpl-${exchangeId}`)},"object":"chat.completion.chunk",` +
      `"created":${created ?? this.#context.created},"model":${JSON.stringify(model ?? this.#context.model)},"choices":`;
    this.#head = `${this.#base}[{"index":0,"delta":`;
    return `${this.#head}{"role":"assistant","content":""}${this.#tail}`;
  }

  #finish(word: string): Buffer {
    const begin = this.#head === '' ? this.#begin() : '';
    const usage = this.#context.includeUsage ? ',"usage":null' : '';
    return Buffer.from(`${begin}${this.#head}{},"finish_reason":"${word}"}]${usage}}\n\n`);
  }

  /**
   * The whole block with its proof, so that a client which appends the lists of all chunks holds what it must send
   * back with the next request.
   */
  #closeReasoning(signature: string): Buffer | undefined {
    const thinking = this.#unproven;
    this.#unproven = '';
    if (thinking.length > MAX_HELD_REASONING_CHARACTERS) return undefined;
    return this.#delta(
      `{"thinking_blocks":[{"type":"thinking","thinking":${JSON.stringify(thinking)},"signature":${JSON.stringify(signature)}}]}`,
    );
  }
}
