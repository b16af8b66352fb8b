import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BudgetRule } from '../../../src/config/rules/counted-rules.ts';
import { configurationOf, loadText } from './manifest-folder.ts';

const account = (name: string) =>
  `type: provider-account/example\nname: main\nintegrations: [{type: integration/model/example, name: ${name}, model_id: m, model_types: [chat]}]\n---\n`;
const mail = `---
type: provider-account/custom
name: alerts
integrations:
  - {type: integration/notification-channel/email, name: mail, from_email: a@b.example, auth_data: {type: smtp-credentials, host: h, port: 25, tls: false}}
`;

function rule(t: TestContext, written: string, more = ''): BudgetRule | undefined {
  const source = `${account('small')}type: gateway-budget-config\nrules: [${written}]\n${more}`;
  return configurationOf(loadText(t, source)).budgets[0];
}

function manifest(t: TestContext, written: string, more = ''): BudgetRule | undefined {
  return configurationOf(loadText(t, `${account('small')}${written}\n${more}`)).budgets[0];
}

const tenant = (more: string) =>
  `type: tenant-budget-config\nname: b\nlimits: {cost_per_day: 1}\nmode: enforce\n${more}`;

test('a v1 budget rule is read with its unit, groups and mode', (t) => {
  assert.deepEqual(
    rule(t, '{id: r, when: {subjects: ["user:*"]}, limit_to: 0.25, unit: cost_per_week, budget_applies_per: [user]}'),
    {
      id: 'r',
      list: 0,
      match: { subjects: { in: ['user:*'] } },
      limits: [{ unit: 'cost_per_week', counts: 'cost', period: 'week', amount: 250_000_000 }],
      appliesPer: ['user'],
      overrides: [],
      mode: 'enforce',
    },
  );
  const tokens = rule(t, '{id: r, limit_to: 1000, unit: tokens_per_month}');
  assert.deepEqual(tokens?.limits, [{ unit: 'tokens_per_month', counts: 'tokens', period: 'month', amount: 1000 }]);
});

test('audit_mode means the mode audit, and a mode beside it must not contradict it', (t) => {
  assert.equal(rule(t, '{id: r, limit_to: 1, unit: cost_per_day, audit_mode: true}')?.mode, 'audit');
  assert.equal(rule(t, '{id: r, limit_to: 1, unit: cost_per_day, audit_mode: false, mode: cut}')?.mode, 'cut');
  const { faults } = loadText(
    t,
    'type: gateway-budget-config\nrules: [{id: r, limit_to: 1, unit: cost_per_day, audit_mode: true, mode: cut}]',
  );
  assert.match(faults.join(), /rules\[0\].mode: .*found the text "cut"; allowed: `audit`, as `audit_mode: true` says/);
});

test('downgrade_to is required with the mode downgrade, and refused with any other', (t) => {
  const good = rule(t, '{id: r, limit_to: 1, unit: cost_per_day, mode: downgrade, downgrade_to: main/small}');
  assert.deepEqual([good?.mode, good?.downgradeTo], ['downgrade', 'main/small']);
  const faultsOf = (more: string) =>
    loadText(
      t,
      `${account('small')}type: gateway-budget-config\nrules: [{id: r, limit_to: 1, unit: cost_per_day, ${more}}]`,
    ).faults;
  assert.match(
    faultsOf('mode: downgrade').join(),
    /rules\[0\].downgrade_to: this key is missing — allowed: the cheaper/,
  );
  assert.match(faultsOf('downgrade_to: main/small').join(), /downgrade_to: this key has no meaning here/);
  assert.deepEqual(faultsOf('mode: downgrade, downgrade_to: main/smal'), [
    'a.yaml:6:81 rules[0].downgrade_to: there is no such model — found `main/smal`; allowed: a model as `account/model`. Did you mean `main/small`?',
  ]);
});

