import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, startGateway } from '../support/gateway.ts';
import { startCollector, startGrpcCollector } from '../support/otlp-collector.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';
import { fieldsOf } from '../unit/otel/protobuf-tree.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let provider: FakeProvider;
const heard: (string | undefined)[] = [];
before(async () => {
  provider = await startProvider((request, response) => {
    heard.push(request.headers.traceparent as string | undefined);
    sendJson(response, 200, completion('yes'));
  });
});
after(() => provider?.[Symbol.asyncDispose]());

/** Until the end of the test. */
async function kept<T extends AsyncDisposable>(t: TestContext, starting: Promise<T>): Promise<T> {
  const started = await starting;
  t.after(() => started[Symbol.asyncDispose]());
  return started;
}

const accountOf = () => openAccount('main', `${provider.origin}/v1`);
const traces = (config: object) => ({ type: 'gateway-otel-config', otel_traces_exporter_config: config });

test('an exchange is one SERVER and one CLIENT span in JSON, in the trace of the client, which goes on to the provider', async (t) => {
  const collector = await kept(t, startCollector());
  const endpoint = `http://127.0.0.1:${collector.port}`;
  const exporter = {
    type: 'http',
    endpoint,
    encoding: 'json',
    headers: { authorization: 'Basic abc' },
    additional_resource_attributes: { 'deployment.environment.name': 'test' },
  };
  const gateway = await kept(t, startGateway({ manifests: [accountOf(), traces(exporter)] }));
  heard.length = 0;
  const answer = await ask(gateway, { model: 'main/gpt-4o', messages }, { headers: { traceparent: PARENT } });
  await answer.text();
  await eventually('an export', async () => collector.exports.length > 0, 10_000);
  const [{ path, headers, body }] = collector.exports as [(typeof collector.exports)[number]];
  assert.equal(path, '/v1/traces');
  assert.equal(headers.authorization, 'Basic abc');
  const [{ resource, scopeSpans }] = JSON.parse(body.toString()).resourceSpans;
  const named = (attributes: { key: string; value: { stringValue: string } }[]) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
  assert.equal(named(resource.attributes)['deployment.environment.name'], 'test');
  assert.equal(named(resource.attributes)['service.name'], 'sluice');
  const [server, client, ...more] = scopeSpans[0].spans;
  assert.equal(more.length, 0);
  assert.deepEqual([server.traceId, server.parentSpanId], ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']);
  assert.deepEqual([client.traceId, client.parentSpanId], [server.traceId, server.spanId]);
  assert.deepEqual(heard, [`00-${server.traceId}-${server.spanId}-01`]);
  const attributes = named(client.attributes);
  assert.equal(attributes['gen_ai.request.model'], 'gpt-4o');
  assert.equal(attributes['gen_ai.usage.input_tokens'], '5');
  assert.equal(attributes['gen_ai.usage.output_tokens'], '7');
  assert.equal(named(server.attributes)['sluice.exchange_id'], answer.headers.get('x-sluice-exchange-id'));
  assert.equal(await gateway.stop(), 0);
});

test('a request that is passed as it is goes on in the trace of its client, too', async (t) => {
  const collector = await kept(t, startCollector());
  const endpoint = { name: 'own', type: 'integration/model/custom-endpoint', base_url: provider.origin };
  const account = { type: 'provider-account/custom-endpoint', name: 'speech', integrations: [endpoint] };
  const exporter = { type: 'http', endpoint: `http://127.0.0.1:${collector.port}`, encoding: 'json' };
  const gateway = await kept(t, startGateway({ manifests: [account, traces(exporter)] }));
  heard.length = 0;
  const path = '/proxy-api/speech/own/any';
  await (await ask(gateway, { any: 'thing' }, { path, headers: { traceparent: PARENT } })).text();
  assert.equal(await gateway.stop(), 0);
  const [{ scopeSpans }] = JSON.parse(collector.exports[0]!.body.toString()).resourceSpans;
  const [server, client] = scopeSpans[0].spans;
  assert.deepEqual([server.traceId, server.parentSpanId], [PARENT.slice(3, 35), PARENT.slice(36, 52)]);
  assert.equal(client.parentSpanId, server.spanId);
  assert.deepEqual(heard, [`00-${server.traceId}-${server.spanId}-01`]);
});

test('spans go as protobuf over HTTP, and over gRPC, and only those that the conditions ask for', async (t) => {
  const collector = await kept(t, startCollector());
  const grpc = await kept(t, startGrpcCollector());
  const only = { field: 'spanAttributes', key: 'tfy.request.model_name', operator: 'IN', value: ['main/other'] };
  const gateway = await kept(
    t,
    startGateway({
      manifests: [
        accountOf(),
        traces({ type: 'http', endpoint: `http://127.0.0.1:${collector.port}/v1/traces`, encoding: 'proto' }),
        traces({ type: 'grpc', endpoint: `127.0.0.1:${grpc.port}`, when: [only] }),
      ],
    }),
  );
  for (const model of ['main/gpt-4o', 'main/other']) await (await ask(gateway, { model, messages })).text();
  // What waits is sent at the end.
  assert.equal(await gateway.stop(), 0);
  const spanNames = (bodies: Buffer[]) =>
    bodies.flatMap((body) => fieldsOf(body, 1, 2, 2, 5).map((name) => name.toString())).toSorted();
  assert.deepEqual(new Set(collector.exports.map(({ path }) => path)), new Set(['/v1/traces']));
  assert.ok(collector.exports.every(({ headers }) => headers['content-type'] === 'application/x-protobuf'));
  const server = 'POST /chat/completions';
  assert.deepEqual(spanNames(collector.exports.map(({ body }) => body)), [server, server, 'chat gpt-4o', 'chat other']);
  assert.equal(grpc.exports[0]?.path, '/opentelemetry.proto.collector.trace.v1.TraceService/Export');
  assert.deepEqual(spanNames(grpc.exports.map(({ body }) => body)), [server, 'chat other']);
});

test('a collector that is away costs spans, which are counted, and no answer', async (t) => {
  const gateway = await kept(
    t,
    startGateway({
      server: { otel: { max_queued_spans: 4, timeout_ms: 500 } },
      manifests: [accountOf(), traces({ type: 'http', endpoint: 'http://127.0.0.1:1', encoding: 'proto' })],
    }),
  );
  for (let at = 0; at < 20; at += 1) {
    assert.equal((await ask(gateway, { model: 'main/gpt-4o', messages })).status, 200);
  }
  await eventually(
    'drops',
    async () => (await gateway.metric('ai_gateway_span_drops_total', { reason: 'queue_full' })) > 20,
    10_000,
  );
  await eventually('all spans', async () => (await gateway.metric('ai_gateway_spans_accepted_total')) === 40, 10_000);
  await eventually('the log says so', () => gateway.output().includes('the collector took nothing'));
  assert.equal(await gateway.stop(), 0);
});

test('metrics are exported as they are scraped, and a reload moves them to another collector', async (t) => {
  const one = await kept(t, startCollector());
  const other = await kept(t, startCollector());
  const config = ({ port }: { port: number }) => ({
    type: 'gateway-otel-config',
    otel_metrics_exporter_config: { type: 'http', endpoint: `http://127.0.0.1:${port}`, encoding: 'json' },
  });
  const server = { otel: { metrics_interval_ms: 1000 } };
  const gateway = await kept(t, startGateway({ server, manifests: [accountOf(), config(one)] }));
  await (await ask(gateway, { model: 'main/gpt-4o', messages })).text();
  const requests = (body: Buffer): { asDouble: number }[] =>
    JSON.parse(body.toString()).resourceMetrics[0].scopeMetrics[0].metrics.find(
      ({ name }: { name: string }) => name === 'ai_gateway_requests_total',
    )?.sum.dataPoints ?? [];
  const seen = ({ exports }: typeof one) =>
    exports.some(({ body }) => requests(body).some(({ asDouble }) => asDouble === 1));
  await eventually('the request in the metrics', async () => seen(one), 10_000);
  assert.equal(one.exports[0]?.path, '/v1/metrics');
  await gateway.configure([accountOf(), config(other)], server);
  await eventually('the request in the metrics elsewhere', async () => seen(other), 10_000);
});
