import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countIn } from '../../../src/inference/usage.ts';
import { COUNTER_NAMES, type CounterName, USAGE_COUNTERS } from '../../../src/inference/usage-counters.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { EventLoopProbe } from '../../../src/telemetry/thread-stats.ts';
import { addRecords } from '../../support/add-records.ts';
import { leastOf } from '../../support/least-of.ts';
import { fullRecord, plainRecord, WHOLE_RECORD } from './records.ts';

function newMetrics(maxSeries?: number): Metrics {
  return new Metrics({ maxSeries, inFlight: () => 5, bodyMemoryBytes: () => 4096, logLinesDropped: () => 1 });
}

/** Samples by name with labels, as written. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const samples = new Map<string, number>();
  for (const line of (await metrics.render()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' ');
    const name = line.slice(0, space);
    assert.ok(!samples.has(name), `${name} twice`);
    samples.set(name, Number(line.slice(space + 1)));
  }
  return samples;
}

const ci = 'model_name="openai-main/gpt-4o",tenant_name="default",username="virtualaccount:ci"';

test('requests, tokens, cost and latencies of records stand under the reference names', async () => {
  const metrics = newMetrics();
  const changes = { errorCode: undefined, errorDetail: undefined };
  addRecords(metrics, [fullRecord(changes), fullRecord({ ...changes, stream: false, overheadMs: 0.02 })]);
  const samples = await scrape(metrics);
  assert.equal(samples.get(`ai_gateway_requests_total{${ci},status_code="200"}`), 2);
  assert.equal(samples.get(`ai_gateway_input_tokens_total{${ci}}`), 200);
  assert.equal(samples.get(`ai_gateway_output_tokens_total{${ci}}`), 40);
  assert.equal(samples.get(`ai_gateway_request_cost_total{${ci}}`), 2.46913578);
  assert.equal(samples.get(`ai_gateway_request_processing_ms_bucket{le="1000",${ci}}`), 0);
  assert.equal(samples.get(`ai_gateway_request_processing_ms_bucket{le="2500",${ci}}`), 2);
  assert.equal(samples.get(`ai_gateway_request_processing_ms_bucket{le="+Inf",${ci}}`), 2);
  assert.equal(samples.get(`ai_gateway_request_processing_ms_sum{${ci}}`), 2000.25);
  assert.equal(samples.get(`ai_gateway_first_token_latency_ms_count{${ci}}`), 2);
  assert.equal(samples.get(`ai_gateway_inter_token_latency_ms_sum{${ci}}`), 24.5);
  assert.equal(samples.get('sluice_gateway_overhead_ms_bucket{le="0.02",stream="false"}'), 1);
  assert.equal(samples.get('sluice_gateway_overhead_ms_bucket{le="0.2",stream="true"}'), 0);
  assert.equal(samples.get('sluice_gateway_overhead_ms_bucket{le="0.3",stream="true"}'), 1);
});

test('every counter of a usage is in the metrics, in its own unit, and zeros make no series', async () => {
  const metrics = newMetrics();
  addRecords(metrics, [WHOLE_RECORD, WHOLE_RECORD]);
  const samples = await scrape(metrics);
  const labels = 'model_name="openai-main/gpt-4o",tenant_name="default",username="virtualaccount:ci"';
  const own: Partial<Record<CounterName, string>> = {
    inputTokens: `ai_gateway_input_tokens_total{${labels}}`,
    outputTokens: `ai_gateway_output_tokens_total{${labels}}`,
  };
  for (const name of COUNTER_NAMES) {
    const sample = own[name] ?? `sluice_usage_total{counter="${USAGE_COUNTERS[name].column}",${labels}}`;
    assert.equal(samples.get(sample), 2 * countIn(WHOLE_RECORD.usage, name)! || undefined, sample);
  }
});

test('exchanges of unknown cost are counted by what could not be priced, without what a provider called it', async () => {
  const metrics = newMetrics();
  const unknown = (part: string) => plainRecord({ unknownCost: { part } });
  addRecords(metrics, [unknown('service_tier=scale'), unknown('service_tier=x'), unknown('price')]);
  const samples = [...(await scrape(metrics))].filter(([name]) => name.startsWith('sluice_unknown_cost_total'));
  assert.deepEqual(samples, [
    ['sluice_unknown_cost_total{part="service_tier"}', 2],
    ['sluice_unknown_cost_total{part="price"}', 1],
  ]);
});

test('a metric that nobody counted is absent, and not zero', async () => {
  const metrics = newMetrics();
  addRecords(metrics, [plainRecord({ status: 401, outcome: 'error', errorCode: 'invalid_api_key' })]);
  const text = await metrics.render();
  assert.match(
    text,
    /^ai_gateway_requests_total\{model_name="",tenant_name="default",username="",status_code="401"\} 1$/m,
  );
  for (const name of ['input_tokens_total', 'request_cost_total', 'first_token_latency_ms_count'])
    assert.doesNotMatch(text, new RegExp(`^ai_gateway_${name}\\{`, 'm'));
});

test('a failure of a provider is an inference failure, and a refusal of ours is none', async () => {
  const metrics = newMetrics();
  addRecords(metrics, [
    fullRecord({ status: 504, outcome: 'error', errorCode: 'idle_timeout' }),
    fullRecord({ status: 403, outcome: 'error', errorCode: 'model_forbidden' }),
  ]);
  const failures = [...(await scrape(metrics))].filter(([name]) => name.includes('inference_failure'));
  assert.deepEqual(failures, [
    [`ai_gateway_request_model_inference_failure_total{${ci},error_code="504",exception_class="idle_timeout"}`, 1],
  ]);
});

test('a client that invents models makes a bounded number of series, and the rest is other', async () => {
  const metrics = newMetrics(20);
  for (let count = 0; count < 100; count++) {
    const status = 400 + (count % 20);
    addRecords(metrics, [fullRecord({ model: `open/${count}`, status, outcome: 'error', errorCode: 'idle_timeout' })]);
  }
  // A series that exists may not make more by its statuses either.
  for (let status = 200; status < 300; status++) addRecords(metrics, [fullRecord({ model: 'open/1', status })]);
  const samples = await scrape(metrics);
  for (const family of ['requests_total', 'request_model_inference_failure_total', 'input_tokens_total']) {
    const series = [...samples.keys()].filter((name) => name.startsWith(`ai_gateway_${family}{`));
    assert.equal(series.filter((name) => !name.includes('model_name="other"')).length, 10, family);
    assert.ok(series.some((name) => name.includes('model_name="other",tenant_name="default",username="other"')));
  }
  let requests = 0;
  for (const [name, value] of samples) if (name.startsWith('ai_gateway_requests_total')) requests += value;
  assert.equal(requests, 200);
});

const seriesOf = (samples: Map<string, number>, ...parts: string[]) =>
  [...samples.keys()].filter(
    (name) => name.startsWith('ai_gateway_requests_total{') && parts.every((part) => name.includes(part)),
  );

test('the models that one caller invents leave room for those of others, which are named', async () => {
  const metrics = newMetrics();
  const callers = ['user:junk', ...Array.from({ length: 5 }, (_, index) => `user:${index}`)];
  for (const subject of callers) {
    for (let count = 0; count < 1200; count++) addRecords(metrics, [fullRecord({ subject, model: `open/${count}` })]);
  }
  const samples = await scrape(metrics);
  const named = callers.map((subject) => seriesOf(samples, `username="${subject}"`).length);
  assert.deepEqual(named, [500, 250, 125, 63, 31, 16]);
  addRecords(metrics, [fullRecord({ subject: 'user:late', model: 'real/model' })]);
  assert.equal(seriesOf(await scrape(metrics), 'model_name="real/model"', 'username="user:late"').length, 1);
});

test('a model is named once it was served: made-up ones do not push a caller’s own real model out', async () => {
  const metrics = newMetrics();
  const junk = { status: 404, outcome: 'error', errorCode: 'upstream_rejected' } as const;
  for (let count = 0; count < 1200; count++) addRecords(metrics, [fullRecord({ ...junk, model: `open/${count}` })]);
  addRecords(metrics, [
    fullRecord({ model: 'open/real', errorCode: undefined }),
    fullRecord({ ...junk, model: 'open/real' }),
    fullRecord({ model: 'open/down', status: 502, outcome: 'error', errorCode: 'upstream_failed' }),
    fullRecord({ model: 'open/left', status: 499, outcome: 'client-closed', errorCode: 'client_closed' }),
  ]);
  const samples = await scrape(metrics);
  for (const model of ['open/real', 'open/down', 'open/left'])
    assert.ok(seriesOf(samples, `"${model}"`).length > 0, model);
  assert.equal(seriesOf(samples, '"open/real"').length, 2, 'once it is named, its faults are counted under its name');
  const others = seriesOf(samples, 'model_name="other"', 'username="virtualaccount:ci"');
  assert.equal(others.length, 1);
  assert.equal(samples.get(others[0]!), 1200);
});

test('a label that a client chose is escaped and cut', async () => {
  const metrics = newMetrics();
  addRecords(metrics, [fullRecord({ model: `a"b\\c\nd${'x'.repeat(1000)}` })]);
  const text = await metrics.render();
  assert.match(text, /^ai_gateway_requests_total\{model_name="a\\"b\\\\c\\ndx{249}",/m);
});

test('metrics of threads, configuration and gauges are shown, and those of a stopped thread are not', async () => {
  const metrics = newMetrics();
  const eventLoopDelayMs = { p50: 0.5, p99: 2, max: 8 };
  const stats = {
    eventLoopDelayMs,
    eventLoopUtilization: 0.25,
    upstreamConnections: 7,
    upstreamQueued: 0,
    countersAwayRequests: 5,
    settlementsDropped: 0,
  };
  metrics.setThread({ thread: 1, ...stats, recordsDropped: 3 });
  metrics.setThread({ thread: 2, ...stats, recordsDropped: 0 });
  metrics.threadStopped(2);
  metrics.configLoaded(1_764_000_000_000);
  metrics.configFailed(1_764_000_001_500);
  const samples = await scrape(metrics);
  assert.equal(samples.get('sluice_event_loop_delay_ms{thread="1",quantile="p99"}'), 2);
  assert.equal(samples.get('sluice_event_loop_utilization_ratio{thread="1"}'), 0.25);
  assert.equal(samples.get('sluice_upstream_connections{thread="1"}'), 7);
  assert.equal(samples.get('sluice_records_dropped_total{thread="1"}'), 3);
  assert.ok(![...samples.keys()].some((name) => name.includes('thread="2"')));
  assert.equal(samples.get('sluice_in_flight'), 5);
  assert.equal(samples.get('sluice_body_memory_bytes'), 4096);
  assert.equal(samples.get('ai_gateway_config_parsing_failures_total'), 1);
  assert.equal(samples.get('sluice_config_loaded_timestamp_seconds'), 1_764_000_000);
  assert.equal(samples.get('sluice_config_failed_timestamp_seconds'), 1_764_000_001.5);
  assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 1e6);
});

test('an event loop that was blocked shows it, once', async () => {
  const probe = new EventLoopProbe();
  const turn = () => new Promise((resolve) => setTimeout(resolve, 25));
  await turn();
  // A busy machine blocks a calm loop as well.
  const calmMs = await leastOf(50, async () => {
    probe.read();
    await turn();
    const until = performance.now() + 120;
    while (performance.now() < until);
    await turn();
    const blocked = probe.read();
    assert.ok(blocked.eventLoopDelayMs.max > 50, JSON.stringify(blocked));
    assert.ok(blocked.eventLoopUtilization > 0.1, JSON.stringify(blocked));
    await turn();
    return probe.read().eventLoopDelayMs.max;
  });
  assert.ok(calmMs < 50, `${calmMs} ms`);
  probe.stop();
});

test('a scrape of a thousand callers is written in many turns, each family with one heading, in text and bytes alike', async () => {
  const metrics = newMetrics(1001);
  const callers = Array.from({ length: 1000 }, (_, at) => fullRecord({ subject: `user:${at}@example.com` }));
  addRecords(metrics, callers);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const bytes = await metrics.renderBytes();
  isOver = true;
  assert.ok(turns >= 10, `${turns} turns`);
  const changing = /^(process_|sluice_thread|sluice_event_loop|nodejs_|sluice_heap)/;
  const lasting = (text: string) => text.split('\n').filter((line) => !changing.test(line));
  const lines = lasting(bytes.toString());
  assert.deepEqual(lines, lasting(await metrics.render()));
  const headings = lines.filter((line) => line.startsWith('# TYPE '));
  assert.equal(new Set(headings).size, headings.length);
  assert.equal(lines.filter((line) => line.startsWith('ai_gateway_request_processing_ms_count{')).length, 1000);
});
