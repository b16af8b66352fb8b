import assert from 'node:assert/strict';
import { SseParser } from '../../src/codec/sse-parser.ts';

/** What a client of chat completions ends up with, whole or streamed. */
export interface ChatAnswer {
  id: unknown;
  model: unknown;
  content: string;
  refusal: string;
  reasoning: string;
  thinkingBlocks: unknown[];
  toolCalls: { id: string; name: string; arguments: string }[];
  finish: unknown;
  usage: unknown;
}

export function fromWhole(body: Buffer): ChatAnswer {
  const answer = JSON.parse(body.toString());
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.choices.length, 1);
  const { message, finish_reason: finish } = answer.choices[0];
  return {
    id: answer.id,
    model: answer.model,
    content: message.content ?? '',
    refusal: message.refusal ?? '',
    reasoning: message.reasoning_content ?? '',
    thinkingBlocks: message.thinking_blocks ?? [],
    toolCalls: (message.tool_calls ?? []).map(
      (call: { id: string; function: { name: string; arguments: string } }) => ({
        id: call.id,
        name: call.function.name,
        arguments: call.function.arguments,
      }),
    ),
    finish,
    usage: answer.usage,
  };
}

/** Adds the deltas up as a client does; asserts what every stream of chunks must keep to. */
export function fromStream(bytes: Buffer): ChatAnswer {
  const answer: ChatAnswer = {
    id: undefined,
    model: undefined,
    content: '',
    refusal: '',
    reasoning: '',
    thinkingBlocks: [],
    toolCalls: [],
    finish: undefined,
    usage: undefined,
  };
  const data: string[] = [];
  new SseParser((event, text) => {
    assert.equal(event, undefined);
    data.push(text);
  }, 1 << 24).push(bytes);
  assert.equal(data.pop(), '[DONE]');
  for (const [index, text] of data.entries()) {
    const chunk = JSON.parse(text);
    assert.equal(chunk.object, 'chat.completion.chunk');
    answer.id ??= chunk.id;
    answer.model ??= chunk.model;
    assert.equal(chunk.id, answer.id);
    if (chunk.usage) {
      assert.deepEqual(chunk.choices, []);
      assert.equal(index, data.length - 1, 'usage comes last');
      answer.usage = chunk.usage;
      continue;
    }
    const [{ delta, finish_reason: finish }] = chunk.choices;
    assert.equal(delta.role, index === 0 ? 'assistant' : undefined);
    assert.equal(answer.finish, undefined, 'nothing comes after the finish');
    answer.content += delta.content ?? '';
    answer.refusal += delta.refusal ?? '';
    answer.reasoning += delta.reasoning_content ?? '';
    answer.thinkingBlocks.push(...(delta.thinking_blocks ?? []));
    for (const call of delta.tool_calls ?? []) {
      answer.toolCalls[call.index] ??= { id: call.id, name: call.function.name, arguments: '' };
      answer.toolCalls[call.index]!.arguments += call.function.arguments;
    }
    if (finish !== null) answer.finish = finish;
  }
  return answer;
}
