import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OtelSettings, SpanNames } from '../../../src/config/server/otel.ts';
import { continueTrace, parseTraceparent } from '../../../src/core/trace-context.ts';
import { exchangeSpans as toSpans } from '../../../src/otel/exchange-spans.ts';
import { ListedSpans } from '../../../src/otel/listed-spans.ts';
import type { KeyValue, Span } from '../../../src/otel/otlp-message.ts';
import { isSampled } from '../../../src/otel/sampling.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { fullRecord } from '../telemetry/records.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function record(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  const plain: Partial<ExchangeRecord> = {
    outcome: 'ok',
    status: 200,
    errorCode: undefined,
    attempts: 1,
    attemptsJson: undefined,
    traceparent: undefined,
    guardrailsJson: undefined,
    startedAt: 1_700_000_000_000,
    durationMs: 100,
    upstreamMs: 60,
    costNanoUsd: 2_000_000,
    path: '/chat/completions',
    target: 'main/gpt-4o',
    provider: 'openai',
  };
  return fullRecord({ ...plain, ...changes } as Partial<ExchangeRecord>);
}

function exchangeSpans(of: ExchangeRecord, names: SpanNames): Span[] {
  const into = new ListedSpans();
  toSpans(of, names, into);
  return into.spans;
}

const attributeOf = ({ attributes }: Span, key: string): KeyValue['value'] | undefined =>
  attributes.find((attribute) => attribute.key === key)?.value;
const spanMs = ({ startTimeUnixNano, endTimeUnixNano }: Span): number =>
  Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;

