import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GuardStrategy } from '../../../src/config/guardrails/guardrails.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import type { Guard, Verdict } from '../../../src/guardrails/guard.ts';
import { guardConfig, openFilter, openSession } from './guarded.ts';

type Check = NonNullable<Guard['check']>;

const BEHAVIOURS: Record<string, Check> = {
  passes: () => ({ result: 'passed' }),
  fails: () => ({ result: 'failed', message: 'no' }),
  'throws at once': () => {
    throw new Error('broken');
  },
  rejects: () => Promise.reject(new Error('gone')),
  'never answers': () => new Promise<Verdict>(() => undefined),
};

/** What a client gets: its answer, or the code of the error. */
const EXPECTED: Record<GuardStrategy, Record<string, string>> = {
  enforce: {
    passes: 'told',
    fails: 'guardrail_blocked',
    'throws at once': 'guardrail_unavailable',
    rejects: 'guardrail_unavailable',
    'never answers': 'guardrail_unavailable',
  },
  enforce_but_ignore_on_error: {
    passes: 'told',
    fails: 'guardrail_blocked',
    'throws at once': 'told',
    rejects: 'told',
    'never answers': 'told',
  },
  audit: { passes: 'told', fails: 'told', 'throws at once': 'told', rejects: 'told', 'never answers': 'told' },
};

const answer = { choices: [{ index: 0, message: { role: 'assistant', content: 'hello' } }] };
const stream = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'hello' } }] })}\n\ndata: [DONE]\n\n`;

for (const [strategy, expected] of Object.entries(EXPECTED) as [GuardStrategy, Record<string, string>][]) {
  describe(`with the strategy ${strategy}`, () => {
    for (const [behaviour, check] of Object.entries(BEHAVIOURS)) {
      for (const form of ['a whole answer', 'a stream']) {
        test(`a guard that ${behaviour} does to ${form} what is said, in time, and the record tells`, async () => {
          const config = guardConfig({ kind: 'custom', operation: 'validate', strategy });
          const session = openSession({ guards: [{ config, check }], timeoutMs: 30 });
          const isStream = form === 'a stream';
          const { filter, host } = openFilter(session, chatForm, isStream);
          const began = performance.now();
          filter.finish(Buffer.from(isStream ? stream : JSON.stringify(answer)));
          while (!host.finished && host.error === undefined) await new Promise(setImmediate);
          assert.equal(host.error?.code ?? 'told', expected[behaviour]);
          if (host.finished) assert.match(host.output().toString(), /hello/);
          else assert.equal(host.writtenBytes, 0);
          assert.ok(performance.now() - began < 1_000);
          await new Promise<void>((resolve) => session.whenRecorded(resolve));
          const result = behaviour === 'passes' ? 'passed' : behaviour === 'fails' ? 'failed' : 'error';
          assert.deepEqual(
            session.results.map((each) => [each.result, each.strategy]),
            [[result, strategy]],
          );
        });
      }
    }
  });
}

test('a guard that failed five times is left alone for a while, and asked by nobody', async () => {
  let asked = 0;
  const check: Check = () => {
    asked += 1;
    return Promise.reject(new Error('gone'));
  };
  const config = guardConfig({ kind: 'custom', operation: 'validate' });
  const session = openSession({ guards: [{ config, check }] });
  const plan = session.hook('llm-output')!;
  const question = { hook: 'llm-output', exchange: session.exchange, texts: [], request: {} } as const;
  for (let at = 0; at < 8; at += 1) await session.validate('llm-output', plan.validators, question);
  assert.equal(asked, 5);
  assert.match(session.results.at(-1)?.detail ?? '', /not asked for now/);
});
