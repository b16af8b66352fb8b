import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChatWire } from '../../../../src/providers/openai-compatible/wire.ts';
import { messageWhole } from '../../../support/translated-messages.ts';

const stopReason = (finish_reason: string): string => {
  const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason }];
  return JSON.parse(messageWhole(openAiChatWire, Buffer.from(JSON.stringify({ id: 'c', choices })))).stop_reason;
};

test('a word of a server of its own for a clean end, a limit or a call is the same end in Anthropic’s form', () => {
  const words = { stop: 'end_turn', eos: 'end_turn', eos_token: 'end_turn', stop_sequence: 'stop_sequence' };
  const others = { end_turn: 'end_turn', length: 'max_tokens', max_tokens: 'max_tokens', tool_use: 'tool_use' };
  const expected = { ...words, ...others, content_filter: 'refusal', sensitive: 'refusal' };
  const told = Object.fromEntries(Object.keys(expected).map((word) => [word, stopReason(word)]));
  assert.deepEqual(told, expected);
});
