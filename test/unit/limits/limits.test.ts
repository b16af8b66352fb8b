import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BudgetRule, RateLimitRule } from '../../../src/config/rules/counted-rules.ts';
import type { GatewayError } from '../../../src/core/errors.ts';
import { budgetCellName, Cell } from '../../../src/counters/cell.ts';
import type { Counters } from '../../../src/counters/counters.ts';
import { MemoryCounters, sharedCounts } from '../../../src/counters/memory-counters.ts';
import { type Admission, type AdmissionRequest, Refused } from '../../../src/limits/admission.ts';
import { createLimits, type LimitsOptions } from '../../../src/limits/limits.ts';
import { TokenForecast } from '../../../src/limits/token-forecast.ts';
import { type Caller, Callers } from '../../../src/policy/caller.ts';
import { exampleTarget } from '../../support/targets.ts';

const DOLLAR = 1_000_000_000;
/** Tokens of a prompt of 400 bytes as long as nothing was learned; one nano-dollar thousand a token. */
const PROMPT = 100;
const PRICE = 1_000;

const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
const callers = new Callers({ identities, metadataRules: [], accounts: [] });

function caller(subject: string, teams: readonly string[] = []): Caller {
  return callers.of({ subject, keyId: 'k', teams, models: undefined, metadata: {} });
}
const bob = caller('user:bob@example.com', ['search']);
const eve = caller('user:eve@example.com');
const ci = caller('virtualaccount:ci');

function rate(id: string, limit: number, more: Partial<RateLimitRule> = {}): RateLimitRule {
  const unit = 'requests_per_minute';
  return { id, match: {}, counts: 'requests', unit, windowMs: 60_000, limit, appliesPer: [], ...more };
}

const perDay = (amount: number) => [{ unit: 'cost_per_day', counts: 'cost', period: 'day', amount } as const];

function budget(id: string, nanoUsd: number, more: Partial<BudgetRule> = {}): BudgetRule {
  return { id, match: {}, limits: perDay(nanoUsd), appliesPer: [], overrides: [], mode: 'enforce', ...more };
}

interface Rules {
  onBudgetRefuses?: LimitsOptions['onBudgetRefuses'];
  rateLimits?: RateLimitRule[][];
  budgets?: BudgetRule[];
  counters?: Counters;
}

function bench({ rateLimits = [], budgets = [], counters: other, onBudgetRefuses }: Rules) {
  const clock = { now: Date.now() + 86_400_000 };
  const buffer = sharedCounts({ relayThreads: 1, maxCells: 1024, maxInFlight: 256 });
  const counters = new MemoryCounters(buffer, 0, () => clock.now);
  const limits = createLimits(
    { rateLimits, budgets },
    {
      counters: other ?? counters,
      now: () => clock.now,
      price: (target) => ({
        atMostNanoUsd: ({ inputTokens = 0, outputTokens = 0 }) =>
          target.id === 'p/unpriced' ? undefined : (inputTokens + outputTokens) * PRICE,
      }),
      forecast: new TokenForecast(),
      onBudgetRefuses,
    },
  );
  const ask = (who: Caller, more: Partial<AdmissionRequest> = {}): Admission | Refused => {
    const model = more.model ?? 'p/m';
    const admitted = limits.admit({
      caller: who,
      model,
      target: { ...exampleTarget, id: model },
      bodyBytes: 400,
      maxOutputTokens: 100,
      choices: 1,
      stream: false,
      downgradedBy: undefined,
      metadata: {},
      ...more,
    });
    assert.ok(!(admitted instanceof Promise));
    return admitted;
  };
  const used = (id: string, group = '') =>
    counters.read(new Cell(budgetCellName(id, 'cost_per_day', group), { kind: 'calendar', period: 'day' }), clock.now);
  return { clock, counters, ask, used };
}

/** Two threads count together and learn apart. */
function twoThreads(rules: Rules) {
  const { ask, counters, clock } = bench(rules);
  const second = bench({ ...rules, counters });
  second.clock.now = clock.now;
  return { ask, other: second.ask, clock };
}

