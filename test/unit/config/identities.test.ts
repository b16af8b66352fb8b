import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configurationOf, loadText } from './manifest-folder.ts';

const account =
  'type: provider-account/example\nname: main\nintegrations: [{type: integration/model/example, name: small, model_id: m, model_types: [chat]}]\n---\n';

function identities(t: TestContext, source: string) {
  return configurationOf(loadText(t, account + source)).identities;
}

test('members and managers of a team are its members, by e-mail in lower case', (t) => {
  const { teams } = identities(
    t,
    'type: team\nname: search\ndisplayName: S\nmanagers: [Ada@Example.com]\nmembers: [ada@example.com, "user:bob@example.com"]\ntags: {a: 1, b: true, c: text, d: null}',
  );
  assert.deepEqual(teams, [
    {
      name: 'search',
      members: ['ada@example.com', 'bob@example.com'],
      tags: { a: '1', b: 'true', c: 'text' },
      identities: [],
    },
  ]);
});

test('a tag that is no text, number or boolean has no effect and is a warning', (t) => {
  const loaded = loadText(t, 'type: user\nemail: A@b.c\ntags: {a: [1], b: x}');
  assert.deepEqual(configurationOf(loaded).identities.users, [{ email: 'a@b.c', tags: { b: 'x' }, identities: [] }]);
  assert.match(loaded.warnings.join(), /a.yaml:3:11 tags.a: only text, numbers and booleans become metadata/);
});

test('a virtual account ends with the day that is written, in UTC', (t) => {
  const expiry = (written: string) =>
    identities(t, `type: virtual-account\nname: ci\nexpiration_date: ${written}`).virtualAccounts[0]?.expiresAtMs;
  assert.equal(expiry('2099-02-28'), Date.UTC(2099, 2, 1));
  assert.equal(expiry('"2099-02-28T12:00:00Z"'), Date.UTC(2099, 1, 28, 12));
  assert.equal(expiry('null'), undefined);
  for (const wrong of ['2099-02-30', '28.02.2099', '"2099"', '20990228']) {
    const { faults } = loadText(t, `type: virtual-account\nname: ci\nexpiration_date: ${wrong}`);
    assert.match(faults.join(), /expiration_date: .*allowed: a date as `2027-01-31`/, wrong);
  }
  const past = loadText(t, 'type: virtual-account\nname: ci\nexpiration_date: 2001-01-01');
  assert.match(past.warnings.join(), /expiration_date: this day is over/);
});

test('permissions of a virtual account on provider accounts are grants, and others are warnings', (t) => {
  const loaded = loadText(
    t,
    `${account}type: virtual-account
name: ci
permissions:
  - {resource_fqn: "acme:example:main", resource_type: provider-account, role_id: provider-account-access}
  - {resource_fqn: "acme:example:main:model:small", resource_type: provider-account, role_id: provider-account-manager}
  - {resourceFqn: main, resourceType: provider-account, role: provider-account-access}
  - {resource_fqn: "acme:cluster", resource_type: cluster, role_id: cluster-viewer}
  - {resource_fqn: main, resource_type: provider-account, role_id: provider-account-acces}
  - {resource_fqn: "a:b", resource_type: provider-account, role_id: provider-account-access}
  - {resource_fqn: mian, resource_type: provider-account, role_id: provider-account-access}
secret_store_config: {integration_fqn: a, secret_path: b}
`,
  );
  const subject = 'virtualaccount:ci';
  assert.deepEqual(configurationOf(loaded).identities.grants, [
    { subject, account: 'main' },
    { subject, account: 'main', integration: 'small' },
    { subject, account: 'main' },
    { subject, account: 'mian' },
  ]);
  const expected = [
    /permissions\[3\]: a permission on a resource of the type `cluster` has no effect here/,
    /permissions\[4\]: the role `provider-account-acces` has no effect here.*Did you mean `provider-account-access`/,
    /permissions\[5\]: `a:b` names no provider account/,
    /permissions\[6\]: there is no `mian`; the grant has no effect. Did you mean `main`/,
    /secret_store_config: secret stores are not written to/,
  ];
  assert.equal(loaded.warnings.length, expected.length);
  for (const [index, pattern] of expected.entries()) assert.match(loaded.warnings[index] ?? '', pattern);
});

