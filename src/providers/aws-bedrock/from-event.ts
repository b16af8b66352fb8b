import { EXCEPTION } from '../../codec/aws-event-stream.ts';
import { isArray, isObject, type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { EventReader } from '../provider.ts';
import { pushCitation } from './citations.ts';
import { statusOfType } from './exception-status.ts';
import { toFinishReason } from './finish-reason.ts';
import { isServerTool, pushBeside, pushMedia, pushServerTool } from './from-block.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html */
export function eventReader(): EventReader {
  return new ConverseEventReader();
}

/** The bound of what Bedrock's own tools do in one block; a longer input or result is told without its rest. */
const MAX_SERVER_TOOL_CHARACTERS = 1_048_576;

/** A block that is open, as far as more than its next piece has to be known. */
interface OpenBlock {
  /** The place of a tool call among the client's tool calls. */
  readonly call: number | undefined;
  hasArguments: boolean;
  /** `{toolUse}` or `{toolResult}` of a tool that Bedrock runs, as its block began. */
  readonly server: JsonObject | undefined;
  input: string;
  readonly results: unknown[];
  resultCharacters: number;
  readonly imageFormat: string | undefined;
  /** Where the text of this block began in the answer. */
  readonly textStart: number;
  readonly citations: JsonObject[];
}

class ConverseEventReader implements EventReader {
  /** The usage came behind the end of the message. */
  complete = false;
  #stopReason: string | undefined;
  #stopped = false;
  #toolCalls = 0;
  #characters = 0;
  /** By block index; an entry lives from its block's first event to its stop. */
  readonly #open = new Map<unknown, OpenBlock>();

  fromEvent(event: string | undefined, data: string, out: InferenceEvent[]): void {
    const value = parseObject(data);
    if (event?.startsWith(EXCEPTION)) {
      pushException(event.slice(EXCEPTION.length), value, out);
      return;
    }
    if (value === undefined) {
      out.push({ type: 'error', status: 502, errorType: 'upstream_protocol', message: 'An event is not JSON.' });
      return;
    }
    switch (event) {
      case 'messageStart':
        out.push({ type: 'start' });
        return;
      case 'contentBlockStart':
        this.#blockStart(value, out);
        return;
      case 'contentBlockDelta':
        this.#delta(value, out);
        return;
      case 'contentBlockStop':
        this.#blockStop(value['contentBlockIndex'], out);
        return;
      case 'messageStop':
        this.#stopped = true;
        this.#stopReason = stringOf(value['stopReason']);
        pushBeside(value, out);
        return;
      case 'metadata':
        this.#metadata(value, out);
        return;
      default: // What comes one day.
    }
  }

  #blockStart(value: JsonObject, out: InferenceEvent[]): void {
    const start = objectOf(value['start']);
    const call = objectOf(start?.['toolUse']);
    const isServer = (call !== undefined && isServerTool(call)) || isObject(start?.['toolResult']);
    const isCall = call !== undefined && !isServer;
    const opened = this.#opened(value['contentBlockIndex'], {
      call: isCall ? this.#toolCalls : undefined,
      server: isServer ? start : undefined,
      imageFormat: stringOf(objectOf(start?.['image'])?.['format']),
    });
    if (!isCall) return;
    this.#toolCalls += 1;
    const id = stringOf(call['toolUseId']) ?? '';
    out.push({ type: 'tool-call', index: opened.call!, id, name: stringOf(call['name']) ?? '' });
  }

  #opened(index: unknown, about: Partial<OpenBlock> = {}): OpenBlock {
    let block = this.#open.get(index);
    if (block !== undefined) return block;
    block = {
      call: undefined,
      hasArguments: false,
      server: undefined,
      input: '',
      results: [],
      resultCharacters: 0,
      imageFormat: undefined,
      textStart: this.#characters,
      citations: [],
      ...about,
    };
    this.#open.set(index, block);
    return block;
  }

  #delta(value: JsonObject, out: InferenceEvent[]): void {
    const delta = objectOf(value['delta']);
    if (delta === undefined) return;
    const block = this.#opened(value['contentBlockIndex']);
    const text = stringOf(delta['text']);
    if (text) {
      this.#characters += text.length;
      out.push({ type: 'text', text });
    }
    const input = stringOf(objectOf(delta['toolUse'])?.['input']);
    if (input) pushInput(input, block, out);
    const reasoning = objectOf(delta['reasoningContent']);
    if (reasoning) pushReasoningDelta(reasoning, out);
    // The text that it belongs to is known when its block ends.
    if (isObject(delta['citation'])) block.citations.push(delta['citation']);
    if (isArray(delta['toolResult'])) keepResults(delta['toolResult'], block);
    pushMedia('image', objectOf(delta['image']), block.imageFormat, out);
  }

  #blockStop(index: unknown, out: InferenceEvent[]): void {
    const block = this.#open.get(index);
    if (block === undefined) return;
    this.#open.delete(index);
    const { call, hasArguments, textStart: start } = block;
    // A call without arguments streams none at all; a client that parses '' as JSON would fail.
    if (call !== undefined && !hasArguments) out.push({ type: 'tool-call-arguments', index: call, text: '{}' });
    for (const citation of block.citations) pushCitation(citation, { start, end: this.#characters }, out);
    if (block.server) pushServerTool(serverBlock(block.server, block), out);
  }

  /** The end of the message is told with what stands beside it, so that nothing comes behind the end. */
  #metadata(value: JsonObject, out: InferenceEvent[]): void {
    pushBeside(value, out);
    const usage = toUsage(value['usage'], value);
    if (usage) out.push({ type: 'usage', usage });
    if (!this.#stopped) return;
    this.complete = true;
    if (this.#stopReason !== undefined) out.push({ type: 'finish', reason: toFinishReason(this.#stopReason) });
  }
}

function pushInput(text: string, block: OpenBlock, out: InferenceEvent[]): void {
  if (block.call !== undefined) {
    block.hasArguments = true;
    out.push({ type: 'tool-call-arguments', index: block.call, text });
  } else if (block.server && block.input.length + text.length <= MAX_SERVER_TOOL_CHARACTERS) block.input += text;
}

function keepResults(results: readonly unknown[], block: OpenBlock): void {
  for (const result of results) {
    block.resultCharacters += JSON.stringify(result).length;
    if (block.resultCharacters <= MAX_SERVER_TOOL_CHARACTERS) block.results.push(result);
  }
}

/** The block as a whole answer has it. */
function serverBlock(start: JsonObject, { input, results }: OpenBlock): JsonObject {
  const call = objectOf(start['toolUse']);
  if (call) return { toolUse: { ...call, input: input === '' ? {} : (parseObject(input) ?? input) } };
  return { toolResult: { ...objectOf(start['toolResult']), content: joinedTexts(results) } };
}

/** A text comes in pieces, each a result of its own. */
function joinedTexts(results: readonly unknown[]): unknown[] {
  const joined: unknown[] = [];
  for (const result of results) {
    const text = stringOf(objectOf(result)?.['text']);
    const before = stringOf(objectOf(joined.at(-1))?.['text']);
    if (text !== undefined && before !== undefined) joined[joined.length - 1] = { text: before + text };
    else joined.push(result);
  }
  return joined;
}

function pushReasoningDelta(reasoning: JsonObject, out: InferenceEvent[]): void {
  const text = stringOf(reasoning['text']);
  if (text) out.push({ type: 'reasoning', text });
  const signature = stringOf(reasoning['signature']);
  if (signature) out.push({ type: 'reasoning-signature', signature });
  const data = stringOf(reasoning['redactedContent']);
  if (data) out.push({ type: 'redacted-reasoning', data });
}

function pushException(type: string, value: JsonObject | undefined, out: InferenceEvent[]): void {
  const original = value?.['originalStatusCode'];
  out.push({
    type: 'error',
    status: typeof original === 'number' && original >= 400 && original <= 599 ? original : statusOfType(type),
    errorType: type === '' ? 'unknown' : type,
    message: stringOf(value?.['originalMessage']) ?? stringOf(value?.['message']) ?? 'The provider gave no reason.',
  });
}
