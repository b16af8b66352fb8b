/**
 * Stages 2 to 8 without a socket: from a body that was read to the record that was handed over. What it costs beyond
 * this is the edge, undici and the kernel. One run is one exchange; nothing waits, so the whole of it is our JavaScript.
 */
import assert from 'node:assert/strict';
import { AnswerCache } from '../src/cache/answer-cache.ts';
import { SharedAnswers } from '../src/cache/shared-answers.ts';
import type { GuardConfig } from '../src/config/guardrails/guardrails.ts';
import { Sweeper } from '../src/core/sweeper.ts';
import type { Dialect } from '../src/dialects/dialect.ts';
import { openAiChat } from '../src/dialects/openai-chat/index.ts';
import { createGuardrails, type Guardrails } from '../src/guardrails/guardrails.ts';
import { DeadlineRunner } from '../src/guardrails/runner.ts';
import { NO_LIMITS } from '../src/limits/admission.ts';
import { runInference } from '../src/pipeline/pipeline.ts';
import type { PipelineOptions } from '../src/pipeline/pipeline-options.ts';
import { Callers } from '../src/policy/caller.ts';
import type { ProviderAccount, Target } from '../src/providers/provider.ts';
import { ModelRoutes } from '../src/routing/model-routes.ts';
import type { ExchangeRecord } from '../src/telemetry/exchange-record.ts';
import { RecordBatcher } from '../src/telemetry/record-batch.ts';
import { SharedCounters } from '../src/threads/shared-counters.ts';
import { OriginPools } from '../src/upstream/origin-pools.ts';
import { compilePrice } from '../src/usage/price-table.ts';
import { type BenchTask, subjectOf, task } from './harness/subject.ts';
import { chatEvents, usage, wholeAnswer } from './inputs/chat-answer.ts';
import { bytesOf, MODEL, smallRequest } from './inputs/chat-request.ts';
import { FakeExchange } from './inputs/fake-exchange.ts';
import { type CannedAnswer, InstantPools, instantResponder, type Sent } from './inputs/instant-upstream.ts';
import { openAiAccount } from './inputs/openai-account.ts';
import { settings } from './inputs/settings.ts';

/** What OpenAI sends with every answer. */
const providerHeaders = {
  date: 'Tue, 25 Nov 2025 12:00:00 GMT',
  'transfer-encoding': 'chunked',
  connection: 'keep-alive',
  'openai-organization': 'bench',
  'openai-processing-ms': '212',
  'openai-version': '2020-10-01',
  'x-ratelimit-limit-requests': '10000',
  'x-ratelimit-limit-tokens': '30000000',
  'x-ratelimit-remaining-requests': '9999',
  'x-ratelimit-remaining-tokens': '29999000',
  'x-ratelimit-reset-requests': '6ms',
  'x-ratelimit-reset-tokens': '0s',
  'x-request-id': 'req_0123456789abcdef0123456789abcdef',
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
  server: 'cloudflare',
};

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export const inputs = {
  request: bytesOf(smallRequest()),
  streamRequest: bytesOf(smallRequest({ stream: true })),
  whole: {
    headers: { ...providerHeaders, 'content-type': 'application/json' },
    chunks: [bytesOf(wholeAnswer('An event loop: a thread each costs memory for nothing but waiting. '.repeat(4)))],
  },
  stream: {
    headers: { ...providerHeaders, 'content-type': 'text/event-stream; charset=utf-8' },
    chunks: chatEvents('with usage'),
  },
};

export const subject = subjectOf([
  answeredInside('whole answer', inputs.request, inputs.whole),
  answeredInside('stream of 100 chunks', inputs.streamRequest, inputs.stream),
  overAttempt('whole answer, over an attempt', inputs.request, inputs.whole),
  overAttempt('stream of 100 chunks, over an attempt', inputs.streamRequest, inputs.stream),
  guarded('stream of 100 chunks, guarded for secrets', [{ kind: 'secret-detection' }]),
  guarded('stream of 100 chunks, guarded for secrets and personal data', [
    { kind: 'secret-detection' },
    { kind: 'tfy-pii', config: { pii_categories: ['*'] } },
  ]),
  fromCache('whole answer, from the cache', inputs.request, inputs.whole),
  fromCache('stream of 100 chunks, from the cache', inputs.streamRequest, inputs.stream),
  refusedModel(),
]);

