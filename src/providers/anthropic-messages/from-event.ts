import { isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { EventReader } from '../provider.ts';
import { pushFinish } from './finish-reason.ts';
import { pushAside, pushBeside, pushCitations } from './from-block.ts';
import { statusOfType } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** https://platform.claude.com/docs/en/build-with-claude/streaming */
export function eventReader(): EventReader {
  return new MessagesEventReader();
}

/** The bound of one block of Anthropic's own tools; what is longer is told without its rest. */
const MAX_ASIDE_CHARACTERS = 1_048_576;

/** A tool call whose block is open. */
interface OpenCall {
  index: number;
  hasArguments: boolean;
}

/** A text whose block is open: its sources come before all of it is said. */
interface OpenText {
  readonly start: number;
  readonly citations: unknown[];
}

/** A block that is neither said nor called, put together until it is whole. */
interface OpenAside {
  readonly block: Record<string, unknown>;
  inputText: string;
  characters: number;
}

class MessagesEventReader implements EventReader {
  complete = false;
  /** It told its stop reason: the answer is whole if HTTP ends cleanly then. */
  finished = false;
  #started = false;
  #toolCalls = 0;
  /** By block index; an entry lives from its block's start to its stop. */
  readonly #openCalls = new Map<unknown, OpenCall>();
  readonly #openTexts = new Map<unknown, OpenText>();
  readonly #openAsides = new Map<unknown, OpenAside>();
  #characters = 0;
  /** All of usage told so far, in Anthropic's keys: the last event may give counts without their cache parts. */
  #usage: Record<string, unknown> = {};

  fromEvent(event: string | undefined, data: string, out: InferenceEvent[]): void {
    // The end of OpenAI's form is none of this one.
    if (event === 'ping' || data === '[DONE]') return;
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      const message = event === 'error' ? data : 'An event is not JSON.';
      out.push({ type: 'error', status: 502, errorType: 'upstream_protocol', message });
      return;
    }
    if (!isObject(value)) return;
    switch (value['type']) {
      case 'content_block_delta':
        this.#delta(value, out);
        return;
      case 'content_block_start':
        this.#blockStart(value, out);
        return;
      case 'content_block_stop':
        this.#blockStop(value, out);
        return;
      case 'message_start':
        this.#messageStart(value, out);
        return;
      case 'message_delta':
        this.#pushUsage(value['usage'], out);
        pushBeside({ ...value, ...objectOf(value['delta']) }, out);
        pushFinish(out, objectOf(value['delta']) ?? {});
        this.finished ||= out.at(-1)?.type === 'finish';
        return;
      case 'message_stop':
        this.complete = true;
        return;
      case 'error':
        pushError(value, out);
        return;
      default: // ping, and whatever comes one day: "your code should handle unknown event types gracefully"
        // But those in between have errors of their own making.
        if (value['error']) pushError(value, out);
    }
  }

  #delta(value: JsonObject, out: InferenceEvent[]): void {
    const delta = value['delta'];
    if (!isObject(delta)) return;
    switch (delta['type']) {
      case 'text_delta':
        this.#text(delta['text'], out);
        return;
      case 'citations_delta':
        this.#openTexts.get(value['index'])?.citations.push(delta['citation']);
        return;
      case 'input_json_delta': {
        const call = this.#openCalls.get(value['index']);
        const text = stringOf(delta['partial_json']);
        if (!text) return;
        if (call === undefined) {
          this.#asideDelta(value['index'], { inputText: text });
          return;
        }
        call.hasArguments = true;
        out.push({ type: 'tool-call-arguments', index: call.index, text });
        return;
      }
      case 'thinking_delta':
        pushText(out, 'reasoning', delta['thinking']);
        return;
      case 'signature_delta': {
        const signature = stringOf(delta['signature']);
        if (signature) out.push({ type: 'reasoning-signature', signature });
        return;
      }
      default:
        this.#asideDelta(value['index'], delta);
    }
  }

  #text(value: unknown, out: InferenceEvent[]): void {
    this.#characters += stringOf(value)?.length ?? 0;
    pushText(out, 'text', value);
  }

  /** In blocks whose kind is not known each text goes on where the block holds it: `compaction_delta {content}`. */
  #asideDelta(index: unknown, { type: _type, inputText, ...texts }: JsonObject): void {
    const aside = this.#openAsides.get(index);
    if (aside === undefined) return;
    const grow = (text: string): boolean => {
      aside.characters += text.length;
      return aside.characters <= MAX_ASIDE_CHARACTERS;
    };
    if (typeof inputText === 'string' && grow(inputText)) aside.inputText += inputText;
    for (const [key, text] of Object.entries(texts)) {
      if (typeof text === 'string' && grow(text)) aside.block[key] = `${aside.block[key] ?? ''}${text}`;
    }
  }

  /** Blocks begin empty at Anthropic; others who speak its API put content into the start. */
  #blockStart(value: JsonObject, out: InferenceEvent[]): void {
    const block = value['content_block'];
    if (!isObject(block)) return;
    switch (block['type']) {
      case 'text':
        this.#openTexts.set(value['index'], { start: this.#characters, citations: [] });
        this.#text(block['text'], out);
        return;
      case 'thinking':
        pushText(out, 'reasoning', block['thinking']);
        return;
      case 'redacted_thinking':
        out.push({ type: 'redacted-reasoning', data: stringOf(block['data']) ?? '' });
        return;
      case 'tool_use': {
        const call: OpenCall = { index: this.#toolCalls, hasArguments: false };
        this.#toolCalls += 1;
        this.#openCalls.set(value['index'], call);
        out.push({
          type: 'tool-call',
          index: call.index,
          id: stringOf(block['id']) ?? '',
          name: stringOf(block['name']) ?? '',
        });
        const input = objectOf(block['input']);
        if (input === undefined || Object.keys(input).length === 0) return;
        call.hasArguments = true;
        out.push({ type: 'tool-call-arguments', index: call.index, text: JSON.stringify(input) });
        return;
      }
      default:
        this.#openAsides.set(value['index'], { block: { ...block }, inputText: '', characters: 0 });
    }
  }

  #blockStop(value: JsonObject, out: InferenceEvent[]): void {
    const { index } = value;
    const text = this.#openTexts.get(index);
    if (text) pushCitations(text.citations, { start: text.start, end: this.#characters }, out);
    this.#openTexts.delete(index);
    const aside = this.#openAsides.get(index);
    if (aside) pushAside(asideBlock(aside), out);
    this.#openAsides.delete(index);
    const call = this.#openCalls.get(index);
    if (call === undefined) return;
    this.#openCalls.delete(index);
    // A call without arguments streams none at all; a client that parses '' as JSON would fail.
    if (!call.hasArguments) out.push({ type: 'tool-call-arguments', index: call.index, text: '{}' });
  }

  #messageStart(value: JsonObject, out: InferenceEvent[]): void {
    const message = objectOf(value['message']);
    if (message === undefined || this.#started) return;
    this.#started = true;
    out.push({ type: 'start', id: stringOf(message['id']), model: stringOf(message['model']) });
    this.#pushUsage(message['usage'], out);
  }

  #pushUsage(value: unknown, out: InferenceEvent[]): void {
    if (!isObject(value)) return;
    for (const [key, count] of Object.entries(value)) if (count !== null) this.#usage[key] = count;
    const usage = toUsage(this.#usage);
    if (usage) out.push({ type: 'usage', usage });
  }
}

/** As a whole answer has it. */
function asideBlock({ block, inputText }: OpenAside): JsonObject {
  return inputText === '' ? block : { ...block, input: parseObject(inputText) ?? inputText };
}

function pushText(out: InferenceEvent[], type: 'text' | 'reasoning', value: unknown): void {
  if (typeof value === 'string' && value !== '') out.push({ type, text: value });
}

function pushError(value: JsonObject, out: InferenceEvent[]): void {
  const error = objectOf(value['error']) ?? { message: value['error'] ?? value['message'] };
  const errorType = stringOf(error['type']) ?? 'api_error';
  const message = stringOf(error['message']) ?? 'The provider gave no reason.';
  out.push({ type: 'error', status: statusOfType(errorType), errorType, message });
}
