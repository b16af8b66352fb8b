import { isArray, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { AnswerText } from '../../inference/sampled-text.ts';
import { sampledAnswer } from '../sampled-answer.ts';

const words = { read, keys: ['text', 'refusal', 'arguments', 'input'], callKey: 'arguments' };

/** The words in the first bytes of a response, streamed or not. */
export function answerText(sample: Buffer, totalBytes: number): AnswerText | undefined {
  return sampledAnswer(sample, totalBytes, words);
}

function read(answer: JsonObject, found: AnswerText): void {
  const { type, delta, item, output } = answer;
  if (typeof type === 'string' && type.endsWith('.delta') && typeof delta === 'string') found.text += delta;
  else if (type === 'response.output_item.added') {
    const { name } = objectOf(item) ?? {};
    if (typeof name !== 'string') return;
    found.toolCalls += 1;
    found.text += name;
  } else if (isArray(output)) for (const each of output) if (isObject(each)) readItem(each, found);
}

function readItem(item: JsonObject, found: AnswerText): void {
  if (typeof item['name'] === 'string') {
    found.toolCalls += 1;
    found.text += item['name'];
  }
  for (const key of ['arguments', 'input']) if (typeof item[key] === 'string') found.text += item[key];
  for (const list of [item['summary'], item['content']]) {
    if (!isArray(list)) continue;
    for (const part of list) {
      const { text, refusal } = objectOf(part) ?? {};
      if (typeof text === 'string') found.text += text;
      if (typeof refusal === 'string') found.text += refusal;
    }
  }
}
