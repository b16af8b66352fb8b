import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleMatch } from '../../../src/config/rules/rule-match.ts';
import type { LimitRule } from '../../../src/limits/limit-rules.ts';
import { RuleIndex } from '../../../src/limits/rule-index.ts';
import { Callers } from '../../../src/policy/caller.ts';
import { compileMatch } from '../../../src/policy/rule-match.ts';

const MATCHES: readonly RuleMatch[] = [
  {},
  { subjects: { in: ['user:ann'] } },
  { subjects: { in: ['user:bob', 'user:ann'] }, models: { in: ['a/one'] } },
  { subjects: { in: ['user:*'] } },
  { subjects: { in: [] } },
  { subjects: { notIn: ['user:ann'] } },
  { subjects: { in: ['team:everyone'] } },
  { users: { in: ['ann', 'user:bob'] } },
  { teams: { in: ['red', 'blue'] }, users: { in: ['bob'] } },
  { virtualAccounts: { in: ['va'] } },
  { models: { in: ['a/one', 'b/two'] } },
  { models: { in: ['a/*'] }, teams: { in: ['blue'] } },
  { models: { in: ['a/one'], notIn: ['v'] } },
];

test('an index of rules finds, in their order, those that a look at each of them finds', () => {
  const rules = MATCHES.map(
    (match, place): LimitRule => ({
      kind: 'ratelimit',
      id: `rule-${place}`,
      match: compileMatch(match),
      appliesPer: [],
      mode: 'enforce',
      downgradeTo: undefined,
      legs: () => [],
    }),
  );
  const index = new RuleIndex({ rules, charged: 'all' });
  const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
  const callers = new Callers({ identities, metadataRules: [], accounts: [] });
  let found = 0;
  for (const subject of ['user:ann', 'user:bob', 'user:eve', 'virtualaccount:va']) {
    for (const teams of [[], ['red'], ['red', 'blue']]) {
      const caller = callers.of({ subject, keyId: 'key', teams, models: undefined, metadata: {} });
      for (const models of [['a/one'], ['b/two'], ['v', 'a/one'], ['c/three']]) {
        const expected = rules.filter(({ match }) => match.fits(caller, models));
        assert.deepEqual(index.rulesFor(caller, models), expected);
        found += expected.length;
      }
    }
  }
  assert.ok(found > 100);
});
