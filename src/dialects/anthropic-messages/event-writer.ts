import type { ContentEvent, InferenceEvent } from '../../inference/event.ts';
import type { FinishReason } from '../../inference/finish-reason.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext, EventWriter } from '../dialect.ts';
import { messageUsage, standIn, stopReason } from './answer-words.ts';
import { toClientCallId, toClientSignature } from './carried.ts';

/** A streamed answer as the events of a message: https://platform.claude.com/docs/en/build-with-claude/streaming */
export function eventWriter(context: AnswerContext): EventWriter {
  return new MessageWriter(context);
}

type Kind = 'text' | 'thinking' | 'tool_use';

/**
 * One block is open at a time, and ends where another begins. The message begins with its first content, so that counts
 * which came before stand in it, and its end waits for `end`, since counts may follow the reason.
 */
class MessageWriter implements EventWriter {
  readonly #context: AnswerContext;
  #id: string | undefined;
  #model: string | undefined;
  #begun = false;
  #blocks = 0;
  #open: Kind | undefined;
  /** The open thought was signed. */
  #signed = false;
  /** Blocks of calls, by the index of the call. */
  readonly #calls: number[] = [];
  #finish: FinishReason | undefined;
  readonly #usage: Usage = {};

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(event: InferenceEvent): Buffer | undefined {
    switch (event.type) {
      case 'start':
        this.#id ??= event.id;
        this.#model ??= event.model;
        return undefined;
      case 'usage':
        mergeUsage(this.#usage, event.usage);
        return undefined;
      case 'finish':
        if ((event.choice ?? 0) === 0) this.#finish ??= event.reason;
        return undefined;
      case 'error':
        return undefined; // The relay writes it as the dialect's error event, and cuts.
      default: {
        // This form has one answer.
        const text = (event.choice ?? 0) === 0 ? this.#content(event) : '';
        return text === '' ? undefined : Buffer.from(text);
      }
    }
  }

  end(): Buffer {
    const delta = JSON.stringify({
      type: 'message_delta',
      delta: { stop_reason: stopReason(this.#finish, this.#calls.length > 0), stop_sequence: null },
      usage: messageUsage(this.#usage),
    });
    const text = `${this.#begin()}${this.#close()}event: message_delta\ndata: ${delta}\n\n`;
    return Buffer.from(`${text}event: message_stop\ndata: {"type":"message_stop"}\n\n`);
  }

  #content(event: ContentEvent): string {
    switch (event.type) {
      case 'text':
      case 'refusal':
        return event.text === '' ? '' : this.#text(event.text);
      case 'reasoning':
        if (event.text === '') return '';
        return this.#thinking() + this.#delta('thinking_delta', 'thinking', event.text);
      case 'reasoning-signature': {
        const text = this.#thinking() + this.#delta('signature_delta', 'signature', toClientSignature(event.signature));
        this.#signed = true;
        return text;
      }
      case 'redacted-reasoning': {
        const begun = this.#begin() + this.#close();
        return `${begun}${this.#start(`{"type":"redacted_thinking","data":${JSON.stringify(event.data)}}`)}${this.#stop()}`;
      }
      case 'tool-call': {
        const begun = this.#begin() + this.#close();
        this.#calls[event.index] = this.#blocks;
        const id = JSON.stringify(toClientCallId(event.id, event.signature));
        const block = `{"type":"tool_use","id":${id},"name":${JSON.stringify(event.name)},"input":{}}`;
        this.#open = 'tool_use';
        return begun + this.#start(block);
      }
      case 'tool-call-arguments': {
        // Pieces of several calls may come mixed: each names its block.
        const index = this.#calls[event.index];
        if (index === undefined || event.text === '') return '';
        return deltaOf(index, 'input_json_delta', 'partial_json', event.text);
      }
      default: {
        const text = standIn(event);
        return text === undefined ? '' : this.#text(text);
      }
    }
  }

  #text(text: string): string {
    return this.#within('text', '{"type":"text","text":""}') + this.#delta('text_delta', 'text', text);
  }

  #thinking(): string {
    const closed = this.#open === 'thinking' && this.#signed ? this.#close() : '';
    return closed + this.#within('thinking', '{"type":"thinking","thinking":"","signature":""}');
  }

  /** Whatever it takes to have a block of this kind open. */
  #within(kind: Kind, block: string): string {
    if (this.#open === kind) return '';
    const before = this.#begin() + this.#close();
    this.#open = kind;
    this.#signed = false;
    return before + this.#start(block);
  }

  #begin(): string {
    if (this.#begun) return '';
    this.#begun = true;
    const message = JSON.stringify({
      id: this.#id ?? `msg_${this.#context.exchangeId}`,
      type: 'message',
      role: 'assistant',
      model: this.#model ?? this.#context.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: messageUsage(this.#usage),
    });
    return `event: message_start\ndata: {"type":"message_start","message":${message}}\n\n`;
  }

  #start(block: string): string {
    return `event: content_block_start\ndata: {"type":"content_block_start","index":${this.#blocks},"content_block":${block}}\n\n`;
  }

  #delta(type: string, key: string, text: string): string {
    return deltaOf(this.#blocks, type, key, text);
  }

  /** Ends the open block, if one is; a thought that nobody signed says so, since Anthropic would refuse it unsigned. */
  #close(): string {
    if (this.#open === undefined) return '';
    const unsigned = this.#open === 'thinking' && !this.#signed;
    const signature = unsigned ? this.#delta('signature_delta', 'signature', toClientSignature(undefined)) : '';
    this.#open = undefined;
    return signature + this.#stop();
  }

  #stop(): string {
    const text = `event: content_block_stop\ndata: {"type":"content_block_stop","index":${this.#blocks}}\n\n`;
    this.#blocks += 1;
    return text;
  }
}

function deltaOf(index: number, type: string, key: string, text: string): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"${type}","${key}":${JSON.stringify(text)}}}\n\n`;
}
