import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject } from '../../src/codec/json-value.ts';
import { toUsage } from '../../src/providers/openai-compatible/to-usage.ts';
import { openAiChatWire } from '../../src/providers/openai-compatible/wire.ts';
import { type ChatAnswer, fromStream, fromWhole } from '../support/chat-answer.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings } from '../support/recordings.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';
import { chatProviders, eventsOf, fixtureChats, type RecordedChat, recordedChats } from './recorded-chats.ts';

/*
 * Answers of OpenAI's form, read into neutral events and written again as the same form: what a client of any other form
 * is told of them is made of these events.
 */

const { translation } = openAiChatWire;
assert.ok(translation);

type Told = Pick<ChatAnswer, 'content' | 'refusal' | 'reasoning' | 'toolCalls' | 'finish'> & { usage: unknown };

function told(answer: ChatAnswer): Told {
  const { content, refusal, reasoning, toolCalls, finish, usage } = answer;
  return { content, refusal, reasoning, toolCalls, finish, usage: countsOf(toUsage(usage)) };
}

function countsOf(usage: ReturnType<typeof toUsage>): unknown {
  return usage && { input: usage.inputTokens, output: usage.outputTokens, cached: usage.cacheReadInputTokens };
}

type Delta = Record<string, unknown>;

/** The same, added up from the recorded JSON without any code of ours. */
function expected(parts: readonly Record<string, unknown>[], streamed: boolean): Told {
  const sum: Told = { content: '', refusal: '', reasoning: '', toolCalls: [], finish: undefined, usage: undefined };
  const keys = new Map<unknown, number>();
  for (const part of parts) {
    const usage = toUsage(part['usage'], part);
    if (usage) sum.usage = countsOf(usage);
    for (const choice of (part['choices'] as Delta[] | undefined) ?? []) {
      // Perplexity has both in whole answers.
      const delta = (choice['message'] && !streamed ? choice['message'] : (choice['delta'] ?? {})) as Delta;
      for (const text of textsOf(delta['content'])) sum.content += text;
      for (const text of thoughtsOf(delta['content'])) sum.reasoning += text;
      sum.reasoning += (delta['reasoning_content'] || delta['reasoning'] || '') as string;
      sum.refusal += (delta['refusal'] ?? '') as string;
      for (const call of (delta['tool_calls'] as Delta[] | null | undefined) ?? []) {
        const made = call['function'] as { name?: string; arguments?: string };
        const key = call['index'] ?? call['id'];
        if (!keys.has(key)) {
          keys.set(key, keys.size);
          sum.toolCalls.push({ id: call['id'] as string, name: made.name!, arguments: '' });
        }
        sum.toolCalls[keys.get(key)!]!.arguments += made.arguments ?? '';
      }
      if (choice['finish_reason']) sum.finish = choice['finish_reason'];
    }
  }
  return sum;
}

function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  return Array.isArray(content) ? content.flatMap((part) => (typeof part.text === 'string' ? [part.text] : [])) : [];
}

function thoughtsOf(content: unknown): string[] {
  if (!Array.isArray(content)) return [];
  return content.flatMap((part) => (Array.isArray(part.thinking) ? textsOf(part.thinking) : []));
}

function check({ kind, answer }: RecordedChat): void {
  if (kind === 'json') {
    const body = answer.toString();
    assert.deepEqual(told(fromWhole(translateWhole(translation!, body))), expected([JSON.parse(body)], false));
    return;
  }
  const { bytes, complete } = translateStream(translation!, [answer]);
  assert.ok(complete);
  assert.deepEqual(told(fromStream(bytes)), expected(eventsOf(answer), true));
  for (const chunks of cuttings(answer, 60)) assert.ok(translateStream(translation!, chunks).bytes.equals(bytes));
}

const recorded = [...chatProviders].flatMap(recordedChats).filter((chat) => chat.status === 200 && isAnswer(chat));

for (const chat of [...fixtureChats().filter(isAnswer), ...recorded]) {
  test(`a recorded chat says the same in neutral events: ${chat.label}`, () => check(chat));
}

test('recorded chats were there to be read into neutral events', { skip: noRecordings }, () => {
  assert.ok(recorded.length > 100);
});

/** One choice that was finished, and no failure told inside a 200. */
function isAnswer({ kind, answer, label }: RecordedChat): boolean {
  const parts = kind === 'sse' ? eventsOf(answer) : [JSON.parse(answer.toString())];
  if (label.includes('two-choices')) return false;
  return parts.every((part) => !isObject(part['error'])) && parts.some((part) => Array.isArray(part['choices']));
}
