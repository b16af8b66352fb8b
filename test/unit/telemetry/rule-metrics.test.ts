import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appliedRules, withDowngrade, withRefused } from '../../../src/limits/applied-rules.ts';
import { MetricRegistry } from '../../../src/telemetry/metric-registry.ts';
import { RuleMetrics } from '../../../src/telemetry/rule-metrics.ts';
import { addRecords } from '../../support/add-records.ts';
import { plainRecord } from './records.ts';

async function scrape(metrics: RuleMetrics): Promise<string> {
  const registry = new MetricRegistry();
  metrics.register(registry);
  return registry.render();
}

test('rules that matched and rules that refused are counted apart', async () => {
  const metrics = new RuleMetrics();
  const applied = appliedRules(['r'], ['b', 'größe']);
  addRecords(metrics, [
    plainRecord({ rulesJson: applied }),
    plainRecord({ rulesJson: withRefused(applied, 'r'), errorCode: 'rate_limited' }),
    plainRecord({ rulesJson: withRefused(applied, 'b'), errorCode: 'budget_exceeded' }),
    plainRecord({ rulesJson: withDowngrade(applied, 'p/m', 'p/cheap', 'b') }),
    plainRecord({ rulesJson: undefined, errorCode: 'rate_limited' }),
  ]);
  const text = await scrape(metrics);
  for (const line of [
    'ai_gateway_rate_limit_nominated_total{ruleId="r"} 4',
    'ai_gateway_rate_limit_applied_total{ruleId="r"} 1',
    'ai_gateway_budget_nominated_total{ruleId="b"} 4',
    'ai_gateway_budget_nominated_total{ruleId="größe"} 4',
    'ai_gateway_budget_applied_total{ruleId="b"} 2',
  ])
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
});

test('at most a thousand rules are counted over any number of reloads, and the rest as other', async () => {
  const metrics = new RuleMetrics();
  addRecords(
    metrics,
    Array.from({ length: 5_000 }, (_, id) => plainRecord({ rulesJson: appliedRules([`rule ${id}`], []) })),
  );
  const lines = (await scrape(metrics))
    .split('\n')
    .filter((line) => line.startsWith('ai_gateway_rate_limit_nominated'));
  assert.equal(lines.length, 1_001);
  assert.ok(lines.includes('ai_gateway_rate_limit_nominated_total{ruleId="other"} 4000'));
});
