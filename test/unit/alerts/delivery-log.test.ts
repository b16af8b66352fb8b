import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AlertSender } from '../../../src/alerts/alert-sender.ts';
import type { BudgetAlert } from '../../../src/alerts/budget-alert.ts';
import { DeliveryLog, type DeliveryReport, pageOfDeliveries } from '../../../src/alerts/delivery-log.ts';
import type { NotificationTarget } from '../../../src/config/channels/notification-target.ts';
import { forEachEngine } from '../../support/engines.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const alert: BudgetAlert = {
  budget: 'search-daily',
  mode: 'enforce',
  appliesPer: ['user'],
  group: 'user:bob@example.com',
  unit: 'cost_per_day',
  counts: 'cost',
  period: 'day',
  periodStart: Date.UTC(2030, 0, 2),
  threshold: 90,
  spent: 91,
  limit: 100,
};

it('the outcome of each message is told with its receiver, and never with a secret', async () => {
  const reports: DeliveryReport[] = [];
  const sender = new AlertSender({
    http: async ({ url }) =>
      ({ status: url.includes('broken') ? 500 : 200, headers: {}, body: Buffer.from('{"ok":true}') }) as never,
    log: silent,
    backoffMs: [],
    onDelivery: (report) => reports.push(report),
  });
  const targets: NotificationTarget[] = [
    { type: 'webhook', url: 'https://hooks.example.com/secret-part', headers: { authorization: 'secret' } },
    { type: 'slack-bot', botToken: 'secret-token', channels: ['#one', '#two'] },
    { type: 'pagerduty', integrationKey: 'secret-key', url: 'https://broken.example.com/v2' },
  ];
  await new Promise<void>((resolve) => {
    sender.send({
      alert,
      alerts: { thresholds: [90], sendTo: 'shared', targets } as never,
      user: undefined,
      onDone: resolve,
    });
  });
  const told = reports.map(({ channel, recipient, outcome, reason, tries }) => [
    channel,
    recipient,
    outcome,
    reason,
    tries,
  ]);
  assert.deepEqual(told.sort(), [
    ['pagerduty', 'broken.example.com', 'failed', 'status 500', 1],
    ['slack-bot', '#one', 'sent', undefined, 1],
    ['slack-bot', '#two', 'sent', undefined, 1],
    ['webhook', 'hooks.example.com', 'sent', undefined, 1],
  ]);
  assert.doesNotMatch(JSON.stringify(told), /secret/);
  await sender.close(0);
});

forEachEngine('messages of alerts', (engine) => {
  it('messages of alerts are told newest first, in pages', async () => {
    const database = await engine.open();
    const log = new DeliveryLog(database, silent);
    const report = { alert, channel: 'email', recipient: 'bob@example.com', outcome: 'sent', tries: 1 } as const;
    await log.record(report);
    await log.record({ ...report, outcome: 'failed', reason: 'no answer', alert: { ...alert, threshold: 'refuses' } });
    const first = await pageOfDeliveries(database, undefined, 1);
    assert.deepEqual([first.rows[0]?.outcome, first.rows[0]?.threshold, first.hasMore], ['failed', 'refuses', true]);
    const second = await pageOfDeliveries(database, first.rows[0]?.id, 1);
    assert.deepEqual([second.rows[0]?.reason, second.rows[0]?.threshold, second.hasMore], [null, 90, false]);
  });

  it('messages of alerts are bounded: the newest five thousand are kept', async () => {
    const database = await engine.open();
    const old = Array.from({ length: 5_500 }, (_, index) => ({
      id: `dlv_000000000${String(index).padStart(6, '0')}`,
      at: index,
      budget: 'b',
      unit: 'cost_per_day',
      period_start: 0,
      group_value: '',
      threshold: 1,
      spent: 1,
      limit_amount: 1,
      channel: 'email',
      recipient: '',
      outcome: 'sent',
      reason: null,
      tries: 1,
    }));
    for (let from = 0; from < old.length; from += 500)
      await database.query
        .insertInto('alert_deliveries')
        .values(old.slice(from, from + 500))
        .execute();
    const log = new DeliveryLog(database, silent);
    await log.record({ alert, channel: 'email', recipient: '', outcome: 'sent', tries: 1 });
    const { count } = await database.query
      .selectFrom('alert_deliveries')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    assert.ok(Number(count) <= 5_000, `${count} are kept`);
    assert.equal((await pageOfDeliveries(database, undefined, 1)).rows[0]?.budget, 'search-daily');
  });
});
