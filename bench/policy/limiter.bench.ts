/**
 * What rate limits and budgets cost an exchange: asked before it is sent, settled when it is over, against an empty
 * configuration. In real shared memory, with its locks; another thread is not in the way.
 */
import assert from 'node:assert/strict';
import type { Configuration } from '../../src/config/configuration.ts';
import type { BudgetRule, RateLimitRule } from '../../src/config/rules/counted-rules.ts';
import { MemoryCounters, sharedCounts } from '../../src/counters/memory-counters.ts';
import { type Admission, type AdmissionRequest, type Limits, Refused } from '../../src/limits/admission.ts';
import { createLimits } from '../../src/limits/limits.ts';
import { TokenForecast } from '../../src/limits/token-forecast.ts';
import { Callers } from '../../src/policy/caller.ts';
import { compilePrice } from '../../src/usage/price-table.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { openAiAccount } from '../inputs/openai-account.ts';

type Rules = Pick<Configuration, 'rateLimits' | 'budgets'>;

const MODEL = 'openai-main/gpt-4o';
const USAGE = { inputTokens: 120, outputTokens: 100 };
const DOLLAR = 1_000_000_000;
const zeroDollars = { unit: 'cost_per_month', counts: 'cost', period: 'month', amount: 0 } as const;

const target = openAiAccount().listed[0]!;
const price = compilePrice(target.price);
const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
const caller = new Callers({ identities, metadataRules: [], accounts: [] }).of({
  subject: 'user:bob@example.com',
  keyId: 'bench',
  teams: ['search'],
  models: undefined,
  metadata: {},
});

function rate(id: string, more: Partial<RateLimitRule> = {}): RateLimitRule {
  const unit = 'requests_per_minute';
  return { id, match: {}, counts: 'requests', unit, windowMs: 60_000, limit: 1e15, appliesPer: [], ...more };
}

function budget(id: string, more: Partial<BudgetRule> = {}): BudgetRule {
  const limits = [{ unit: 'cost_per_month', counts: 'cost', period: 'month', amount: 1e6 * DOLLAR } as const];
  return { id, match: {}, limits, appliesPer: [], overrides: [], mode: 'enforce', ...more };
}

/** All ten match: as many lists, each counted another way. */
const tenRates: RateLimitRule[][] = [
  [rate('all')],
  [rate('per-user', { appliesPer: ['user'] })],
  [rate('per-model', { appliesPer: ['model'] })],
  [rate('per-user-model', { appliesPer: ['user', 'model'] })],
  [rate('hour', { unit: 'requests_per_hour', windowMs: 3_600_000 })],
  [rate('tokens', { counts: 'tokens', unit: 'tokens_per_minute' })],
  [rate('tokens-per-user', { counts: 'tokens', unit: 'tokens_per_minute', appliesPer: ['user'] })],
  [rate('tokens-day', { counts: 'tokens', unit: 'tokens_per_day', windowMs: 86_400_000 })],
  [rate('open', { counts: 'concurrent', unit: 'concurrent_requests', windowMs: 0 })],
  [rate('cost', { counts: 'cost', unit: 'cost_per_minute' })],
];
const fiveBudgets: BudgetRule[] = [
  budget('all'),
  budget('per-user', { appliesPer: ['user'] }),
  budget('per-model', { appliesPer: ['model'] }),
  budget('search', { match: { teams: { in: ['search'] } } }),
  budget('audit', { mode: 'audit' }),
];
const none: Rules = { rateLimits: [], budgets: [] };
const one: Rules = { rateLimits: [[rate('per-user', { appliesPer: ['user'] })]], budgets: [] };
const all: Rules = { rateLimits: tenRates, budgets: fiveBudgets };
const byMetadata: Rules = {
  rateLimits: [[rate('prod', { match: { metadata: { env: { in: ['prod'] } } }, appliesPer: ['metadata.project'] })]],
  budgets: [],
};

export const inputs = { none, one, all, byMetadata };

export const subject = subjectOf([
  admitAndSettle('no rules', none, 0),
  admitAndSettle('1 rate rule', one, 1),
  admitAndSettle('1 rate rule by metadata', byMetadata, 1),
  admitAndSettle('10 rate rules and 5 budgets', all, 15),
  refusedByLast(),
]);

function limitsOf(rules: Rules): Limits {
  const counters = new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 65_536, maxInFlight: 16_384 }), 0);
  return createLimits(rules, {
    counters,
    now: () => counters.clock.now(),
    price: () => price,
    forecast: new TokenForecast(),
  });
}

const request: AdmissionRequest = {
  caller,
  model: MODEL,
  target,
  bodyBytes: 480,
  maxOutputTokens: undefined,
  choices: 1,
  stream: false,
  downgradedBy: undefined,
  metadata: { env: 'prod', project: 'search' },
};

function admitAndSettle(name: string, rules: Rules, legs: number): BenchTask {
  const limits = limitsOf(rules);
  const costNanoUsd = price.costNanoUsd(USAGE);
  const endedAtMs = Date.now();
  return task({
    name,
    run: () => {
      const admission = limits.admit(request) as Admission;
      admission.settle({ dispatched: true, usage: USAGE, costNanoUsd, endedAtMs });
      return admission;
    },
    check: (admission) => {
      const { ratelimit = [], budget = [] } = JSON.parse(admission.rulesJson ?? '{}');
      assert.equal(ratelimit.length + budget.length, legs);
    },
  });
}

/** Nothing may stay held of the fourteen that let it in. */
function refusedByLast(): BenchTask {
  const limits = limitsOf({ ...all, budgets: [...fiveBudgets, budget('nothing', { limits: [zeroDollars] })] });
  return task({
    name: 'refused by the last of 16',
    run: () => limits.admit(request),
    check: (refusal) => assert.equal(refusal instanceof Refused && refusal.error.code, 'budget_exceeded'),
  });
}
