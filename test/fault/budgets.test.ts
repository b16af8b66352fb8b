import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { budgetsOf, pricedAccount, startBudgetGateway, talkative } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { startCountingProvider, startLoad } from '../support/ledger-load.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, startProvider } from '../support/provider.ts';
import { byModel, startEvents } from '../support/scripted-provider.ts';
import { rowsInFolder } from '../support/stored-rows.ts';

const budget = (name: string, limits: object, more: object = {}) => ({
  type: 'tenant-budget-config',
  name,
  when: {},
  limits,
  applies_to: { type: 'aggregate' },
  mode: 'enforce',
  ...more,
});

let counting: FakeProvider;
let provider: FakeProvider;
before(async () => {
  counting = await startCountingProvider();
  provider = await startProvider(byModel({ m: surprising, talker: talkative }));
});
after(async () => {
  await counting?.close();
  await provider?.close();
});

/** Says in the end that it used more or less than it was allowed, while others wait with it. */
function surprising(...[, response]: Parameters<typeof talkative>): void {
  const output = 1 + Math.floor(Math.random() * 40);
  startEvents(response);
  response.write(chunkEvent({ role: 'assistant', content: 'hello' }));
  const said = { prompt_tokens: 5, completion_tokens: output, total_tokens: 5 + output };
  const usage = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: said };
  setTimeout(
    () => response.end(`${chunkEvent({}, 'stop')}data: ${JSON.stringify(usage)}\n\n${DONE_EVENT}`),
    50 + Math.random() * 100,
  );
}

interface Row {
  readonly cost: number;
  readonly reserved: number;
  readonly tokens: number;
  readonly charges: [string, string][];
}

function read<T>(folder: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(folder, 'data', 'sluice.db'), { readOnly: true });
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function rowsIn(folder: string): Row[] {
  const charges = read(
    folder,
    (database) =>
      new Map(
        database
          .prepare('select labels, charges from ledger_labels')
          .all()
          .map((row) => [String(row['labels']), JSON.parse(String(row['charges'] ?? '[]'))]),
      ),
  );
  return rowsInFolder(join(folder, 'data')).map((row) => ({
    cost: row.cost_nano_usd ?? 0,
    tokens: (row.input_tokens ?? 0) + (row.output_tokens ?? 0),
    reserved: row.numbers.reserved_nano_usd ?? 0,
    charges: charges.get(row.labels) ?? [],
  }));
}

/** By budget, unit and group, over all periods. */
const windowsIn = (folder: string): Record<string, number> =>
  read(folder, (database) =>
    Object.fromEntries(
      database
        .prepare('select budget, unit, group_value, sum(spent) as spent from budget_windows group by 1, 2, 3')
        .all()
        .map((row) => [`${row['budget']} ${row['unit']} ${row['group_value']}`, Number(row['spent'])]),
    ),
  );

/** 500 requests at once, again and again until none is let in any more. */
async function spendAll(gateway: RunningGateway, body: object): Promise<number> {
  let letIn = 0;
  for (;;) {
    const statuses = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const response = await ask(gateway, { messages, stream: true, ...body });
        await response.text();
        return response.status;
      }),
    );
    assert.deepEqual(
      statuses.filter((status) => status !== 200 && status !== 429),
      [],
    );
    const passed = statuses.filter((status) => status === 200).length;
    letIn += passed;
    if (passed === 0) return letIn;
    await eventually('nothing is held', async () => (await gateway.metric('sluice_reservations_open')) === 0);
  }
}

for (const { mode, model } of [
  { mode: 'enforce', model: 'm' },
  { mode: 'cut', model: 'talker' },
]) {
  test(`a budget of 1 dollar (${mode}) under 500 concurrent streams is overspent by no more than the errors of estimates`, {
    timeout: 90_000,
  }, async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-budget-'));
    const gateway = await startBudgetGateway({
      folder,
      server: { threads: 2 },
      manifests: [
        pricedAccount('p', `${provider.origin}/v1`, ['m', 'talker']),
        budget('dollar', { cost_per_quarter: 1 }, { mode }),
      ],
    });
    try {
      const letIn = await spendAll(gateway, { model: `p/${model}`, max_tokens: 16 });
      await eventually(
        'the ledger has it',
        () => rowsIn(folder).filter((row) => row.charges.length > 0).length === letIn,
      );
      const rows = rowsIn(folder).filter((row) => row.charges.length > 0);
      const spent = rows.reduce((sum, row) => sum + row.cost, 0);
      const errors = rows.reduce((sum, row) => sum + Math.max(0, row.cost - row.reserved), 0);
      const over = spent - 1e9;
      context.diagnostic(
        `${mode}: ${letIn} streams of 500 at a time spent ${spent / 1e9} of 1 dollar; overshoot ${Math.max(0, over) / 1e9}, ` +
          `errors of estimates ${errors / 1e9}`,
      );
      assert.ok(over <= errors, `${over} over, ${errors} of errors`);
      assert.ok(spent > 0.9e9, `a budget is there to be spent: ${spent}`);
      if (mode === 'cut') assert.ok(over <= 0, 'what is cut as it is spent is never overspent');
      assert.equal((await budgetsOf(gateway)).data[0]?.spent, spent / 1e9);
      assert.deepEqual(windowsIn(folder), { 'dollar cost_per_quarter ': spent });
    } finally {
      await gateway[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('after SIGKILL under load and a start, budgets have spent the sum of the ledger, to the nano-dollar', {
  timeout: 90_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-budget-'));
  const manifests = [
    pricedAccount('p', `${counting.origin}/v1`, ['m', 'silent']),
    budget('all', { cost_per_day: 1e6, cost_per_quarter: 1e6 }),
    budget('each', { cost_per_week: 1e6 }, { applies_to: { type: 'per-model' } }),
    {
      type: 'gateway-budget-config',
      rules: [{ id: 'tokens', when: {}, limit_to: 1e12, unit: 'tokens_per_month' }],
    },
  ];
  const start = () => startBudgetGateway({ folder, server: { threads: 2 }, manifests });
  let gateway = await start();
  try {
    for (let round = 0; round < 2; round += 1) {
      const agent = new Agent({ keepAlive: true });
      const load = startLoad(gateway, 12, ['p/m', 'p/m', 'p/silent'], agent);
      await eventually('it is under load', () => load.ended.length > 200, 20_000);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      gateway.process.kill('SIGKILL');
      await load.over;
      await gateway.exited;
      agent.destroy();
      gateway = await start();
      const rows = rowsIn(folder);
      assert.ok(rows.length > 200 * (round + 1));
      const sums: Record<string, number> = {};
      for (const { charges, cost, tokens } of rows) {
        assert.equal(charges.length, 3);
        for (const [id, group] of charges) {
          const units = {
            all: ['cost_per_day', 'cost_per_quarter'],
            each: ['cost_per_week'],
            tokens: ['tokens_per_month'],
          }[id];
          for (const unit of units ?? []) {
            const key = `${id} ${unit} ${group}`;
            sums[key] = (sums[key] ?? 0) + (id === 'tokens' ? tokens : cost);
          }
        }
      }
      assert.deepEqual(windowsIn(folder), sums);
      for (const each of (await budgetsOf(gateway)).data) {
        assert.equal(each.spent, (sums[`${each.budget} ${each.unit} ${each.group}`] ?? 0) / (each.currency ? 1e9 : 1));
        assert.equal(each.held, 0);
      }
    }
  } finally {
    await gateway[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
});
