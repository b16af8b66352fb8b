import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configurationOf, loadText } from './manifest-folder.ts';

const channels = `type: provider-account/custom
name: alerts
integrations:
  - {type: integration/notification-channel/email, name: mail, from_email: a@b.example, auth_data: {type: smtp-credentials, host: h, port: 25, tls: true, username: u, password: "\${env:S}"}}
---
type: provider-account/slack
name: slack
integrations:
  - {type: integration/notification-channel/slack-webhook, name: costs, auth_data: {type: slack-webhook, webhook_url: "\${env:URL}"}}
  - {type: integration/notification-channel/slack-bot, name: bot, auth_data: {type: slack-bot, bot_token: "\${env:S}"}}
---
type: provider-account/pagerduty
name: pager
integrations:
  - {type: integration/notification-channel/pagerduty, name: costs, auth_data: {type: pagerduty-integration-auth, integration_key: "\${env:S}", integration_url: https://p.example/v2/enqueue}}
---
type: provider-account/ms-teams
name: teams
integrations:
  - {type: integration/notification-channel/ms-teams-webhook, name: room, auth_data: {type: ms-teams-webhook, webhook_url: "\${env:URL}"}}
---
type: provider-account/webhook
name: hooks
integrations:
  - {type: integration/notification-channel/webhook, name: any, webhook_url: "\${env:URL}", headers: {x-a: b}}
---
`;
const environment = { S: 's3cret', URL: 'https://w.example/x?sig=y' };

function load(t: TestContext, ...targets: string[]) {
  const alerts = `alerts: {notification_target: [${targets.join(', ')}]}`;
  const budget = `type: gateway-budget-config\nrules: [{id: r, limit_to: 1, unit: cost_per_day, ${alerts}}]`;
  return loadText(t, channels + budget, environment);
}

const url = environment.URL;
const resolved: [written: string, target: object][] = [
  [
    '{type: email, notification_channel: alerts/mail, to_emails: [x@y.z]}',
    {
      type: 'email',
      smtp: { host: 'h', port: 25, tls: true, username: 'u', password: 's3cret' },
      from: 'a@b.example',
      to: ['x@y.z'],
    },
  ],
  ['{type: slack-webhook, notification_channel: slack/costs}', { type: 'slack-webhook', url }],
  [
    '{type: slack-bot, notification_channel: bot, channels: ["#a"]}',
    { type: 'slack-bot', botToken: 's3cret', channels: ['#a'] },
  ],
  [
    '{type: pagerduty, notification_channel: "acme:pagerduty:pager:notification-channel:costs"}',
    { type: 'pagerduty', integrationKey: 's3cret', url: 'https://p.example/v2/enqueue' },
  ],
  ['{type: ms-teams-webhook, notification_channel: teams}', { type: 'ms-teams-webhook', url }],
  ['{type: webhook, notification_channel: hooks/any}', { type: 'webhook', url, headers: { 'x-a': 'b' } }],
  // The type of the target tells which of two channels of this name is meant.
  ['{type: slack-webhook, notification_channel: costs}', { type: 'slack-webhook', url }],
];

for (const [written, target] of resolved) {
  test(`the notification channel ${written} is resolved`, (t) => {
    const [budget] = configurationOf(load(t, written)).budgets;
    assert.deepEqual(budget?.alerts?.targets, [target]);
  });
}

test('a notification channel that does not exist, or of another type, is a fault with near names', (t) => {
  const { faults } = load(
    t,
    '{type: email, notification_channel: alerts/mial, to_emails: []}',
    '{type: email, notification_channel: slack/costs, to_emails: []}',
    '{type: sms, notification_channel: alerts/mail}',
  );
  // The last one is told by the schema alone, before anything is looked up.
  assert.equal(faults.length, 1);
  assert.match(faults.join(), /targe?t.*type: this value is not allowed — found the text "sms"; allowed: `email`/);
  const { faults: others } = load(
    t,
    '{type: email, notification_channel: alerts/mial, to_emails: []}',
    '{type: email, notification_channel: slack/costs, to_emails: []}',
  );
  assert.match(
    others[0] ?? '',
    /notification_target\[0\].notification_channel: there is no such channel — found the text "alerts\/mial"; allowed: .*Did you mean `alerts\/mail`/,
  );
  assert.match(others[1] ?? '', /this is a channel of the type `slack-webhook`, and the target is `email`/);
});

test('a fault in a channel is told once, and not again at everything that names it', (t) => {
  const source = `type: provider-account/custom
name: alerts
integrations: [{type: integration/notification-channel/email, name: mail, from_email: a@b.c, auth_data: {type: smtp-credentials, host: h, port: 0, tls: true}}]
---
type: gateway-budget-config
rules: [{id: r, limit_to: 1, unit: cost_per_day, alerts: {notification_target: [{type: email, notification_channel: alerts/mail, to_emails: []}]}}]`;
  assert.deepEqual(loadText(t, source).faults.length, 1);
});

test('integrations that would do nothing are refused by name', (t) => {
  const source = `type: provider-account/custom
name: store
integrations:
  - {type: integration/secret-store/custom/generic, name: s, base_url: https://x.example}
  - {type: integration/blob-storage/custom, name: b}
`;
  const { faults } = loadText(t, source);
  assert.equal(faults.length, 2);
  for (const fault of faults) assert.match(fault, /\.type: this kind of integration is not supported yet/);
});

test('no fault shows the address of a webhook or a password', (t) => {
  const source = `type: provider-account/slack
name: slack
integrations: [{type: integration/notification-channel/slack-webhook, name: a, auth_data: {type: slack-webhook, webhook_url: "ftp://hunter2"}}]
---
type: provider-account/custom
name: alerts
integrations: [{type: integration/notification-channel/email, name: m, from_email: a@b.c, auth_data: {type: smtp-credentials, host: h, port: 1, tls: true, password: hunter2}}]
`;
  const { faults, warnings } = loadText(t, source);
  assert.equal(faults.length, 2);
  assert.doesNotMatch([...faults, ...warnings].join(), /hunter2/);
});

test('an account of a kind may stand once, and two kinds may share a name', (t) => {
  const account = (kind: string) => `type: provider-account/${kind}\nname: same\n---\n`;
  assert.deepEqual(loadText(t, account('slack') + account('pagerduty')).faults, []);
  assert.match(loadText(t, account('slack') + account('slack')).faults.join(), /this account name stands already/);
});
