import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InferenceRequest, Message } from '../../../../src/inference/request.ts';
import { modelFamily } from '../../../../src/providers/anthropic-messages/model-family.ts';
import { toThinking } from '../../../../src/providers/anthropic-messages/thinking.ts';
import { toConversation } from '../../../../src/providers/anthropic-messages/to-messages.ts';

type Reasoning = NonNullable<InferenceRequest['reasoning']>;

const question: Message = { role: 'user', parts: [{ type: 'text', text: '?' }] };

function thinking(
  model: string,
  reasoning: Reasoning | undefined,
  maxTokens = 64_000,
  extra: Partial<InferenceRequest> = {},
) {
  const request = { model, messages: [question], stream: false, includeUsage: false, extra: {}, reasoning, ...extra };
  return JSON.parse(JSON.stringify(toThinking(request, modelFamily(model), maxTokens)));
}

const budget = (budget_tokens: number) => ({ thinking: { type: 'enabled', budget_tokens } });
const HAIKU = 'claude-haiku-4-5';

test('a reasoning effort becomes a thinking budget below max_tokens, with room to answer', () => {
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }), budget(2048));
  assert.deepEqual(thinking(HAIKU, { effort: 'medium' }), budget(8192));
  assert.deepEqual(thinking(HAIKU, { effort: 'high' }), budget(16_384));
  assert.deepEqual(thinking(HAIKU, { effort: 'high' }, 10_000), budget(8000));
  assert.deepEqual(thinking(HAIKU, { enabled: true }), budget(8192));
});

test('a thinking budget is kept within what Anthropic takes: 1024 and more, less than max_tokens', () => {
  assert.deepEqual(thinking(HAIKU, { budgetTokens: 5000 }), budget(5000));
  assert.deepEqual(thinking(HAIKU, { budgetTokens: 5000 }, 4000), budget(3999));
  assert.deepEqual(thinking(HAIKU, { budgetTokens: 1 }), budget(1024));
});

test('thinking is left out where max_tokens, the model or a forced call leave no room for it', () => {
  assert.deepEqual(thinking(HAIKU, { effort: 'high' }, 1024), {});
  assert.deepEqual(thinking('claude-3-5-haiku-20241022', { effort: 'high' }), {});
  const forced: Partial<InferenceRequest> = { tools: [{ name: 'f', extra: {} }], toolChoice: { type: 'required' } };
  assert.deepEqual(thinking(HAIKU, { effort: 'high' }, 64_000, forced), {});
  assert.deepEqual(thinking('claude-opus-4-6', { effort: 'high' }, 64_000, forced), {
    thinking: { type: 'adaptive' },
    effort: 'high',
  });
  assert.deepEqual(thinking(HAIKU, undefined), {});
  assert.deepEqual(thinking(HAIKU, {}), {});
});

test('newer models think adaptively, with an effort, and are asked for the summary they would hide', () => {
  assert.deepEqual(thinking('claude-sonnet-4-6', { effort: 'medium' }), {
    thinking: { type: 'adaptive' },
    effort: 'medium',
  });
  assert.deepEqual(thinking('claude-sonnet-4-6', { effort: 'xhigh' }).effort, 'max');
  assert.deepEqual(thinking('claude-opus-4-7', { effort: 'xhigh' }), {
    thinking: { type: 'adaptive', display: 'summarized' },
    effort: 'xhigh',
  });
  assert.equal(thinking('claude-opus-5', { effort: 'minimal' }).effort, 'low');
  assert.deepEqual(
    [2000, 8000, 30_000].map((budgetTokens) => thinking('claude-opus-5', { budgetTokens }).effort),
    ['low', 'medium', 'high'],
  );
  assert.equal(thinking('claude-opus-5', { enabled: true }).effort, undefined);
});

test('thinking is switched off in the way that each model understands', () => {
  const off = (model: string) => thinking(model, { effort: 'none' });
  assert.deepEqual(off(HAIKU), {});
  assert.deepEqual(off('claude-opus-4-8'), {});
  assert.deepEqual(off('claude-sonnet-5'), { thinking: { type: 'disabled' } });
  assert.deepEqual(off('claude-sonnet-5-5'), { thinking: { type: 'between_tools' } });
  assert.deepEqual(off('claude-fable-5'), { effort: 'low' });
  assert.deepEqual(thinking('claude-sonnet-5', { enabled: false, effort: 'high' }), { thinking: { type: 'disabled' } });
});

const call: Message['parts'][number] = { type: 'tool-call', id: 'a', name: 'f', argumentsText: '{}' };
const result: Message = { role: 'tool', parts: [{ type: 'tool-result', toolCallId: 'a', parts: [] }] };

test('thinking is left out of a tool loop whose thinking the client did not send back', () => {
  const loop = (parts: Message['parts'], ...more: Message[]): Partial<InferenceRequest> => ({
    messages: [question, { role: 'assistant', parts }, result, ...more],
  });
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }, 64_000, loop([call])), {});
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }, 64_000, loop([{ type: 'reasoning', text: 'hm' }, call])), {});
  const proven = loop([{ type: 'reasoning', text: 'hm', signature: 's' }, call]);
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }, 64_000, proven), budget(2048));
  const redacted = loop([{ type: 'redacted-reasoning', data: 'd' }, call]);
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }, 64_000, redacted), budget(2048));
  assert.deepEqual(thinking(HAIKU, { effort: 'low' }, 64_000, loop([call], question)), budget(2048));
});

test('thinking goes back with its signature, first in its message, and not at all without one', () => {
  const messages: Message[] = [
    question,
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'hm', signature: 's' },
        { type: 'reasoning', text: 'unproven' },
        { type: 'redacted-reasoning', data: 'd' },
        { type: 'text', text: 'a' },
      ],
    },
  ];
  assert.deepEqual(toConversation(messages, modelFamily(HAIKU)), {
    system: [],
    messages: [
      { role: 'user', content: [{ type: 'text', text: '?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 's' },
          { type: 'redacted_thinking', data: 'd' },
          { type: 'text', text: 'a' },
        ],
      },
    ],
  });
});

test('model families are read from names of every age', () => {
  const of = (model: string) => {
    const { maxOutputTokens, thinking: way, sampling } = modelFamily(model);
    return [maxOutputTokens, way, sampling];
  };
  assert.deepEqual(of('claude-3-opus-20240229'), [4096, 'none', 'all']);
  assert.deepEqual(of('claude-3-5-sonnet-latest'), [8192, 'none', 'all']);
  assert.deepEqual(of('claude-3-7-sonnet-20250219'), [64_000, 'budget', 'all']);
  assert.deepEqual(of('claude-opus-4-20250514'), [32_000, 'budget', 'all']);
  assert.deepEqual(of('claude-opus-4-1-20250805'), [32_000, 'budget', 'one']);
  assert.deepEqual(of('claude-sonnet-4-20250514'), [64_000, 'budget', 'all']);
  assert.deepEqual(of('claude-haiku-4-5-20251001'), [64_000, 'budget', 'one']);
  assert.deepEqual(of('claude-opus-4-5@20251101'), [64_000, 'budget', 'one']);
  assert.deepEqual(of('claude-opus-4.6'), [128_000, 'adaptive', 'one']);
  assert.deepEqual(of('claude-sonnet-5'), [128_000, 'adaptive', 'none']);
  assert.deepEqual(of('claude-mythos-preview'), [128_000, 'adaptive', 'none']);
  assert.deepEqual(of('claude-2.1'), [4096, 'none', 'all']);
  assert.deepEqual(of('MiniMax-M2'), [8192, 'budget', 'all']);
});