test('auto_rotate is in days, within the documented bounds', (t) => {
  const source = (interval: number, grace: number) =>
    `type: virtual-account\nname: ci\ntoken_type: opaque\nauto_rotate: {auto_rotate_interval: ${interval}, grace_period: ${grace}}`;
  const [ci] = identities(t, source(30, 1)).virtualAccounts;
  assert.deepEqual(ci?.autoRotate, { intervalMs: 30 * 86_400_000, graceMs: 86_400_000 });
  assert.equal(ci?.tokenType, 'opaque');
  assert.equal(loadText(t, source(29, 0)).faults.length, 2);
});

test('a role binding grants to each of its subjects, and to nobody of an unknown kind', (t) => {
  const loaded = loadText(
    t,
    `${account}type: role-binding
name: b
subjects: [{type: user, name: Ada@Example.com}, {type: external-identity, name: x}, {type: team, name: search}]
permissions: [{resourceType: provider-account, resourceFqn: "acme:example:main", role: provider-account-access}]
`,
  );
  assert.deepEqual(configurationOf(loaded).identities.grants, [
    { subject: 'user:ada@example.com', account: 'main' },
    { subject: 'team:search', account: 'main' },
  ]);
  assert.match(loaded.warnings.join(), /subjects\[1\]: `external-identity:x` is nobody here/);
});

test('a custom role loads with a warning, and grants nothing', (t) => {
  const loaded = loadText(
    t,
    `${account}type: role\nname: reader\ndisplayName: R\ndescription: d\nresourceType: provider-account\npermissions: ["provider-account:Read"]\n---\ntype: role-binding\nname: b\nsubjects: [{type: user, name: a@b.c}]\npermissions: [{resourceType: provider-account, resourceFqn: main, role: reader}]`,
  );
  assert.deepEqual(configurationOf(loaded).identities.grants, []);
  assert.match(loaded.warnings.join(), /a binding to one has no effect.*the role `reader` has no effect here/);
});

test('a user, a team and a virtual account have a unique name each', (t) => {
  const twice = (source: string) => loadText(t, `${source}\n---\n${source}`).faults.join();
  assert.match(twice('type: user\nemail: a@b.c'), /email: this user stands already in a.yaml:2:8/);
  assert.match(twice('type: team\nname: x'), /this team name stands already/);
  assert.match(twice('type: virtual-account\nname: x'), /this virtual account name stands already/);
});

const issuer = (name: string, more = '') =>
  `type: sluice/identity-provider\nname: ${name}\nissuer: https://${name}.example\njwks_uri: https://${name}.example/jwks\naudiences: [sluice]\n${more}`;

test('an identity provider has defaults for users and for virtual accounts', (t) => {
  const [users] = identities(t, issuer('a')).identityProviders;
  assert.deepEqual([users?.subjectKind, users?.subjectClaim, users?.teamsClaim], ['user', 'email', undefined]);
  assert.ok(users?.algorithms.includes('RS256') && users.algorithms.every((name) => !/^(HS|none)/.test(name)));
  const [accounts] = identities(
    t,
    issuer('a', 'subject_kind: virtualaccount\nteams_claim: realm.groups\nalgorithms: [ES256]'),
  ).identityProviders;
  assert.deepEqual(
    [accounts?.subjectKind, accounts?.subjectClaim, accounts?.teamsClaim, accounts?.algorithms],
    ['virtualaccount', 'sub', 'realm.groups', ['ES256']],
  );
});

test('an issuer in a custom account is an identity provider, and without audiences it is a warning', (t) => {
  const loaded = loadText(
    t,
    'type: provider-account/custom\nname: sso\nintegrations:\n  - {type: integration/jwt-auth/custom, name: company, issuer: "https://i.example", jwks_uri: "https://i.example/jwks", authorized_subjects: ["user:Ada@Example.com"]}',
  );
  const [provider] = configurationOf(loaded).identities.identityProviders;
  assert.equal(provider?.name, 'company');
  assert.deepEqual(provider?.authorizedSubjects, ['user:ada@example.com']);
  assert.match(loaded.warnings.join(), /no `audiences` are given/);
});