function passed(answer: Admission | Refused): Admission {
  assert.ok(!(answer instanceof Refused), answer instanceof Refused ? answer.error.message : '');
  return answer;
}

function refused(answer: Admission | Refused): GatewayError {
  assert.ok(answer instanceof Refused, 'it passed');
  assert.equal(answer.instead, undefined);
  return answer.error;
}

/** The refusal that names a cheaper model. */
function sentOn(answer: Admission | Refused, instead: string): Refused {
  assert.ok(answer instanceof Refused, 'it passed');
  assert.equal(answer.instead, instead);
  return answer;
}

const settle = (admission: Admission, tokens: number, endedAtMs: number): void =>
  admission.settle({
    dispatched: true,
    usage: { inputTokens: tokens, outputTokens: 0 },
    costNanoUsd: tokens * PRICE,
    endedAtMs,
  });

describe('rate limits', () => {
  test('only the first rate limit rule of a list that matches counts', () => {
    const { ask } = bench({
      rateLimits: [[rate('bob', 1, { match: { subjects: { in: ['user:bob@example.com'] } } }), rate('all', 2)]],
    });
    assert.equal(passed(ask(bob)).rulesJson, '{"ratelimit":["bob"]}');
    assert.equal(refused(ask(bob)).code, 'rate_limited');
    passed(ask(eve));
    passed(ask(eve));
    refused(ask(eve));
  });

  test('each rate limit manifest is a list of its own', () => {
    const { ask } = bench({ rateLimits: [[rate('wide', 3)], [rate('narrow', 1, { appliesPer: ['user'] })]] });
    assert.equal(passed(ask(bob)).rulesJson, '{"ratelimit":["wide","narrow"]}');
    assert.match(refused(ask(bob)).message, /`narrow`/);
    passed(ask(eve));
    passed(ask(ci));
    assert.match(refused(ask(caller('user:joe@example.com'))).message, /`wide`/);
  });

  test('a request without a matching rule gets no header and holds nothing', () => {
    const { ask, counters } = bench({ rateLimits: [[rate('other', 1, { match: { models: { in: ['q/*'] } } })]] });
    const admission = passed(ask(bob));
    assert.equal(admission.rulesJson, undefined);
    assert.equal(counters.openReservations, 0);
    settle(admission, 1, 0);
  });

  test('groups of a rule count apart, and requests without its group count together', () => {
    const { ask } = bench({ rateLimits: [[rate('per-user', 1, { appliesPer: ['user', 'model'] })]] });
    passed(ask(bob));
    refused(ask(bob));
    passed(ask(bob, { model: 'p/n' }));
    passed(ask(eve));
    passed(ask(ci));
    refused(ask(caller('virtualaccount:other')));
    refused(ask(caller('user:Bob@Example.com')));
    passed(ask(caller('user:kim@example.com')));
    passed(ask(caller('user:\u212aim@example.com')));
  });

  test('metadata decides which rule applies and which group it counts', () => {
    const { ask } = bench({
      rateLimits: [
        [
          rate('prod', 1, { match: { metadata: { env: { in: ['prod*'] } } }, appliesPer: ['metadata.project'] }),
          rate('rest', 2),
        ],
      ],
    });
    const inProd = (project?: string) =>
      ask(bob, { metadata: project === undefined ? { env: 'prod' } : { env: 'production', project } });
    passed(inProd('a'));
    refused(inProd('a'));
    passed(inProd('b'));
    passed(inProd());
    assert.match(refused(inProd('')).message, /`prod`/, 'without the value all share one group');
    passed(ask(bob, { metadata: { env: 'dev' } }));
    passed(ask(bob));
    refused(ask(bob, { metadata: { constructor: 'x' } }));
  });

  test('counts go on where a manifest is put before others, and rules of one id in two manifests count apart', () => {
    const limits = (rateLimits: RateLimitRule[][], counters: Counters) => bench({ rateLimits, counters });
    const { ask, counters } = bench({ rateLimits: [[rate('one', 1)], [rate('both', 2)]] });
    passed(ask(bob));
    const more = limits([[rate('first', 9)], [rate('both', 1)], [rate('one', 1)]], counters);
    assert.match(refused(more.ask(bob)).message, /`both`/);
    assert.match(refused(limits([[rate('first', 9)], [rate('one', 1)]], counters).ask(bob)).message, /`one`/);
    const twice = limits([[rate('both', 2)], [rate('both', 1)]], counters);
    passed(twice.ask(bob));
    assert.match(refused(twice.ask(bob)).message, /`both` allows 2/);
  });

  test('no value that a client writes names the count that groups without room share', () => {
    const names: string[] = [];
    const shared: (string | undefined)[] = [];
    const counters: Counters = {
      reserve: (legs) => {
        for (const { cell } of legs) {
          names.push(cell.name);
          shared.push(cell.overflow?.name);
        }
        return { refusedLeg: 0, used: 1, retryAfterMs: 1 };
      },
      read: () => ({ used: 0, held: 0 }),
    };
    const { ask } = bench({ rateLimits: [[rate('per', 1, { appliesPer: ['metadata.project'] })]], counters });
    for (const project of ['', '\0overflow', 'overflow', 'overflow/', 'x'])
      refused(ask(bob, { metadata: { project } }));
    assert.equal(new Set(names).size, 5);
    assert.equal(new Set(shared).size, 1);
    assert.ok(!names.includes(shared[0] ?? ''));
  });

  test('group values that read like two others do not share a count', () => {
    const { ask } = bench({ rateLimits: [[rate('two', 1, { appliesPer: ['metadata.a', 'metadata.b'] })]] });
    passed(ask(bob, { metadata: { a: 'x', b: '\u00001:y' } }));
    passed(ask(bob, { metadata: { a: 'x\u00001:y', b: '' } }));
    passed(ask(bob, { metadata: { a: '","', b: '' } }));
    passed(ask(bob, { metadata: { a: '', b: '","' } }));
    refused(ask(bob, { metadata: { a: '', b: '","' } }));
  });

  test('a request that reached no provider does not count, and one that failed there does', () => {
    const { ask, clock } = bench({ rateLimits: [[rate('one', 1)]] });
    const nowhere = { dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: clock.now };
    passed(ask(bob)).settle(nowhere);
    const failed = passed(ask(bob));
    failed.settle({ ...nowhere, dispatched: true });
    failed.settle(nowhere);
    refused(ask(bob));
  });

  test('a refusal tells an amount of money in dollars, as it was written, whichever rule it is of', () => {
    const spending = rate('r', 250_000_000, { counts: 'cost', unit: 'cost_per_minute' });
    const large = { maxOutputTokens: 1_000_000_000 };
    const [byRate, byBudget] = [bench({ rateLimits: [[spending]] }), bench({ budgets: [budget('b', 30_000_000)] })];
    for (const { ask } of [byRate, byBudget]) passed(ask(bob, large));
    assert.match(refused(byRate.ask(bob, large)).message, /Rule `r` allows \$0\.25 cost_per_minute\./);
    assert.match(refused(byBudget.ask(bob, large)).message, /\(\$0\.03 cost_per_day\)/);
  });

  test('tokens are held by estimate and settled by usage', () => {
    const tokens = rate('tokens', 1_000, { counts: 'tokens', unit: 'tokens_per_minute' });
    const { ask, clock } = bench({ rateLimits: [[tokens]] });
    const open = Array.from({ length: 5 }, () => passed(ask(bob)));
    refused(ask(bob));
    for (const each of open) settle(each, 40, clock.now);
    // 200 are used, and what was learned says less than 100 a prompt.
    for (let more = 0; more < 4; more += 1) passed(ask(bob));
  });

  test('the tokens of each of several choices are held', () => {
    const tokens = rate('tokens', 1_000, { counts: 'tokens', unit: 'tokens_per_minute' });
    const { ask, clock } = bench({ rateLimits: [[tokens]] });
    const three = passed(ask(bob, { choices: 3, maxOutputTokens: 300 }));
    refused(ask(bob, { maxOutputTokens: 1 }));
    settle(three, 0, clock.now);
    passed(ask(bob, { choices: 1e300, maxOutputTokens: undefined }));
    refused(ask(bob, { maxOutputTokens: 1 }));
  });

  test('a guess at the length of an answer refuses nobody, unlike what the client allows or what was learned', () => {
    const tokens = rate('tokens', 300, { counts: 'tokens', unit: 'tokens_per_minute' });
    const cheap = budget('cheap', 300 * PRICE);
    for (const rules of [{ rateLimits: [[tokens]] }, { budgets: [cheap] }]) {
      const unsaid = { maxOutputTokens: undefined };
      // What another thread let in has taught this one nothing.
      const { ask, other, clock } = twoThreads(rules);
      settle(passed(other(bob, unsaid)), 110, clock.now);
      refused(ask(bob, { maxOutputTokens: 512 }));
      const guessed = passed(ask(bob, unsaid));
      // It holds all that was left.
      refused(ask(bob, unsaid));
      settle(guessed, 110, clock.now);
      // 220 are used, and by now it is known that a request takes 110.
      refused(ask(bob, unsaid));
    }
  });

  test('a guess passes only where at least the prompt fits', () => {
    const { ask, other, clock } = twoThreads({ budgets: [budget('tiny', 200 * PRICE)] });
    settle(passed(other(bob, { maxOutputTokens: undefined })), 101, clock.now);
    refused(ask(bob, { maxOutputTokens: undefined }));
  });

  test('an estimate above the limit is capped at it, and passes alone', () => {
    const tokens = rate('tokens', 1_000, { counts: 'tokens', unit: 'tokens_per_minute' });
    const { ask, clock } = bench({ rateLimits: [[tokens]] });
    const large = passed(ask(bob, { maxOutputTokens: 1e300 }));
    refused(ask(bob));
    settle(large, 10, clock.now);
    passed(ask(bob));
  });

  test('a refusal says which rule, for whom, how much is left and when, in the names that OpenAI uses', () => {
    const tokens = rate('t', 250, { counts: 'tokens', unit: 'tokens_per_minute', appliesPer: ['user', 'model'] });
    const { ask, clock } = bench({ rateLimits: [[tokens]] });
    clock.now = Math.ceil(clock.now / 60_000) * 60_000;
    passed(ask(bob));
    const error = refused(ask(bob));
    assert.equal(error.code, 'rate_limited');
    assert.match(error.message, /Rule `t` allows 250 tokens_per_minute, counted per user and model\./);
    const headers = Object.fromEntries(pairs(error.context.headers ?? []));
    assert.equal(headers['x-ratelimit-limit-tokens'], '250');
    assert.equal(headers['x-ratelimit-remaining-tokens'], '50');
    assert.match(headers['x-ratelimit-reset-tokens'] ?? '', /^1m[01]s$|^60s$/);
    assert.deepEqual(JSON.parse(headers['x-tfy-applied-rules'] ?? ''), { ratelimit: ['t'], refused: 't' });
    assert.equal(error.context.rulesJson, headers['x-tfy-applied-rules']);
    clock.now += error.context.retryAfterMs ?? 0;
    passed(ask(bob));
  });

  test('rule ids are sent as plain letters', () => {
    const { ask } = bench({ rateLimits: [[rate('größe "1"', 1)]] });
    const { rulesJson = '' } = passed(ask(bob));
    assert.match(rulesJson, /^[\x20-\x7e]+$/);
    assert.deepEqual(JSON.parse(rulesJson), { ratelimit: ['größe "1"'] });
  });

  test('unavailable counters answer 503, not 429', () => {
    const away: Counters = {
      reserve: () => ({ refusedLeg: -1, used: 0, retryAfterMs: 700 }),
      read: () => ({ used: 0, held: 0 }),
    };
    const { ask } = bench({ rateLimits: [[rate('one', 1)]], counters: away });
    const error = refused(ask(bob));
    assert.deepEqual([error.code, error.status, error.context.retryAfterMs], ['counters_away', 503, 700]);
  });
});

