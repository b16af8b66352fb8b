import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GuardConfig } from '../../../src/config/guardrails/guardrails.ts';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import type { Elsewhere } from '../../../src/guardrails/elsewhere.ts';
import { guardInput } from '../../../src/guardrails/guarded-input.ts';
import { checkTexts, scanTexts } from '../../../src/guardrails/scan-elsewhere.ts';
import { guardConfig, openSession } from './guarded.ts';

/** As the other threads do it, with what crosses to them and back. */
const elsewhere: Elsewhere = {
  scan: (job) => Promise.resolve(structuredClone(scanTexts(structuredClone(job)))),
  check: async (job) => structuredClone(await checkTexts(structuredClone(job))),
};
const failing: Elsewhere = {
  scan: () => Promise.resolve('a text this long could not be read (deadline)'),
  check: () => Promise.resolve('a text this long could not be read (deadline)'),
};

const REQUEST = {
  messages: [
    { role: 'system', content: 'Card 4111 1111 1111 1111, mail ann@example.com.' },
    { role: 'user', content: [{ type: 'text', text: `ghp_${'a1'.repeat(18)} and ann@example.com again` }] },
    {
      role: 'assistant',
      tool_calls: [{ function: { name: 'f', arguments: '{"n": 4111111111111111, "to": "bob\\u0040example.com"}' } }],
    },
  ],
};

const CONFIGS: readonly GuardConfig[] = [
  guardConfig({ kind: 'secret-detection', name: 'g/secrets' }),
  guardConfig({
    kind: 'tfy-pii',
    name: 'g/pii',
    priority: 1,
    config: { pii_categories: ['Email', 'CreditCardNumber'], pseudonyms: true },
  }),
  guardConfig({
    kind: 'regex',
    name: 'g/audit',
    strategy: 'audit',
    config: { custom_patterns: [{ pattern: 'again' }] },
  }),
];

async function outcome(configs: readonly GuardConfig[], other: Elsewhere | undefined, request: object = REQUEST) {
  const session = openSession({ configs, hook: 'llm-input', elsewhere: other, offloadCharacters: 1 });
  const plan = session.hook('llm-input')!;
  const slots = chatForm.request;
  const verdict = await guardInput({ session, hook: 'llm-input', plan, slots }, Buffer.from(JSON.stringify(request)));
  assert.ok(verdict);
  const results = session.results.map(({ guardrail, result, detail }) => [guardrail, result, detail]);
  return { verdict, results, values: session.pseudonyms.values };
}

describe('local guards on long texts', () => {
  test('another thread finds the same as this one, in texts and in arguments, with the same placeholders', async () => {
    const here = await outcome(CONFIGS, undefined);
    const there = await outcome(CONFIGS, elsewhere);
    assert.deepEqual(there, here);
    assert.ok('body' in there.verdict);
    assert.match(String(there.verdict.body), /<CreditCardNumber_1>/);
    const audit = there.results.find(([name]) => name === 'g/audit');
    assert.deepEqual(audit, ['g/audit', 'failed', 'Found: pattern 1.']);
  });

  test('a guard that refuses refuses from another thread too', async () => {
    const refusing = CONFIGS.map((each) => ({ ...each, operation: 'validate' as const }));
    const { verdict } = await outcome(refusing, elsewhere);
    assert.equal('code' in verdict && verdict.code, 'guardrail_blocked');
  });

  test('each guard acts as its strategy says where no other thread can do it, and the record tells', async () => {
    const { verdict, results } = await outcome(CONFIGS, failing);
    assert.equal('code' in verdict && verdict.code, 'guardrail_unavailable');
    assert.deepEqual(results[0], ['g/secrets', 'error', 'a text this long could not be read (deadline)']);
    const lenient = CONFIGS.map((each) => ({ ...each, strategy: 'enforce_but_ignore_on_error' as const }));
    const { verdict: passed } = await outcome(lenient, failing);
    assert.ok('body' in passed);
  });

  test('statements of SQL are judged in another thread as here', async () => {
    const sql = [guardConfig({ kind: 'sql-sanitizer', config: { block_drop: true }, operation: 'validate' })];
    for (const content of ['DROP TABLE users;', 'drop the ball']) {
      const request = { messages: [{ role: 'user', content }] };
      const here = await outcome(sql, undefined, request);
      const there = await outcome(sql, elsewhere, request);
      assert.deepEqual(there.results, here.results);
    }
    const { results } = await outcome(sql, failing);
    assert.equal(results[0]?.[1], 'error');
  });
});
