import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answering, budgetsOf, pricedAccount, startBudgetGateway } from '../support/budgets.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway } from '../support/gateway.ts';
import { type PostgresServer, postgresSkip, startPostgres } from '../support/postgres-server.ts';
import { type FakeProvider, startProvider } from '../support/provider.ts';

describe('two gateways on one PostgreSQL, without Redis', { skip: postgresSkip, timeout: 90_000 }, () => {
  let server: PostgresServer;
  let provider: FakeProvider;
  const hooks: Record<string, unknown>[] = [];
  const gateways: RunningGateway[] = [];
  const answer = answering({ input: 5, output: 7 });
  before(async () => {
    server = await startPostgres();
    provider = await startProvider((request, response, incoming) => {
      if (request.path !== '/hook') {
        answer(request, response, incoming);
        return;
      }
      hooks.push(JSON.parse(request.body.toString()));
      response.end();
    });
  });
  after(async () => {
    await Promise.all(gateways.map((each) => each[Symbol.asyncDispose]()));
    await provider?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const chat = async (gateway: RunningGateway): Promise<number> => {
    const response = await ask(gateway, { model: 'p/m', messages, max_tokens: 7 });
    await response.text();
    return response.status;
  };

  test('a budget that one gateway spends is spent for the other within seconds, and each alert comes once', async () => {
    const database = await server.newDatabase();
    const start = () =>
      startBudgetGateway({
        server: { store: { database } },
        manifests: [
          pricedAccount('p', `${provider.origin}/v1`, ['m']),
          {
            type: 'provider-account/webhook',
            name: 'hooks',
            integrations: [
              {
                name: 'costs',
                type: 'integration/notification-channel/webhook',
                webhook_url: `${provider.origin}/hook`,
              },
            ],
          },
          {
            type: 'tenant-budget-config',
            name: 'shared',
            when: {},
            limits: { cost_per_quarter: 0.1 },
            applies_to: { type: 'aggregate' },
            mode: 'enforce',
            alerts: {
              thresholds: [30, 60],
              notification_target: [{ type: 'webhook', notification_channel: 'hooks/costs' }],
            },
          },
        ],
      });
    gateways.push(...(await Promise.all([start(), start()])));
    const [one, two] = gateways as [RunningGateway, RunningGateway];
    assert.deepEqual([await chat(one), await chat(one)], [200, 200]);
    assert.deepEqual([await chat(one), await chat(one)], [200, 200]);
    await eventually('the other knows that it is spent', async () => (await chat(two)) === 429, 20_000);
    const shown = async () => (await Promise.all([budgetsOf(one), budgetsOf(two)])).map((page) => page.data[0]?.spent);
    await eventually('both show the same', async () => new Set(await shown()).size === 1);
    await eventually('both thresholds and the first refusal are told', () => hooks.length >= 3);
    await Promise.all([one.stop(), two.stop()]);
    assert.deepEqual(hooks.map((each) => each['threshold'] ?? each['type']).sort(), [30, 60, 'budget.refuses']);
    const again = await start();
    gateways.push(again);
    assert.equal(await chat(again), 429, 'a third one begins with what both spent');
  });
});