describe('budgets', () => {
  test('the first v1 budget that matches decides, and every match is charged', () => {
    const { ask, clock, used } = bench({
      budgets: [
        budget('search', 10 * DOLLAR, { list: 0, match: { subjects: { in: ['team:search'] } } }),
        budget('all', 1, { list: 0 }),
      ],
    });
    const admission = passed(ask(bob));
    assert.equal(admission.chargesJson, '[["search",""],["all",""]]');
    assert.equal(admission.rulesJson, '{"budget":["search","all"]}');
    settle(admission, 1_000, clock.now);
    assert.equal(used('search').used, 1_000 * PRICE);
    assert.equal(used('all').used, 1_000 * PRICE);
    passed(ask(bob));
    assert.match(
      refused(ask(eve)).message,
      /Budget exceeded for model: p\/m with rule: all \(\$0\.000000001 cost_per_day\)/,
    );
  });

  test('each v2 budget decides for itself, and a spent one refuses until its period ends', () => {
    const { ask, clock } = bench({ budgets: [budget('wide', DOLLAR), budget('narrow', 300 * PRICE)] });
    const admission = passed(ask(bob));
    assert.equal(admission.reservedNanoUsd, 200 * PRICE);
    settle(admission, 300, clock.now);
    const error = refused(ask(bob));
    assert.deepEqual([error.code, error.status], ['budget_exceeded', 429]);
    const tomorrow = (Math.floor(clock.now / 86_400_000) + 1) * 86_400_000;
    assert.equal(error.context.retryAfterMs, tomorrow - clock.now);
    clock.now = tomorrow;
    passed(ask(bob));
  });

  test('an audited budget charges and never refuses', () => {
    const { ask, clock, used } = bench({ budgets: [budget('watched', 1, { mode: 'audit' })] });
    for (let turn = 0; turn < 3; turn += 1) settle(passed(ask(bob)), 100, clock.now);
    assert.equal(used('watched').used, 300 * PRICE);
  });

  test('overrides set other limits for single values, and an empty list is no limit but charged', () => {
    const { ask, clock } = bench({
      budgets: [
        budget('per-user', 0, {
          appliesPer: ['user'],
          overrides: [
            { values: ['bob@example.com'], limits: perDay(DOLLAR) },
            { values: ['eve@example.com'], limits: [] },
          ],
        }),
      ],
    });
    settle(passed(ask(bob)), 1, clock.now);
    assert.equal(passed(ask(eve)).chargesJson, '[["per-user","user:eve@example.com"]]');
    refused(ask(ci));
  });

  test('several limits of one budget all hold', () => {
    const month = { unit: 'cost_per_month', counts: 'cost', period: 'month', amount: 250 * PRICE } as const;
    const { ask, clock } = bench({ budgets: [budget('both', DOLLAR, { limits: [...perDay(DOLLAR), month] })] });
    settle(passed(ask(bob)), 200, clock.now);
    assert.match(refused(ask(bob)).message, /cost_per_month/);
  });

  test('a model without a price passes while there is budget left, and not after', () => {
    const { ask, clock } = bench({ budgets: [budget('all', 1_000)] });
    const admission = passed(ask(bob, { model: 'p/unpriced' }));
    assert.equal(admission.reservedNanoUsd, undefined);
    settle(admission, 1, clock.now);
    refused(ask(bob, { model: 'p/unpriced' }));
  });

  test('all given conditions on users, teams, virtual accounts and models must hold', () => {
    const { ask } = bench({
      budgets: [
        budget('users', 0, { match: { users: { in: ['bob@example.com'] }, models: { notIn: ['p/free*'] } } }),
        budget('accounts', 0, { match: { virtualAccounts: { in: ['virtualaccount:c*'] } } }),
        budget('others', 0, {
          match: { users: { in: [], notIn: ['*'] }, teams: { notIn: ['search'] }, models: { in: ['q/*'] } },
        }),
      ],
    });
    assert.match(refused(ask(bob)).message, /users/);
    passed(ask(bob, { model: 'p/free-1' }));
    passed(ask(eve));
    assert.match(refused(ask(ci)).message, /accounts/);
    passed(ask(eve, { model: 'q/m' }));
    assert.match(refused(ask(caller('virtualaccount:x'), { model: 'q/m' })).message, /others/);
  });
});

