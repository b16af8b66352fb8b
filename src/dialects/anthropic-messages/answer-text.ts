import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { AnswerText } from '../../inference/sampled-text.ts';
import { sampledAnswer } from '../sampled-answer.ts';

const words = { read, keys: ['text', 'thinking', 'name'], callKey: 'name' };

/** The words in the first bytes of a message, streamed or not. */
export function answerText(sample: Buffer, totalBytes: number): AnswerText | undefined {
  return sampledAnswer(sample, totalBytes, words);
}

/** A whole message has a list of blocks, an event a block or a delta to one. */
function read({ content, content_block: block, delta }: JsonObject, found: AnswerText): void {
  if (isArray(content)) for (const each of content) readBlock(each, found);
  readBlock(block, found);
  readBlock(delta, found);
}

function readBlock(block: unknown, found: AnswerText): void {
  if (!isObject(block)) return;
  for (const key of ['text', 'thinking', 'partial_json']) found.text += stringOf(block[key]) ?? '';
  if (block['type'] !== 'tool_use') return;
  found.toolCalls += 1;
  found.text += stringOf(block['name']) ?? '';
  const { input } = block;
  if (isObject(input) && Object.keys(input).length > 0) found.text += JSON.stringify(input);
}