describe('spans of an exchange', () => {
  it('a guard that was asked is a span of its own below that of the exchange', () => {
    const guardrailsJson = JSON.stringify([
      { guardrail: 'g/pii', hook: 'llm-output', operation: 'mutate', strategy: 'enforce', result: 'mutated', ms: 4 },
    ]);
    const [server, guard] = exchangeSpans(record({ guardrailsJson }), 'genai');
    assert.ok(server && guard);
    assert.deepEqual([guard.name, guard.parentSpanId, spanMs(guard)], ['guardrail g/pii', server.spanId, 4]);
    assert.deepEqual(attributeOf(guard, 'guardrail.result'), { stringValue: 'mutated' });
    assert.equal(guard.endTimeUnixNano, server.endTimeUnixNano);
  });

  it('one exchange is a SERVER span with a CLIENT span of the same trace below it', () => {
    const [server, client, ...more] = exchangeSpans(record(), 'genai');
    assert.ok(server && client && more.length === 0);
    assert.equal(server.kind, 2);
    assert.equal(server.parentSpanId, undefined);
    assert.equal(client.kind, 3);
    assert.equal(client.traceId, server.traceId);
    assert.equal(client.parentSpanId, server.spanId);
    assert.deepEqual([server.name, client.name], ['POST /chat/completions', 'chat gpt-4o']);
    assert.deepEqual([spanMs(server), spanMs(client)], [100, 60]);
    assert.match(server.traceId, /^[0-9a-f]{32}$/);
    assert.match(client.spanId, /^[0-9a-f]{16}$/);
  });

  it("the client's trace goes on, and the provider is told the exchange's span as its parent", () => {
    const exchange = record({ traceparent: PARENT });
    const [server] = exchangeSpans(exchange, 'genai');
    assert.equal(server?.traceId, '0af7651916cd43dd8448eb211c80319c');
    assert.equal(server?.parentSpanId, 'b7ad6b7169203331');
    const headers = { traceparent: PARENT, tracestate: 'a=b' } as Parameters<typeof continueTrace>[0];
    continueTrace(headers, exchange.id);
    assert.equal(headers.traceparent, `00-${server?.traceId}-${server?.spanId}-01`);
    assert.equal(headers.clientTraceparent, PARENT);
    assert.equal(headers.tracestate, 'a=b');
  });

  it('a malformed traceparent begins a trace of its own, without the tracestate', () => {
    for (const traceparent of [
      '',
      'x',
      PARENT.toUpperCase(),
      PARENT.replace(/^00/, 'ff'),
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    ]) {
      assert.equal(parseTraceparent(traceparent), undefined);
      const headers = { traceparent, tracestate: 'a=b' } as Parameters<typeof continueTrace>[0];
      continueTrace(headers, 'ex_1');
      assert.match(headers.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.deepEqual([headers.clientTraceparent, headers.tracestate], [undefined, undefined]);
    }
  });

  it('each attempt is a span with its target, its error and its time; only the last one has usage', () => {
    const attemptsJson = JSON.stringify([
      { target: 'a/one', error: 'upstream_timeout', ms: 20 },
      { target: 'b/two', error: 'upstream_error', ms: 10 },
    ]);
    const [, first, second, last] = exchangeSpans(record({ attempts: 3, attemptsJson }), 'genai');
    assert.ok(first && second && last);
    assert.deepEqual([first, second, last].map(spanMs), [20, 10, 60]);
    assert.deepEqual(
      [first, second, last].map(({ name }) => name),
      ['chat one', 'chat two', 'chat gpt-4o'],
    );
    assert.equal(first.status?.message, 'upstream_timeout');
    assert.equal(attributeOf(first, 'gen_ai.usage.input_tokens'), undefined);
    assert.notEqual(attributeOf(last, 'gen_ai.usage.input_tokens'), undefined);
    assert.equal(new Set([first, second, last].map(({ spanId }) => spanId)).size, 3);
  });

  it('a refused request is one span, which is no failure of the server where the client is at fault', () => {
    const refused = exchangeSpans(
      record({ attempts: 0, status: 404, outcome: 'error', errorCode: 'model_not_found' }),
      'both',
    );
    assert.equal(refused.length, 1);
    assert.equal(refused[0]?.status, undefined);
    assert.deepEqual(attributeOf(refused[0]!, 'error.type'), { stringValue: 'model_not_found' });
    const [failed] = exchangeSpans(record({ status: 502, outcome: 'error', errorCode: 'upstream_error' }), 'both');
    assert.equal(failed?.status?.code, 2);
  });

  it('names are those of GenAI, of OpenInference or of both, and gen_ai.* stands on attempts alone', () => {
    const has = (names: 'genai' | 'openinference' | 'both', key: string) => {
      const [server, client] = exchangeSpans(record(), names);
      assert.ok(!server?.attributes.some((one) => one.key.startsWith('gen_ai.') || one.key.startsWith('llm.')));
      return client?.attributes.some((one) => one.key === key);
    };
    assert.deepEqual(
      (['genai', 'openinference', 'both'] as const).map((names) => [
        has(names, 'gen_ai.request.model'),
        has(names, 'llm.model_name'),
      ]),
      [
        [true, false],
        [false, true],
        [true, true],
      ],
    );
  });

  it('the rules that applied are named by their ids', () => {
    const rulesJson = JSON.stringify({
      ratelimit: ['few', 'all'],
      budget: ['team'],
      routing: { model: 'v/m', hops: [] },
    });
    const [server] = exchangeSpans(record({ rulesJson }), 'genai');
    const ids = (name: string) =>
      attributeOf(server!, `applied_${name}_rule_ids`)?.arrayValue?.values.map(({ stringValue }) => stringValue);
    assert.deepEqual(['ratelimit', 'budget', 'loadbalance'].map(ids), [['few', 'all'], ['team'], ['v/m']]);
  });

  it('providers have the names of the conventions', () => {
    const named = (provider: string) => {
      const [, client] = exchangeSpans(record({ provider }), 'genai');
      return client && attributeOf(client, 'gen_ai.provider.name')?.stringValue;
    };
    assert.deepEqual(['openai', 'aws-bedrock', 'google-vertex'].map(named), ['openai', 'aws.bedrock', 'gcp.vertex_ai']);
  });
});

describe('sampling', () => {
  const settings: OtelSettings = {
    sampleRatio: 0,
    keepSlowerThanMs: 1000,
    keepCostlierThanUsd: 1,
    names: 'genai',
    maxQueuedSpans: 1,
    timeoutMs: 1,
    metricsIntervalMs: 1000,
  };

  it('failures, slow and costly exchanges and what the client samples are always kept', () => {
    assert.equal(isSampled(record(), settings), false);
    for (const kept of [
      { outcome: 'error' as const },
      { outcome: 'cut' as const },
      { durationMs: 1001 },
      { costNanoUsd: 1_000_000_001 },
      { traceparent: PARENT },
    ])
      assert.equal(isSampled(record(kept), settings), true, JSON.stringify(kept));
    assert.equal(isSampled(record({ traceparent: PARENT.replace(/01$/, '00') }), settings), false);
  });

  it('the asked share of all other exchanges is kept, and the same trace always alike', () => {
    const kept = (sampleRatio: number) =>
      Array.from({ length: 4000 }, (_, at) =>
        isSampled(record({ id: `ex_${at}` }), { ...settings, sampleRatio }),
      ).filter(Boolean).length;
    assert.equal(kept(1), 4000);
    assert.ok(Math.abs(kept(0.1) - 400) < 80, String(kept(0.1)));
    assert.equal(kept(0.1), kept(0.1));
  });
});