test('a budget that begins to refuse is told, once for each group and period; a rate limit is not', () => {
  const told: string[] = [];
  const { ask, clock } = bench({
    rateLimits: [[rate('rate', 1, { match: { models: { in: ['p/limited'] } } })]],
    budgets: [
      budget('small', 0, { appliesPer: ['user'], match: { subjects: { in: ['user:*'] } } }),
      budget('gold', 0, { match: { models: { in: ['p/gold'] } }, mode: 'downgrade', downgradeTo: 'p/cheap' }),
    ],
    onBudgetRefuses: ({ budget: id, unit, period, periodStart, group }, action) =>
      told.push([id, unit, period, (periodStart - clock.now) / 86_400_000 > -1, group, action].join(' ')),
  });
  for (const who of [bob, bob, eve]) refused(ask(who));
  sentOn(ask(caller('virtualaccount:rich'), { model: 'p/gold' }), 'p/cheap');
  assert.deepEqual(told, [
    'small cost_per_day day true user:bob@example.com refuse',
    'small cost_per_day day true user:eve@example.com refuse',
    'gold cost_per_day day true  downgrade',
  ]);
  clock.now += 86_400_000;
  refused(ask(bob));
  assert.equal(told.length, 4);
  const limited = { model: 'p/limited' };
  passed(ask(ci, limited));
  refused(ask(ci, limited));
  assert.equal(told.length, 4);
});