test('a v2 budget is read with several limits and its overrides', (t) => {
  const budget = manifest(
    t,
    `type: tenant-budget-config
name: eng
when:
  subjects: {users: {in: [Ada@Example.com], not_in: [bob@example.com]}, teams: {in: [search]}, virtual_accounts: {in: [ci]}}
  models: {in: [], not_in: [main/small]}
  metadata: {project: {in: [atlas], not_in: []}}
limits: {cost_per_day: 10, cost_per_week: null, cost_per_quarter: 400}
applies_to: {type: per-user, overrides: [{users: ["user:ADA@example.com"], limits: {cost_per_day: 100}}]}
mode: audit`,
  );
  assert.deepEqual(budget, {
    id: 'eng',
    match: {
      // Either the user or the virtual account, and the team besides.
      subjects: { in: ['user:ada@example.com', 'virtualaccount:ci'], notIn: ['user:bob@example.com'] },
      teams: { in: ['search'] },
      models: { notIn: ['main/small'] },
      metadata: { project: { in: ['atlas'] } },
    },
    limits: [
      { unit: 'cost_per_day', counts: 'cost', period: 'day', amount: 10_000_000_000 },
      { unit: 'cost_per_quarter', counts: 'cost', period: 'quarter', amount: 400_000_000_000 },
    ],
    appliesPer: ['user'],
    overrides: [
      {
        values: ['ada@example.com'],
        limits: [{ unit: 'cost_per_day', counts: 'cost', period: 'day', amount: 100_000_000_000 }],
      },
    ],
    mode: 'audit',
  });
});

const divisions: [written: string, appliesPer: string[], values: string[] | undefined][] = [
  ['{type: aggregate}', [], undefined],
  ['{type: per-user}', ['user'], undefined],
  ['{type: per-model, overrides: [{models: [main/small], limits: {}}]}', ['model'], ['main/small']],
  ['{type: per-virtual-account, overrides: [{virtual_accounts: [ci], limits: {}}]}', ['virtualaccount'], ['ci']],
  [
    '{type: metadata, metadata: tier, overrides: [{metadata_values: [1, x], limits: {}}]}',
    ['metadata.tier'],
    ['1', 'x'],
  ],
];

for (const [written, appliesPer, values] of divisions) {
  test(`applies_to ${written} counts per ${appliesPer.join() || 'nothing'}`, (t) => {
    const budget = manifest(t, tenant(`applies_to: ${written}`));
    assert.deepEqual(budget?.appliesPer, appliesPer);
    assert.deepEqual(budget?.overrides, values === undefined ? [] : [{ values, limits: [] }]);
  });
}

test('a team budget is about the members of its team', (t) => {
  const budget = manifest(
    t,
    'type: team-budget-config\nteam_name: search\nname: b\nwhen: {subjects: {users: {not_in: [bob@example.com]}}}\nlimits: {cost_per_day: 1}\napplies_to: {type: aggregate}\nmode: enforce',
  );
  assert.deepEqual(budget?.match, { subjects: { notIn: ['user:bob@example.com'] }, teams: { in: ['search'] } });
  const { warnings } = loadText(
    t,
    'type: team-budget-config\nteam_name: s\nname: b\nwhen: {subjects: {teams: {in: [x]}}}\nlimits: {cost_per_day: 1}\nmode: audit',
  );
  assert.match(warnings.join(), /when.subjects.teams: the key `teams` is not known here/);
});

test('thresholds are percent, ascending, each once, with the documented ones as default', (t) => {
  const alerts = (written: string) =>
    rule(t, `{id: r, limit_to: 1, unit: cost_per_day, alerts: ${written}}`, mail)?.alerts;
  const target = 'notification_target: [{type: email, notification_channel: alerts/mail, to_emails: [a@b.c]}]';
  assert.deepEqual(alerts(`{${target}}`)?.thresholds, [75, 90, 95, 100]);
  assert.deepEqual(alerts(`{thresholds: [100, 50, 50.5, 100], ${target}}`)?.thresholds, [50, 50.5, 100]);
  assert.deepEqual(alerts(`{${target}}`)?.targets, [
    { type: 'email', smtp: { host: 'h', port: 25, tls: false }, from: 'a@b.example', to: ['a@b.c'] },
  ]);
  const { faults } = loadText(
    t,
    'type: gateway-budget-config\nrules: [{id: r, limit_to: 1, unit: cost_per_day, alerts: {thresholds: [101, -1]}}]',
  );
  assert.deepEqual(faults, [
    'a.yaml:2:72 rules[0].alerts.thresholds[0]: this value is not allowed — found 101; allowed: percent, a number from 0 to 100',
    'a.yaml:2:77 rules[0].alerts.thresholds[1]: this value is not allowed — found -1; allowed: percent, a number from 0 to 100',
  ]);
});

