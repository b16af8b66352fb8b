import assert from 'node:assert/strict';
import { beforeEach, it } from 'node:test';
import type { AlertDelivery } from '../../../src/alerts/alert-sender.ts';
import { BudgetWatch } from '../../../src/alerts/budget-watch.ts';
import type { BudgetAlerts, BudgetRule } from '../../../src/config/rules/counted-rules.ts';
import { BudgetWindows, currentWindows, spentIn } from '../../../src/ledger/budget-windows.ts';
import type { Database } from '../../../src/store/database.ts';
import { MetricRegistry } from '../../../src/telemetry/metric-registry.ts';
import { forEachEngine } from '../../support/engines.ts';
import { eventually } from '../../support/gateway.ts';
import { budgetOf, chargedRecord, limitOf } from '../ledger/budgets.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const alerts: BudgetAlerts = { thresholds: [50, 75, 100], sendTo: 'shared', targets: [{ type: 'webhook', url: 'x' }] };

forEachEngine('a watched budget', (engine) => {
  let database: Database;
  let nowMs: number;
  beforeEach(async () => {
    database = await engine.open();
    nowMs = Date.UTC(2030, 4, 15, 12);
  });

  const window = {
    budget: 'daily',
    unit: 'cost_per_day',
    period: 'day',
    periodStart: Date.UTC(2030, 4, 15),
    group: 'user:a@b.c',
  } as const;
  const daily = budgetOf('daily', { limits: [limitOf('cost_per_day', 1_000)], alerts, appliesPer: ['user'] });

  /** One gateway: its ledger's hook and its watch. */
  function gateway(name: string, budgets: BudgetRule[] = [daily], read: () => Database = () => database) {
    const sent: AlertDelivery[] = [];
    const watch = new BudgetWatch({
      database,
      budgets,
      spentIn: (windows) => spentIn(read(), windows),
      sender: { send: (delivery) => sent.push(delivery) },
      log,
      now: () => nowMs,
      lookEveryMs: 1,
    });
    const windows = new BudgetWindows({ gateway: name, budgets, onCharged: (charges) => watch.charged(charges) });
    const charge = async (costNanoUsd: number, group = 'user:a@b.c'): Promise<void> => {
      const sums = windows.begin();
      sums.add(chargedRecord({ startedAt: nowMs, charges: [['daily', group]], costNanoUsd }));
      await database.write((transaction) => sums.write(transaction));
      sums.committed();
    };
    const told = () => sent.map(({ alert }) => `${alert.group} ${alert.threshold}`).sort();
    return { watch, charge, sent, told };
  }
  const rows = async () =>
    (await database.query.selectFrom('budget_alerts').select('threshold').execute()).map((row) => row.threshold / 1000);

  it('an alert tells each threshold once per group and window, however often it is charged', async () => {
    const { charge, told, watch } = gateway('one');
    await charge(499);
    await charge(1);
    await eventually('half is told', () => told().length === 1);
    await charge(1);
    await charge(500);
    await eventually('the rest is told', () => told().length === 3);
    await charge(5);
    await charge(750, 'user:x@b.c');
    await eventually('another group too', () => told().length === 5);
    assert.deepEqual(told(), ['user:a@b.c 100', 'user:a@b.c 50', 'user:a@b.c 75', 'user:x@b.c 50', 'user:x@b.c 75']);
    nowMs += 86_400_000;
    await charge(500);
    await eventually('the next day begins anew', () => told().length === 6);
    watch.stop();
  });

  it('an alert tells what was spent, of how much, and whose budget it is', async () => {
    const { charge, sent, watch } = gateway('one');
    await charge(760);
    await eventually('told', () => sent.length === 2);
    const { alert, user } = sent.find((each) => each.alert.threshold === 75)!;
    assert.deepEqual([alert.spent, alert.limit, alert.period, alert.counts], [760, 1_000, 'day', 'cost']);
    assert.equal(user, 'a@b.c');
    watch.stop();
  });

  it('an alert comes once although two gateways spend the budget together, and not again after a restart', async () => {
    const one = gateway('one');
    const two = gateway('two');
    await Promise.all([one.charge(300), two.charge(300)]);
    await eventually('one of them tells', () => one.told().length + two.told().length > 0);
    await Promise.all([one.charge(100), two.charge(100), one.charge(100), two.charge(100)]);
    await eventually('all is told', () => one.told().length + two.told().length >= 3);
    one.watch.stop();
    two.watch.stop();
    const again = gateway('one');
    again.watch.start(await currentWindows(database, [daily], nowMs));
    await again.charge(1);
    await again.watch.looked();
    again.watch.stop();
    assert.deepEqual([...one.told(), ...two.told(), ...again.told()].sort(), [
      'user:a@b.c 100',
      'user:a@b.c 50',
      'user:a@b.c 75',
    ]);
  });

  it('an alert is sent by another gateway where the first was killed in between, and not where it was sent', async () => {
    const one = gateway('one');
    await one.charge(760);
    await eventually('claimed', async () => (await rows()).length === 2);
    one.sent.find((each) => each.alert.threshold === 50)?.onDone();
    await eventually('noted', async () => {
      const unsent = await database.query
        .selectFrom('budget_alerts')
        .select('threshold')
        .where('sent_at', '=', 0)
        .execute();
      return unsent.length === 1;
    });
    one.watch.stop();
    nowMs += 600_000;
    const two = gateway('two');
    two.watch.start([]);
    await eventually('told', () => two.told().length > 0);
    assert.deepEqual(two.told(), ['user:a@b.c 75']);
    assert.equal(two.sent[0]?.alert.spent, 760);
    two.watch.stop();
  });

  it('groups that are overridden alert at limits of their own, and not at all where they have none', async () => {
    const overrides = [
      { values: ['rich@b.c'], limits: [limitOf('cost_per_day', 10_000)] },
      { values: ['free@b.c'], limits: [] },
    ];
    const { charge, told, watch } = gateway('one', [{ ...daily, overrides }]);
    await charge(5_000, 'user:rich@b.c');
    await charge(5_000, 'user:free@b.c');
    await charge(500);
    await eventually('told', () => told().length === 2);
    await watch.looked();
    assert.deepEqual(told(), ['user:a@b.c 50', 'user:rich@b.c 50']);
    watch.stop();
  });

  it('a budget that begins to refuse is told once, over gateways, whatever was spent', async () => {
    const one = gateway('one');
    const two = gateway('two');
    await one.charge(400);
    for (const { watch } of [one, two, one]) {
      watch.refuses(window);
      await watch.looked();
    }
    one.watch.refuses({ ...window, group: 'user:new@b.c' });
    await one.watch.looked();
    one.watch.stop();
    two.watch.stop();
    assert.deepEqual([...one.told(), ...two.told()].sort(), ['user:a@b.c refuses', 'user:new@b.c refuses']);
    const spent = [...one.sent, ...two.sent].map(({ alert }) => [alert.group, alert.spent, alert.limit]);
    assert.deepEqual(spent.sort(), [
      ['user:a@b.c', 400, 1_000],
      ['user:new@b.c', 0, 1_000],
    ]);
  });

  it('a budget that refuses is told when the database is back, and to nobody where no alerts are configured', async () => {
    let away = true;
    const { told, watch } = gateway('one', [daily], () => {
      if (away) throw new Error('away');
      return database;
    });
    watch.refuses(window);
    await watch.looked();
    away = false;
    await eventually('told', () => told().length === 1);
    watch.stop();
    const silent = gateway('two', [budgetOf('daily', { limits: [limitOf('cost_per_day', 1_000)] })]);
    silent.watch.refuses({ ...window, group: 'user:x@b.c' });
    await silent.watch.looked();
    silent.watch.stop();
    assert.deepEqual(silent.told(), []);
  });

  it('an alert is told when the database is back', async () => {
    let away = true;
    const { charge, told, watch } = gateway('one', [daily], () => {
      if (away) throw new Error('away');
      return database;
    });
    await charge(600);
    await watch.looked();
    assert.deepEqual(told(), []);
    away = false;
    await eventually('told', () => told().length === 1);
    watch.stop();
  });

  it('the usage metric of a budget shows its fullest group', async () => {
    const audited = budgetOf('daily', {
      limits: [limitOf('cost_per_day', 1_000)],
      mode: 'audit',
      appliesPer: ['user'],
    });
    const { charge, watch } = gateway('one', [audited]);
    const registry = new MetricRegistry();
    watch.usage.register(registry);
    nowMs = Date.now();
    await charge(100, 'user:a');
    await charge(1_500, 'user:b');
    await charge(10, 'user:a');
    await eventually('seen', async () => (await registry.render()).includes('ruleId="daily"} 1.5'));
    watch.stop();
  });
});