interface Exchanged {
  readonly exchange: FakeExchange;
  readonly sent: Sent;
  readonly record: ExchangeRecord | undefined;
}

function answeredInside(name: string, body: Buffer, answer: CannedAnswer): BenchTask {
  const sent: Sent = { path: '', headers: [], body: Buffer.alloc(0) };
  const pools = new OriginPools(settings.limits, settings.timeouts);
  return exchanges(name, body, answer, { local: instantResponder(answer, sent) }, pools, sent);
}

function overAttempt(name: string, body: Buffer, answer: CannedAnswer): BenchTask {
  const sent: Sent = { path: '', headers: [], body: Buffer.alloc(0) };
  const pools = new InstantPools(settings.limits, settings.timeouts, answer, sent);
  return exchanges(name, body, answer, {}, pools, sent);
}

function exchanges(
  name: string,
  body: Buffer,
  answer: CannedAnswer,
  change: Partial<Target>,
  pools: OriginPools,
  sent: Sent,
): BenchTask {
  const run = exchangeRunner(openAiAccount(change), pools, sent);
  return task({
    name,
    bytes: body.length + Buffer.concat(answer.chunks).length,
    run: () => run(openAiChat, body),
    check: (exchanged) => assertAnswered(exchanged, body, answer),
  });
}

/** As `stream of 100 chunks`, by which it is to be judged. */
function guarded(name: string, guards: readonly (Pick<GuardConfig, 'kind'> & Partial<GuardConfig>)[]): BenchTask {
  const configs = guards.map(
    (each): GuardConfig => ({
      name: `g/${each.kind}`,
      operation: 'mutate',
      priority: 0,
      strategy: 'enforce',
      config: {},
      ...each,
    }),
  );
  const rule = {
    id: 'all',
    when: {},
    guards: { 'llm-input': [], 'llm-output': configs.map((each) => each.name), 'mcp-pre': [], 'mcp-post': [] },
    onStreams: 'hold' as const,
  };
  const guardrails = createGuardrails(
    { guards: configs, guardrailRules: [rule], guardrailSettings: { timeoutMs: 1_000, parallel: true } },
    new DeadlineRunner(),
    { http: () => Promise.reject(new Error('nobody is asked')), credentialOf: () => undefined },
  );
  const sent: Sent = { path: '', headers: [], body: Buffer.alloc(0) };
  const pools = new OriginPools(settings.limits, settings.timeouts);
  const account = openAiAccount({ local: instantResponder(inputs.stream, sent) });
  const run = exchangeRunner(account, pools, sent, { guardrails });
  return task({
    name,
    bytes: inputs.streamRequest.length + Buffer.concat(inputs.stream.chunks).length,
    run: () => run(openAiChat, inputs.streamRequest),
    check: (exchanged) => {
      assertAnswered(exchanged, inputs.streamRequest, inputs.stream);
      assert.match(exchanged.record?.guardrailsJson ?? '', /"passed"/);
    },
  });
}

/** The same bytes as over an attempt, which the first run has put there. */
function fromCache(name: string, body: Buffer, answer: CannedAnswer): BenchTask {
  const sent: Sent = { path: '', headers: [], body: Buffer.alloc(0) };
  const pools = new InstantPools(settings.limits, settings.timeouts, answer, sent);
  const run = exchangeRunner(openAiAccount({}), pools, sent, {
    tfy: { 'x-tfy-cache-config': '{"ttl":3600}' },
  });
  run(openAiChat, body);
  return task({
    name,
    bytes: body.length + Buffer.concat(answer.chunks).length,
    run: () => run(openAiChat, body),
    check: ({ exchange, record }) => {
      const { sink } = exchange;
      assert.deepEqual([exchange.finished, sink.status, sink.ending], [1, 200, 'ended']);
      assert.equal(sink.headers['x-tfy-cache-status'], 'hit');
      assert.equal(record?.costNanoUsd, 0);
    },
  });
}