test('keys of an issuer come over https, or from this machine', (t) => {
  const faults = (address: string) => loadText(t, issuer('a').replace('https://a.example/jwks', address)).faults.length;
  for (const good of ['https://i.example/k?x=1', 'http://localhost:1/k', 'http://127.0.0.1/k', 'http://[::1]:3/k']) {
    assert.equal(faults(good), 0, good);
  }
  for (const bad of [
    'http://i.example/k',
    'file:///k',
    'https://u:p@i.example/k',
    'i.example',
    'http://127.0.0.1.evil.example/',
  ]) {
    assert.equal(faults(bad), 1, bad);
  }
});

test('signature algorithms without a key pair are refused', (t) => {
  for (const name of ['none', 'HS256']) {
    assert.match(
      loadText(t, issuer('a', `algorithms: [${name}]`)).faults.join(),
      /algorithms\[0\]: this value is not allowed/,
    );
  }
  assert.equal(loadText(t, issuer('a', 'algorithms: []')).faults.length, 1);
});

test('an issuer and the name of a provider are unique', (t) => {
  const { faults } = loadText(t, `${issuer('a')}\n---\n${issuer('a')}`);
  assert.deepEqual(
    faults.map((fault) => fault.split(' ').slice(1).join(' ')),
    [
      'name: this name of an identity provider stands already in a.yaml:2:7',
      'issuer: this issuer stands already in a.yaml:3:9',
    ],
  );
});

test('a mapping names its provider, also with its account, and an unknown provider is a warning', (t) => {
  const sso =
    'type: provider-account/custom\nname: sso\nintegrations:\n  - {type: integration/jwt-auth/custom, name: company, issuer: "https://i.example", jwks_uri: "https://i.example/jwks", audiences: [a]}\n---\n';
  const loaded = loadText(
    t,
    `${sso}type: user\nemail: a@b.c\nidentity_provider_mapping:\n${['company', 'sso/company', '"acme:custom:sso:jwt-auth:company"', 'compani'].map((name) => `  - {identity_provider: ${name}, value: v}\n`).join('')}`,
  );
  assert.deepEqual(
    configurationOf(loaded).identities.users[0]?.identities.map(({ provider }) => provider),
    ['company', 'company', 'company', 'compani'],
  );
  assert.equal(loaded.warnings.length, 1);
  assert.match(loaded.warnings.join(), /no identity provider of this name.*Did you mean `company`/);
});

test('metadata rules keep their order over all manifests', (t) => {
  const source = `type: gateway-metadata-config
name: m
rules:
  - {id: a, when: {subjects: ["team:x"]}, metadata_override: {env: prod, tier: 1}}
  - {id: b, when: {}, metadata_override: {env: dev}}
---
type: gateway-metadata-config
name: n
rules: [{id: a, metadata_override: {}}]
`;
  assert.deepEqual(configurationOf(loadText(t, source)).metadataRules, [
    { id: 'a', subjects: ['team:x'], override: { env: 'prod', tier: '1' } },
    { id: 'b', override: { env: 'dev' } },
    { id: 'a', override: {} },
  ]);
});

test('access rules of an account are read, and doubtful ones are warnings', (t) => {
  const loaded = loadText(
    t,
    `type: provider-account/example
name: main
collaborators: [{subject: "user:Ada@Example.com", role_id: provider-account-manager}, {subject: "team:x", role_id: provider-account-manger}]
integrations:
  - {type: integration/model/example, name: a, model_id: m, model_types: [chat], authorized_subjects: ["user:*@Example.com"]}
  - {type: integration/model/example, name: b, model_id: m, model_types: [chat], authorized_subjects: []}
  - {type: integration/model/example, name: c, model_id: m, model_types: [chat], authorized_subjects: null}
`,
  );
  const [main] = configurationOf(loaded).accounts;
  assert.deepEqual(main?.['collaborators'], [
    { subject: 'user:ada@example.com', role_id: 'provider-account-manager' },
    { subject: 'team:x', role_id: 'provider-account-manger' },
  ]);
  assert.match(JSON.stringify(main), /"authorized_subjects":\["user:\*@example.com"\]/);
  assert.match(
    loaded.warnings.join('\n'),
    /collaborators\[1\].role_id: the role `provider-account-manger` gives nothing here.*Did you mean `provider-account-manager`/,
  );
  assert.match(loaded.warnings.join('\n'), /integrations\[1\].authorized_subjects: an empty list authorizes nobody/);
  assert.equal(loaded.warnings.length, 2);
});
