import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../../../src/config/configuration.ts';
import type { Identities } from '../../../src/config/identities/identities.ts';
import type { Principal } from '../../../src/core/exchange.ts';
import { Callers } from '../../../src/policy/caller.ts';

const nobody: Identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
const team = (name: string, members: string[], tags: Record<string, string> = {}) => ({
  name,
  members,
  tags,
  identities: [],
});

function principal(subject: string, changes: Partial<Principal> = {}): Principal {
  return { subject, keyId: 'k', teams: [], models: undefined, metadata: {}, ...changes };
}

function callers(identities: Partial<Identities>, more: Partial<Configuration> = {}): Callers {
  return new Callers({ accounts: [], metadataRules: [], ...more, identities: { ...nobody, ...identities } });
}

test('a caller’s teams are those of the key and those that name the user, each once', () => {
  const known = callers({ teams: [team('search', ['ada@example.com']), team('ops', ['ada@example.com'])] });
  const caller = known.of(principal('user:ada@example.com', { teams: ['search', 'guests'] }));
  assert.deepEqual(caller.teams, ['search', 'guests', 'ops']);
  assert.equal(caller.teamsJson, '["search","guests","ops"]');
  for (const subject of ['user:ada@example.com', 'team:ops', 'team:guests', 'team:everyone', '*']) {
    assert.ok(caller.subjects.has(subject), subject);
  }
  assert.equal(known.of(principal('user:bob@example.com')).teamsJson, undefined);
});

test('an e-mail address is the same in any letter case', () => {
  const caller = callers({ teams: [team('search', ['ada@example.com'])] }).of(principal('user:Ada@Example.com'));
  assert.deepEqual(caller.teams, ['search']);
  assert.ok(caller.subjects.has('user:ada@example.com'));
});

test('a virtual account is in the team that owns it, and a user of the same name is not', () => {
  const virtualAccounts = [{ name: 'ci', team: 'ops', tags: {}, identities: [] }];
  const known = callers({ virtualAccounts });
  assert.deepEqual(known.of(principal('virtualaccount:ci')).teams, ['ops']);
  assert.deepEqual(known.of(principal('user:ci')).teams, []);
});

test('metadata of the key stands over that of the subject, of its teams, and of the configuration', () => {
  const known = callers(
    {
      users: [{ email: 'ada@example.com', tags: { c: 'user', d: 'user' }, identities: [] }],
      teams: [team('search', ['ada@example.com'], { b: 'team', c: 'team', d: 'team' })],
    },
    {
      metadataRules: [
        { id: 'all', override: { a: 'first', b: 'first', c: 'first', d: 'first' } },
        { id: 'later', subjects: ['team:search'], override: { a: 'later' } },
        { id: 'others', subjects: ['team:ops'], override: { a: 'others' } },
      ],
    },
  );
  const caller = known.of(principal('user:ada@example.com', { metadata: { d: 'key' } }));
  assert.deepEqual(caller.metadata, { a: 'later', b: 'team', c: 'user', d: 'key' });
  assert.deepEqual(known.of(principal('user:bob@example.com')).metadata, {
    a: 'first',
    b: 'first',
    c: 'first',
    d: 'first',
  });
});

test('a key may use what both its patterns and the rules of the account allow', () => {
  const accounts = [
    { type: 'provider-account/x', name: 'main', collaborators: [collaborator('user:ada')], integrations: [] },
  ];
  const known = callers({}, { accounts });
  const ada = known.of(principal('user:ada', { models: ['main/small*', 'open/*'] }));
  assert.ok(ada.allows('main/small-1'));
  assert.ok(ada.allows('open/x'));
  assert.ok(!ada.allows('main/large'));
  assert.ok(!known.of(principal('user:bob', { models: ['*'] })).allows('main/small-1'));
});

test('the caller of a principal is made once', () => {
  const known = callers({});
  const who = principal('user:ada');
  assert.equal(known.of(who), known.of(who));
});

function collaborator(subject: string): { subject: string; role_id: string } {
  return { subject, role_id: 'provider-account-access' };
}
