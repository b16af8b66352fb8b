import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { addRecords } from '../../support/add-records.ts';
import { fullRecord } from './records.ts';

function newMetrics(metadataKeys: string[], maxSeries?: number): Metrics {
  return new Metrics({
    metadataKeys,
    ...(maxSeries !== undefined && { maxSeries }),
    inFlight: () => 0,
    bodyMemoryBytes: () => 0,
    logLinesDropped: () => 0,
  });
}

async function samples(metrics: Metrics, family: string): Promise<Map<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => line.startsWith(`${family}{`));
  const found = lines.map((line): [string, number] => {
    const space = line.lastIndexOf(' ');
    return [line.slice(family.length, space), Number(line.slice(space + 1))];
  });
  assert.equal(new Set(found.map(([labels]) => labels)).size, found.length, 'a series stands twice');
  return new Map(found);
}

const who = 'model_name="openai-main/gpt-4o",tenant_name="default",username="virtualaccount:ci"';
const prod = { metadataJson: '{"env":"prod","trace":"1"}' };
const prodAgain = { metadataJson: '{"trace":"2","env":"prod"}' };

test('metadata that may be shown is a label of requests, tokens and cost, and of nothing else', async () => {
  const metrics = newMetrics(['env', 'cost-center']);
  addRecords(metrics, [
    fullRecord(prod),
    fullRecord(prodAgain),
    fullRecord({ metadataJson: '{"cost-center":"7"}' }),
    fullRecord(),
  ]);
  assert.deepEqual(
    [...(await samples(metrics, 'ai_gateway_input_tokens_total'))],
    [
      [`{${who},metadata_env="prod",metadata_cost_center=""}`, 200],
      [`{${who},metadata_env="",metadata_cost_center="7"}`, 100],
      [`{${who},metadata_env="",metadata_cost_center=""}`, 100],
    ],
  );
  const requests = await samples(metrics, 'ai_gateway_requests_total');
  assert.equal(requests.get(`{${who},metadata_env="prod",metadata_cost_center="",status_code="200"}`), 2);
  assert.equal((await samples(metrics, 'ai_gateway_request_processing_ms_count')).get(`{${who}}`), 4);
  assert.doesNotMatch(await metrics.render(), /trace/);
});

test('values that clients invent make a bounded number of series, and the rest is other', async () => {
  const metrics = newMetrics(['env'], 20);
  for (let count = 0; count < 100; count++) addRecords(metrics, [fullRecord({ metadataJson: `{"env":"${count}"}` })]);
  const tokens = await samples(metrics, 'ai_gateway_output_tokens_total');
  assert.equal(tokens.size, 11);
  assert.equal(tokens.get(`{${who},metadata_env="other"}`), 90 * 20);
  const requests = await samples(metrics, 'ai_gateway_requests_total');
  assert.ok(requests.size <= 12);
  assert.equal(
    [...requests.values()].reduce((sum, value) => sum + value),
    100,
  );
});