describe('downgrade', () => {
  const spent = budget('gold', 100 * PRICE, { mode: 'downgrade', downgradeTo: 'p/cheap' });

  test('a spent budget with a downgrade sends a request on, is charged for it and decides no more', () => {
    const { ask, clock, used, counters } = bench({ budgets: [spent], rateLimits: [[rate('all', 10)]] });
    settle(passed(ask(bob)), 100, clock.now);
    const sent = sentOn(ask(bob), 'p/cheap');
    assert.equal(counters.openReservations, 0, 'nothing is held');
    assert.equal(sent.error.code, 'budget_exceeded');
    const admission = passed(ask(bob, { model: 'p/cheap', downgradedBy: sent }));
    assert.deepEqual(JSON.parse(admission.rulesJson ?? ''), {
      ratelimit: ['all'],
      budget: ['gold'],
      downgrade: { from: 'p/m', to: 'p/cheap', by: 'gold' },
    });
    settle(admission, 50, clock.now);
    assert.equal(used('gold').used, 150 * PRICE);
    // A client that asks for the cheap one itself is sent to it as well.
    sentOn(ask(bob, { model: 'p/cheap' }), 'p/cheap');
  });

  test('other budgets decide about the cheaper model as about any', () => {
    const { ask, clock } = bench({ budgets: [spent, budget('hard', 100 * PRICE)] });
    settle(passed(ask(bob)), 100, clock.now);
    const sent = sentOn(ask(bob), 'p/cheap');
    assert.match(refused(ask(bob, { model: 'p/cheap', downgradedBy: sent })).message, /hard/);
  });

  test('two budgets that downgrade do so once each', () => {
    const second = budget('silver', 100 * PRICE, { mode: 'downgrade', downgradeTo: 'p/cheapest' });
    const { ask, clock } = bench({ budgets: [spent, second] });
    settle(passed(ask(bob)), 100, clock.now);
    const first = sentOn(ask(bob), 'p/cheap');
    const next = sentOn(ask(bob, { model: 'p/cheap', downgradedBy: first }), 'p/cheapest');
    const { rulesJson = '' } = passed(ask(bob, { model: 'p/cheapest', downgradedBy: next }));
    assert.deepEqual(JSON.parse(rulesJson).downgrade, { from: 'p/m', to: 'p/cheapest', by: 'silver' });
  });
});

