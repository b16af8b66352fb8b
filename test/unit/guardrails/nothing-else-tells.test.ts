/** What a guard takes out of words must not stand beside them: repeated, quoted, or as the chances of tokens. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guarded as messagesForm } from '../../../src/dialects/anthropic-messages/guarded.ts';
import type { GuardedForm } from '../../../src/dialects/guarded-form.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import { guarded as completionsForm } from '../../../src/dialects/openai-completions/guarded.ts';
import { guarded as responsesForm } from '../../../src/dialects/openai-responses/guarded.ts';
import type { Guard, GuardQuestion } from '../../../src/guardrails/guard.ts';
import { guardConfig, openFilter, openSession } from './guarded.ts';

const SECRET = 'plumsecret';
const sse = (type: string, data: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const data = (json: object): string => `data: ${JSON.stringify(json)}\n\n`;
const choice = (more: object, index = 0): string => data({ id: 'c', choices: [{ index, ...more }] });

/** Events of a stream whose words, or what stands beside them, hold the secret. */
const STREAMS: Record<string, readonly [GuardedForm, readonly string[]]> = {
  'events of a response that repeat its text': [
    responsesForm,
    (() => {
      const at = { item_id: 'i', output_index: 0, content_index: 0 };
      const text = `It is ${SECRET}, so it is.`;
      const part = { type: 'output_text', text, annotations: [] };
      const item = { type: 'message', id: 'i', role: 'assistant', content: [part] };
      return [
        sse('response.created', { response: { id: 'r', output: [] } }),
        ...['It is plum', 'secret, so', ' it is.'].map((delta) => sse('response.output_text.delta', { ...at, delta })),
        sse('response.output_text.done', { ...at, text }),
        sse('response.content_part.done', { ...at, part }),
        sse('response.output_item.done', { output_index: 0, item }),
        sse('response.completed', { response: { id: 'r', output: [item], output_text: text } }),
      ];
    })(),
  ],
  'arguments of a tool that a response repeats': [
    responsesForm,
    (() => {
      const at = { item_id: 'f', output_index: 0 };
      const written = JSON.stringify({ to: SECRET });
      const item = { type: 'function_call', id: 'f', call_id: 'c', name: 'send', arguments: written };
      return [
        sse('response.function_call_arguments.delta', { ...at, delta: written.slice(0, 11) }),
        sse('response.function_call_arguments.delta', { ...at, delta: written.slice(11) }),
        sse('response.function_call_arguments.done', { ...at, arguments: written }),
        sse('response.output_item.done', { output_index: 0, item }),
        sse('response.completed', { response: { id: 'r', output: [item] } }),
      ];
    })(),
  ],
  'what a tool of the provider was told and found': [
    responsesForm,
    [
      sse('response.output_item.done', {
        output_index: 0,
        item: { type: 'web_search_call', id: 'w', action: { type: 'search', query: `who is ${SECRET}` } },
      }),
      sse('response.output_item.done', {
        output_index: 1,
        item: {
          type: 'file_search_call',
          id: 's',
          queries: [SECRET],
          results: [{ file_id: 'f', text: `of ${SECRET}` }],
        },
      }),
      sse('response.output_item.done', {
        output_index: 2,
        item: { type: 'code_interpreter_call', id: 'c', code: 'x', outputs: [{ type: 'logs', logs: SECRET }] },
      }),
      sse('response.output_item.done', {
        output_index: 3,
        item: { type: 'shell_call_output', id: 'o', output: [{ stdout: SECRET, stderr: `no ${SECRET}` }] },
      }),
      sse('response.output_text.annotation.added', {
        output_index: 4,
        annotation: { type: 'url_citation', url: `https://${SECRET}.example`, title: SECRET },
      }),
      sse('response.completed', { response: { id: 'r', output: [] } }),
    ],
  ],
  'citations of a message, and what its tools found': [
    messagesForm,
    [
      sse('message_start', { message: { id: 'm', content: [{ type: 'text', text: SECRET }] } }),
      sse('content_block_start', { index: 0, content_block: { type: 'text', text: '', citations: [] } }),
      sse('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'It is so.' } }),
      sse('content_block_delta', {
        index: 0,
        delta: { type: 'citations_delta', citation: { type: 'char_location', cited_text: `that ${SECRET}` } },
      }),
      sse('content_block_stop', { index: 0 }),
      sse('content_block_start', {
        index: 1,
        content_block: {
          type: 'web_search_tool_result',
          tool_use_id: 't',
          content: [{ type: 'web_search_result', title: SECRET, url: `https://x/${SECRET}`, encrypted_content: 'E' }],
        },
      }),
      sse('content_block_start', {
        index: 2,
        content_block: {
          type: 'bash_code_execution_tool_result',
          tool_use_id: 't',
          content: { type: 'bash_code_execution_result', stdout: SECRET, stderr: '', return_code: 0 },
        },
      }),
      sse('message_stop', {}),
    ],
  ],
  'annotations and citations of a chat, in any of its choices': [
    chatForm,
    [
      choice({ delta: { role: 'assistant', content: 'So it is' } }),
      choice({ delta: { content: ' plum' } }, 1),
      choice({ delta: { content: 'secret' } }, 1),
      choice({ delta: { annotations: [{ type: 'url_citation', url_citation: { url: 'u', content: SECRET } }] } }, 1),
      data({ id: 'c', choices: [], citations: [`https://${SECRET}`], search_results: [{ title: SECRET }] }),
      choice({ delta: {}, finish_reason: 'stop' }),
      choice({ delta: {}, finish_reason: 'stop' }, 1),
      'data: [DONE]\n\n',
    ],
  ],
  'refusal, thoughts and calls of a chat': [
    chatForm,
    [
      choice({ delta: { reasoning_content: 'plum' } }),
      choice({ delta: { reasoning_content: 'secret' } }),
      choice({ delta: { reasoning_details: [{ type: 'reasoning.text', text: SECRET }] } }),
      choice({ delta: { refusal: SECRET } }),
      choice({
        delta: { tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"x":"plumsec' } }] },
        logprobs: { content: [{ token: SECRET, logprob: -1 }] },
      }),
      choice({ delta: { tool_calls: [{ index: 0, function: { arguments: 'ret"}' } }] } }),
      choice({ delta: {}, finish_reason: 'tool_calls' }),
      'data: [DONE]\n\n',
    ],
  ],
};

/** A service that changes words, and tells what it was asked. */
function service(): { readonly guard: Guard; readonly asked: GuardQuestion[] } {
  const asked: GuardQuestion[] = [];
  const guard: Guard = {
    config: guardConfig({ kind: 'custom', name: 'g/service' }),
    check(question) {
      asked.push(question);
      const texts = question.texts.map(({ text }) => text.replaceAll(SECRET, '***'));
      return { result: 'mutated', texts };
    },
  };
  return { guard, asked };
}

async function ended(guards: readonly Guard[], configs: Parameters<typeof openSession>[0]['configs'], name: string) {
  const [form, events] = STREAMS[name]!;
  const { filter, host } = openFilter(openSession({ guards, configs: configs ?? [] }), form, true);
  for (const event of events) filter.write(Buffer.from(event));
  filter.finish();
  while (!host.finished && host.error === undefined) await new Promise(setImmediate);
  assert.equal(host.error, undefined);
  return host.output().toString();
}

const local = guardConfig({
  kind: 'regex',
  name: 'g/local',
  config: { custom_patterns: [{ pattern: SECRET, redaction_text: '***' }] },
});

describe('what is taken out of a stream stands nowhere in it', () => {
  for (const name of Object.keys(STREAMS)) {
    for (const [by, guards, configs] of [
      ['a pattern', [], [local]],
      ['a service', [service().guard], []],
    ] as const) {
      test(`${by} takes it out of ${name}`, async () => {
        const output = await ended(guards, configs, name);
        assert.ok(!output.includes(SECRET), output);
        assert.ok(!/plum"|"secret/.test(output), output);
        assert.match(output, /\*\*\*/);
      });
    }
  }
});

test('a service is asked once about a text that a stream repeats, and about each that it tells as a whole', async () => {
  const { guard, asked } = service();
  await ended([guard], [], 'events of a response that repeat its text');
  assert.deepEqual(
    asked[0]!.texts.map(({ text }) => text),
    [`It is ${SECRET}, so it is.`],
  );
  await ended([guard], [], 'what a tool of the provider was told and found');
  const texts = asked[1]!.texts.map(({ text }) => text);
  assert.ok(texts.includes(`who is ${SECRET}`) && texts.includes(`of ${SECRET}`), texts.join());
});

test('in windows what is told as a whole is asked about before it leaves', async () => {
  const { guard, asked } = refusing();
  const [form, events] = STREAMS['what a tool of the provider was told and found']!;
  const { filter, host } = openFilter(openSession({ guards: [guard], onStreams: 'window' }), form, true);
  for (const event of events) filter.write(Buffer.from(event));
  filter.finish();
  while (!host.finished && host.error === undefined) await new Promise(setImmediate);
  assert.equal(host.error?.code, 'guardrail_blocked');
  assert.equal(host.writtenBytes, 0);
  assert.ok(asked[0]!.includes(`who is ${SECRET}`), asked[0]);
});

test('in windows a text that was asked about piece by piece is not asked about again where it is repeated', async () => {
  const { guard, asked } = refusing();
  const at = { item_id: 'i', output_index: 0, content_index: 0 };
  const deltas = Array.from({ length: 40 }, (_, number) => `This is sentence number ${number}, and harmless. `);
  const text = deltas.join('');
  const { filter, host } = openFilter(openSession({ guards: [guard], onStreams: 'window' }), responsesForm, true);
  for (const delta of deltas) filter.write(Buffer.from(sse('response.output_text.delta', { ...at, delta })));
  filter.write(Buffer.from(sse('response.output_text.done', { ...at, text })));
  filter.finish(Buffer.from(sse('response.completed', { response: { id: 'r', output: [], output_text: text } })));
  while (!host.finished && host.error === undefined) await new Promise(setImmediate);
  assert.equal(host.error, undefined);
  assert.ok(asked.length > 1);
  assert.deepEqual(
    asked.filter((each) => each === text || each.includes('|')),
    [],
  );
});

/** Passes all but the secret. */
function refusing(): { readonly guard: Guard; readonly asked: string[] } {
  const asked: string[] = [];
  const guard: Guard = {
    config: guardConfig({ kind: 'custom', name: 'g/window', operation: 'validate' }),
    check({ texts }) {
      const said = texts.map(({ text }) => text).join('|');
      asked.push(said);
      return said.includes(SECRET) ? { result: 'failed', message: 'no' } : { result: 'passed' };
    },
  };
  return { guard, asked };
}

test('a stream that is only recorded leaves whole, and no more of it is kept than may be held of an answer', async () => {
  const asked: string[] = [];
  const guard: Guard = {
    config: guardConfig({ kind: 'custom', name: 'g/audit', operation: 'validate' }),
    check({ texts }) {
      asked.push(texts.map(({ text }) => text).join(''));
      return { result: 'passed' };
    },
  };
  const session = openSession({ guards: [guard], onStreams: 'audit' });
  const { filter, host } = openFilter(session, chatForm, true, 1_000);
  const events = Array.from({ length: 50 }, () => choice({ delta: { content: 'x'.repeat(100) } }));
  for (const event of events) filter.write(Buffer.from(event));
  filter.finish();
  await new Promise<void>((resolve) => session.whenRecorded(resolve));
  assert.equal(host.output().toString(), events.join(''));
  assert.deepEqual(asked, ['x'.repeat(1_000)]);
});

test('chances of tokens that stand beside no words leave in no form', () => {
  const tokens = [{ token: SECRET, logprob: -1 }];
  const at = { item_id: 'i', output_index: 0, content_index: 0 };
  for (const [form, event] of [
    [chatForm, choice({ delta: {}, logprobs: { content: tokens }, finish_reason: 'stop' })],
    [completionsForm, choice({ text: '', logprobs: { tokens: [SECRET], token_logprobs: [-1] } })],
    [responsesForm, sse('response.output_text.delta', { ...at, delta: '', logprobs: tokens })],
  ] as const) {
    const { filter, host } = openFilter(openSession({ configs: [local] }), form, true);
    filter.write(Buffer.from(event));
    filter.finish();
    const output = host.output().toString();
    assert.ok(!output.includes(SECRET) && output.includes('logprobs'), output);
  }
});

test('quotes and findings of whole answers are read, and ids, kinds and what is sealed stay as they are', () => {
  const any = guardConfig({
    kind: 'regex',
    name: 'g/any',
    config: { custom_patterns: [{ pattern: '[a-z]*plum[a-z]*', redaction_text: '***' }] },
  });
  const block = {
    type: 'web_search_tool_result',
    tool_use_id: 'plum1',
    content: [{ type: 'plumkind', title: SECRET, url: SECRET, encrypted_content: SECRET }],
  };
  const text = { type: 'text', text: 'ok', citations: [{ type: 'plumkind', cited_text: SECRET, file_id: 'plum2' }] };
  const { filter, host } = openFilter(openSession({ configs: [any] }), messagesForm, false);
  filter.finish(Buffer.from(JSON.stringify({ content: [block, text] })));
  assert.deepEqual(JSON.parse(host.output().toString()), {
    content: [
      { ...block, content: [{ type: 'plumkind', title: '***', url: '***', encrypted_content: SECRET }] },
      { ...text, citations: [{ type: 'plumkind', cited_text: '***', file_id: 'plum2' }] },
    ],
  });
});