/** What an exchange costs that is refused by a rule: nothing is relayed. */
function refusedModel(): BenchTask {
  const sent: Sent = { path: '', headers: [], body: Buffer.alloc(0) };
  const pools = new OriginPools(settings.limits, settings.timeouts);
  const run = exchangeRunner(openAiAccount({}), pools, sent);
  const body = bytesOf(smallRequest({ model: 'openai-main/../secret' }));
  return task({
    name: 'refused: no such model',
    run: () => run(openAiChat, body),
    check: ({ exchange, record }) => {
      assert.equal(exchange.refusal?.code, 'invalid_model');
      assert.equal(exchange.finished, 1);
      assert.equal(record, undefined);
    },
  });
}

/** Built as a relay thread builds it. */
function exchangeRunner(
  account: ProviderAccount,
  pools: OriginPools,
  sent: Sent,
  more: { guardrails?: Guardrails; tfy?: Record<string, string> } = {},
) {
  const { guardrails, tfy } = more;
  const routes = new ModelRoutes([account], { models: () => [], has: () => false });
  const prices = new Map(account.listed.map((target) => [target, compilePrice(target.price)]));
  const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
  const callers = new Callers({ identities, metadataRules: [], accounts: [] });
  const snapshot = {
    settings,
    routes,
    callers,
    limits: NO_LIMITS,
    guardrails,
    exportsTraces: false,
    price: (target: Target) => prices.get(target)!,
  };
  const batch = new RecordBatcher({ send: () => undefined });
  let record: ExchangeRecord | undefined;
  const options: PipelineOptions = {
    thread: 0,
    log: silent,
    pools,
    sweeper: new Sweeper(),
    spoolFolder: '',
    sharedMemory: new SharedCounters(1, 0),
    cache: new AnswerCache({
      memory: new SharedAnswers(16_777_216, 0),
      remote: undefined,
      sharedMemory: new SharedCounters(1, 0),
    }),
    translateHeavy: () => Promise.reject(new Error('nothing large is asked')),
    heavyAnswers: () => Promise.reject(new Error('nothing large is asked')),
    estimate: async () => assert.fail('the provider says what it used'),
    snapshot: () => snapshot,
    record: (each) => {
      record = each;
      batch.add(each);
    },
    provisional: undefined,
    refusal: () => undefined,
    credentialRefused: () => undefined,
    refused: () => undefined,
  };
  return (dialect: Dialect, body: Buffer): Exchanged => {
    record = undefined;
    const exchange = new FakeExchange(body, dialect);
    if (tfy) exchange.headers = { ...exchange.headers, tfy };
    runInference(exchange, dialect, options);
    return { exchange, sent, record };
  };
}

function assertAnswered({ exchange, sent, record }: Exchanged, body: Buffer, answer: CannedAnswer): void {
  const { sink } = exchange;
  const asked = JSON.parse(body.toString());
  const streamed = asked.stream === true;
  const question = { ...asked, model: 'gpt-4o', ...(streamed ? { stream_options: { include_usage: true } } : {}) };
  assert.deepEqual(JSON.parse(sent.body.toString()), question);
  assert.equal(sent.path, '/v1/chat/completions');

  assert.deepEqual([exchange.refusal, exchange.finished, sink.status, sink.ending], [undefined, 1, 200, 'ended']);
  // The client did not ask for the usage event, which is the last but one.
  const { chunks } = answer;
  const expected = streamed ? chunks.filter((_, index) => index !== chunks.length - 2) : chunks;
  assert.deepEqual(Buffer.concat(sink.written), Buffer.concat(expected));
  assert.equal(sink.headers['x-tfy-resolved-model'], MODEL);
  assert.equal(sink.headers['x-ratelimit-remaining-requests'], '9999');

  assert.equal(record?.outcome, 'ok');
  assert.equal(record.target, MODEL);
  assert.equal(record.usage?.inputTokens, usage.prompt_tokens);
  assert.equal(record.usage?.outputTokens, usage.completion_tokens);
  // 56 fresh and 64 cached input tokens, 100 output tokens, at 2.5, 1.25 and 10 USD per million.
  assert.equal(record.costNanoUsd, 56 * 2_500 + 64 * 1_250 + 100 * 10_000);
}