test('a breaching user is written to through the only e-mail channel there is', (t) => {
  const breaching = 'applies_to: {type: per-user}\nalerts: {send_to: breaching-user}';
  const budget = manifest(t, tenant(breaching), mail);
  assert.equal(budget?.alerts?.sendTo, 'breaching-user');
  assert.deepEqual(
    budget?.alerts?.targets.map((target) => target.type === 'email' && target.to),
    [[]],
  );
  assert.match(loadText(t, tenant(breaching)).warnings.join(), /alerts.send_to: there is no e-mail channel/);
});

test('a budget’s name is unique, in whichever form it is written', (t) => {
  const { faults } = loadText(
    t,
    `type: gateway-budget-config\nrules: [{id: b, limit_to: 1, unit: cost_per_day}]\n---\n${tenant('')}`,
  );
  assert.deepEqual(faults, ['a.yaml:5:7 name: this name of a budget stands already in a.yaml:2:14']);
});

test('a wrong mode, division or period of a budget is a fault', (t) => {
  const { faults } = loadText(
    t,
    'type: tenant-budget-config\nname: b\nlimits: {cost_per_day: "1"}\napplies_to: {type: per-team}\nmode: soft_enforce',
  );
  assert.deepEqual(
    faults.map((fault) => fault.split(' — ')[0]),
    [
      'a.yaml:3:24 limits.cost_per_day: wrong type',
      'a.yaml:4:20 applies_to.type: this value is not allowed',
      'a.yaml:5:7 mode: this value is not allowed',
    ],
  );
});

test('a budget without a limit, a rule that never decides, and one that excludes all it asks for are warnings', (t) => {
  const { warnings } = loadText(
    t,
    `type: tenant-budget-config
name: a
limits: {}
mode: audit
when: {subjects: {users: {in: [x@y.z], not_in: [x@y.z]}}}
---
type: gateway-budget-config
rules:
  - {id: first, limit_to: 1, unit: cost_per_day}
  - {id: second, limit_to: 1, unit: cost_per_day, when: {subjects: ["user:x"]}}
`,
  );
  assert.deepEqual(warnings, [
    'a.yaml:3:9 limits: no limit is given, so this budget has no effect',
    'a.yaml:5:7 when: all of subjects that are asked for are excluded as well, so this rule never matches',
    'a.yaml:10:5 rules[1]: rule `second` never decides, it is only charged, and `first` (a.yaml:9:5) matches all that it does. Put it before that one',
  ]);
});

test('an amount that would be rounded to another one is refused, in either form', (t) => {
  const small = 'limit_to: 0.0000000004, unit: cost_per_day';
  const said = /limit_to: .*; allowed: US dollars, in whole billionths/;
  assert.match(loadText(t, `type: gateway-budget-config\nrules: [{id: r, ${small}}]`).faults.join(), said);
  const second = loadText(t, 'type: tenant-budget-config\nname: b\nlimits: {cost_per_day: 1.4e-9}\nmode: enforce');
  assert.match(second.faults.join(), /cost_per_day: .*; allowed: US dollars, in whole billionths/);
  for (const [written, nano] of [
    ['0.000000001', 1],
    ['0.1', 100_000_000],
    ['33.333333333333336', 33_333_333_333],
    ['9007199', 9_007_199_000_000_000],
  ])
    assert.equal(rule(t, `{id: r, limit_to: ${written}, unit: cost_per_day}`)?.limits[0]?.amount, nano);
});
