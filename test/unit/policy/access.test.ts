import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountManifest } from '../../../src/config/configuration.ts';
import type { AccountGrant } from '../../../src/config/identities/identities.ts';
import { AccessRules } from '../../../src/policy/access.ts';

const manager = (subject: string) => ({ subject, role_id: 'provider-account-manager' });
const user = (subject: string) => ({ subject, role_id: 'provider-account-access' });
const model = (name: string, ...subjects: string[]) => ({ name, authorized_subjects: subjects });

interface Rules {
  collaborators?: { subject: string; role_id: string }[];
  integrations?: { name: string; authorized_subjects?: string[] }[];
  grants?: AccountGrant[];
}

/** Whether somebody may use a model of the account `main`; beside it there is `open`, which says nothing. */
function allowed({ grants = [], ...account }: Rules, subject: string, name: string, teams: string[] = []): boolean {
  const accounts: AccountManifest[] = [
    { type: 'provider-account/x', name: 'main', integrations: [], ...account },
    { type: 'provider-account/x', name: 'open', integrations: [] },
  ];
  const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants };
  const subjects = new Set([subject, ...teams.map((team) => `team:${team}`), 'team:everyone', '*']);
  return new AccessRules({ accounts, identities }).modelsOf(subjects)?.(name) ?? true;
}

test('everybody may use every model without any access rule', () => {
  assert.ok(allowed({ integrations: [{ name: 'a' }] }, 'user:x', 'main/a'));
  assert.ok(allowed({ collaborators: [], integrations: [{ name: 'a' }] }, 'user:x', 'main/a'));
});

test('an account with collaborators is closed to all others, and other accounts stay open', () => {
  const rules = { collaborators: [user('user:ada')], integrations: [{ name: 'a' }] };
  assert.ok(allowed(rules, 'user:ada', 'main/a'));
  assert.ok(!allowed(rules, 'user:bob', 'main/a'));
  assert.ok(allowed(rules, 'user:bob', 'open/a'));
});

test('authorized subjects of one model close the other models of its account as well', () => {
  const rules = { integrations: [model('a', 'user:ada'), { name: 'b' }] };
  assert.ok(allowed(rules, 'user:ada', 'main/a'));
  assert.ok(!allowed(rules, 'user:bob', 'main/a'));
  assert.ok(!allowed(rules, 'user:ada', 'main/b'));
});

test('a model with authorized subjects is for those, for managers and for grants, and not for other collaborators', () => {
  const rules: Rules = {
    collaborators: [manager('user:boss'), user('user:member')],
    integrations: [model('a', 'team:search', 'virtualaccount:ci'), { name: 'b' }],
    grants: [
      { subject: 'user:one', account: 'main', integration: 'a' },
      { subject: 'user:all', account: 'main' },
    ],
  };
  for (const who of ['user:boss', 'virtualaccount:ci', 'user:one', 'user:all']) {
    assert.ok(allowed(rules, who, 'main/a'), who);
  }
  assert.ok(allowed(rules, 'user:x', 'main/a', ['search']));
  assert.ok(!allowed(rules, 'user:member', 'main/a'));
  for (const who of ['user:boss', 'user:member', 'user:all']) assert.ok(allowed(rules, who, 'main/b'), who);
  for (const who of ['user:one', 'virtualaccount:ci']) assert.ok(!allowed(rules, who, 'main/b'), who);
});

test('an empty list of authorized subjects is for managers and grants only', () => {
  const rules = { collaborators: [manager('user:boss'), user('user:member')], integrations: [model('a')] };
  assert.ok(allowed(rules, 'user:boss', 'main/a'));
  assert.ok(!allowed(rules, 'user:member', 'main/a'));
});

test('a grant closes the account to whoever has none', () => {
  const grants = [{ subject: 'virtualaccount:ci', account: 'main' }];
  assert.ok(allowed({ grants }, 'virtualaccount:ci', 'main/any'));
  assert.ok(!allowed({ grants }, 'user:bob', 'main/any'));
});

test('an account that lists no models is open or closed as a whole, and one model of it may be granted', () => {
  const rules: Rules = {
    collaborators: [user('user:ada')],
    grants: [{ subject: 'user:bob', account: 'main', integration: 'vendor/m' }],
  };
  for (const name of ['main/x', 'main/vendor/m', 'main/y:1']) {
    assert.ok(allowed(rules, 'user:ada', name), name);
    assert.ok(!allowed(rules, 'user:eve', name), name);
  }
  assert.ok(allowed(rules, 'user:bob', 'main/vendor/m'));
  assert.ok(!allowed(rules, 'user:bob', 'main/vendor/m2'));
});

test('everyone, a star and patterns name many subjects at once', () => {
  for (const subject of ['team:everyone', '*', 'user:*@example.com']) {
    assert.ok(allowed({ collaborators: [user(subject)] }, 'user:a@example.com', 'main/a'), subject);
  }
  assert.ok(!allowed({ collaborators: [user('user:*@example.com')] }, 'user:a@example.org', 'main/a'));
  assert.ok(!allowed({ collaborators: [user('user:*')] }, 'virtualaccount:ci', 'main/a'));
});

test('a collaborator with an unknown role may use nothing', () => {
  assert.ok(!allowed({ collaborators: [{ subject: 'user:ada', role_id: 'viewer' }] }, 'user:ada', 'main/a'));
});