describe('cut', () => {
  const cut = budget('cut', 1_000 * PRICE, { mode: 'cut' });

  test('a stream under a cutting budget begins with what is left, and is cut where that ends', () => {
    const { ask, clock, used } = bench({ budgets: [cut] });
    settle(passed(ask(bob, { model: 'p/other' })), 850, clock.now);
    const { allowance } = passed(ask(bob, { stream: true }));
    assert.ok(allowance);
    assert.deepEqual([allowance.budgetId, allowance.inputTokens], ['cut', PROMPT]);
    assert.equal(used('cut').held, 150 * PRICE);
    assert.equal(allowance.covers(50), true);
    assert.equal(allowance.covers(51), false);
  });

  test('a stream that was held for wholly goes on into what the budget has', () => {
    const { ask, used } = bench({ budgets: [cut] });
    const { allowance } = passed(ask(bob, { stream: true }));
    assert.ok(allowance);
    assert.equal(allowance.inputTokens, PROMPT);
    assert.equal(used('cut').held, 200 * PRICE);
    assert.equal(allowance.covers(100), true);
    assert.equal(used('cut').held, 200 * PRICE, 'it was held from the start');
    assert.equal(allowance.covers(101), true);
    assert.equal(used('cut').held, (200 + 256) * PRICE);
    // 900 tokens of answer fit: 100 are the prompt's.
    assert.equal(allowance.covers(880), true);
    assert.equal(allowance.covers(901), false);
    assert.ok(used('cut').held > 980 * PRICE);
  });

  test('a request that cannot be cut must fit into the budget', () => {
    const { ask, clock } = bench({ budgets: [cut] });
    settle(passed(ask(bob, { model: 'p/other' })), 850, clock.now);
    refused(ask(bob));
    passed(ask(bob, { stream: true }));
  });

  test('a spent budget with mode cut refuses streams too', () => {
    const { ask, clock } = bench({ budgets: [cut] });
    settle(passed(ask(bob)), 1_000, clock.now);
    refused(ask(bob, { stream: true }));
  });

  test('the budget that ends first cuts where two would', () => {
    const small = budget('small', 300 * PRICE, { mode: 'cut', appliesPer: ['user'] });
    const { ask } = bench({ budgets: [cut, small] });
    const { allowance } = passed(ask(bob, { stream: true }));
    assert.ok(allowance);
    assert.equal(allowance.covers(190), true);
    assert.equal(allowance.covers(400), false);
    assert.equal(allowance.budgetId, 'small');
  });
});

test('memory of limits stays bounded whatever a client sends, and rules hold all the while', () => {
  const { ask, counters } = bench({
    rateLimits: [[rate('per', 1, { appliesPer: ['metadata.project', 'model'] })], [rate('all', 100_000)]],
  });
  for (let turn = 0; turn < 20_000; turn += 1) {
    ask(bob, { model: `p/${turn % 3_000}`, metadata: { project: `project ${turn}` } });
  }
  assert.ok(counters.overflowed > 0);
  refused(ask(bob, { model: 'p/new', metadata: { project: 'new' } }));
});

function pairs(list: readonly string[]): [string, string][] {
  return list.flatMap((each, index) => (index % 2 === 0 ? [[each, list[index + 1] ?? '']] : []));
}
