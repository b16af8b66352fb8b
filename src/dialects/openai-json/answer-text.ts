import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import type { AnswerText } from '../../inference/sampled-text.ts';
import { sampledAnswer } from '../sampled-answer.ts';

const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal', 'text'];
const words = { read: readChoices, keys: [...TEXTS, 'arguments'], callKey: 'arguments' };

/** The words in the first bytes of a chat completion, streamed or not. */
export function answerText(sample: Buffer, totalBytes: number): AnswerText | undefined {
  return sampledAnswer(sample, totalBytes, words);
}

function readChoices({ choices }: JsonObject, found: AnswerText): void {
  if (!isArray(choices)) return;
  for (const choice of choices) {
    if (isObject(choice)) readMessage(choice['delta'] ?? choice['message'] ?? choice, found);
  }
}

function readMessage(message: unknown, found: AnswerText): void {
  if (!isObject(message)) return;
  for (const key of TEXTS) {
    const value = message[key];
    if (typeof value === 'string') found.text += value;
    else if (isArray(value)) for (const part of value) readMessage(part, found);
  }
  const calls = message['tool_calls'];
  if (!isArray(calls)) return;
  for (const call of calls) {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(called)) continue;
    const { name, arguments: argumentsText } = called;
    if (typeof name === 'string' && name !== '') {
      found.toolCalls += 1;
      found.text += name;
    }
    if (typeof argumentsText === 'string') found.text += argumentsText;
  }
}
