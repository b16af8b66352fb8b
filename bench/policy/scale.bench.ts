/**
 * What a large configuration costs a request: from the key to the admission of its limits, with 64 models, 64 keys and a rule,
 * and with 5,000 models, 10,000 keys and 1,000 rules. The same 64 callers ask for the same 64 models in both.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { KeyRing } from '../../src/authentication/authenticate.ts';
import { packKeys } from '../../src/config/packed-keys.ts';
import type { RateLimitRule } from '../../src/config/rules/counted-rules.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { MemoryCounters, sharedCounts } from '../../src/counters/memory-counters.ts';
import type { Admission } from '../../src/limits/admission.ts';
import { createLimits } from '../../src/limits/limits.ts';
import { TokenForecast } from '../../src/limits/token-forecast.ts';
import { Callers } from '../../src/policy/caller.ts';
import { plug as openai } from '../../src/providers/openai/index.ts';
import { ModelRoutes } from '../../src/routing/model-routes.ts';
import { compilePrice } from '../../src/usage/price-table.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';

interface Size {
  readonly models: number;
  readonly keys: number;
  readonly rules: number;
}

const ACTIVE = 64;
const USAGE = { inputTokens: 120, outputTokens: 100 };
const few: Size = { models: ACTIVE, keys: ACTIVE, rules: 1 };
const many: Size = { models: 5_000, keys: 10_000, rules: 1_000 };

export const inputs = { few, many };

export const subject = subjectOf([
  asked('64 models, 64 keys, 1 rule', few, ACTIVE),
  asked('5,000 models, 10,000 keys, 1,000 rules', many, ACTIVE),
  asked('the same, the first request of a caller, after a reload each time', many, ACTIVE, 'anew'),
]);

/** `active`: how many keys and models take turns; `anew`: nothing is remembered of them. */
function asked(name: string, size: Size, active: number, memory: 'kept' | 'anew' = 'kept'): BenchTask {
  const keys = Array.from({ length: size.keys }, (_, i) => `sk-${i}-0123456789abcdef0123456789abcdef`);
  const ring = new KeyRing({
    configured: packKeys(keys.map(keyOf)),
    issued: { startsAnew: true, signingKeys: [], notes: [] },
  });
  const account = accountWith(size.models);
  const routes = new ModelRoutes([account], { models: () => [], has: () => false });
  const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
  const callers = new Callers({ identities, metadataRules: [], accounts: [] });
  const counters = new MemoryCounters(sharedCounts({ relayThreads: 1, maxCells: 65_536, maxInFlight: 16_384 }), 0);
  const price = compilePrice(account.listed[0]!.price);
  const limits = createLimits(
    { rateLimits: [rulesOf(size)], budgets: [] },
    { counters, now: () => counters.clock.now(), price: () => price, forecast: new TokenForecast() },
  );
  let turn = 0;
  const run = () => {
    turn = (turn + 1) % active;
    const principal = ring.lookup(keys[turn]!);
    const route = routes.resolve(`main/model-${turn}`);
    if (principal instanceof GatewayError) throw principal;
    if (route instanceof GatewayError) throw route;
    const caller = callers.of(memory === 'kept' ? principal : { ...principal });
    const target = route.targets[0]!;
    const mayUse = caller.allows(target.id);
    const admission = limits.admit({
      caller,
      model: route.model,
      target,
      bodyBytes: 480,
      maxOutputTokens: undefined,
      choices: 1,
      stream: false,
      downgradedBy: undefined,
      metadata: {},
    }) as Admission;
    admission.settle({ dispatched: true, usage: USAGE, costNanoUsd: 0, endedAtMs: 0 });
    return { mayUse, rulesJson: admission.rulesJson };
  };
  return task({
    name,
    run,
    check: ({ mayUse, rulesJson }) => {
      assert.equal(mayUse, true);
      assert.deepEqual(JSON.parse(rulesJson ?? '{}').ratelimit?.length, 1);
    },
  });
}

function keyOf(key: string, i: number) {
  const keySha256 = createHash('sha256').update(key).digest('hex');
  return { name: `key-${i}`, keySha256, subject: `user:${i}@example.com`, teams: [], metadata: {} };
}

function accountWith(models: number) {
  const integrations = Array.from({ length: models }, (_, i) => ({
    name: `model-${i}`,
    type: 'integration/model/openai',
    model_id: `model-${i}`,
    model_types: ['chat'],
  }));
  const manifest = {
    type: 'provider-account/openai',
    name: 'main',
    auth_data: { type: 'api-key', api_key: 'sk-bench' },
    integrations,
  };
  return openai.open(openai.schema.parse(manifest), new Map());
}

/** Rules for other users' models come first; the last is for all. */
function rulesOf({ rules }: Size): RateLimitRule[] {
  const rest = { counts: 'requests', unit: 'requests_per_minute', windowMs: 60_000, limit: 1e15 } as const;
  const others = Array.from({ length: rules - 1 }, (_, i): RateLimitRule => {
    const subjects = { in: [`user:nobody-${i}@example.com`] };
    return { id: `rule-${i}`, match: { subjects }, appliesPer: [], ...rest };
  });
  return [...others, { id: 'all', match: {}, appliesPer: ['user'], ...rest }];
}
