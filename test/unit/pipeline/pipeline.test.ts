import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiAccount } from '../../../bench/inputs/openai-account.ts';
import { settings } from '../../../bench/inputs/settings.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { Sweeper } from '../../../src/core/sweeper.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import {
  type Admission,
  type AdmissionOutcome,
  type AdmissionRequest,
  type Limits,
  NOTHING_HELD,
  Refused,
} from '../../../src/limits/admission.ts';
import { runInference } from '../../../src/pipeline/pipeline.ts';
import type { PipelineOptions } from '../../../src/pipeline/pipeline-options.ts';
import { Callers } from '../../../src/policy/caller.ts';
import type { AttemptHandler, LocalResponder } from '../../../src/providers/provider.ts';
import { ModelRoutes } from '../../../src/routing/model-routes.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { compilePrice } from '../../../src/usage/price-table.ts';
import { StrictExchange } from '../relay/fake-exchange.ts';
import { limits, timeouts } from '../relay/local-provider.ts';

const REQUEST = Buffer.from('{"model": "openai-main/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}');
const ANSWER = '{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}';
const UNCOUNTED = '{"choices": [{"message": {"content": "hello"}}]}';
const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };

const whole =
  (body: string, status = 200) =>
  (handler: AttemptHandler): void => {
    handler.started(status, { 'content-type': 'application/json' });
    handler.chunk(Buffer.from(body));
    handler.ended();
  };

/** An admission that writes down how it is settled. */
class CountedAdmission implements Admission {
  readonly rulesJson = undefined;
  readonly chargesJson = undefined;
  readonly reservedNanoUsd = undefined;
  readonly allowance = undefined;
  readonly outcomes: AdmissionOutcome[] = [];
  over(): void {}
  settle(outcome: AdmissionOutcome): void {
    this.outcomes.push(outcome);
  }
}

interface Asked {
  readonly answer?: (handler: AttemptHandler) => void;
  readonly admit?: Limits['admit'];
  readonly options?: Partial<PipelineOptions>;
}

/** One request through the pipeline, to a provider inside the process. */
function ask({ answer = whole(ANSWER), admit = () => NOTHING_HELD, options }: Asked) {
  const local: LocalResponder = (_request, handler) => {
    queueMicrotask(() => answer(handler));
    return { pause: () => {}, resume: () => {}, abort: () => {} };
  };
  const account = openAiAccount({ local });
  const told: string[] = [];
  const records: ExchangeRecord[] = [];
  const refused: GatewayError[] = [];
  const exchange = new StrictExchange(REQUEST, openAiChat);
  const price = compilePrice(account.listed[0]!.price);
  const log = (_fields: object, message: string): void => {
    told.push(message);
  };
  runInference(exchange, openAiChat, {
    thread: 0,
    log: { debug: log, info: log, warn: log, error: log },
    pools: new OriginPools(limits, timeouts),
    sweeper: new Sweeper(),
    spoolFolder: '',
    estimate: async () => undefined,
    translateHeavy: () => Promise.reject(new Error('nothing is large')),
    heavyAnswers: () => Promise.reject(new Error('nothing is large')),
    snapshot: () => ({
      settings,
      routes: new ModelRoutes([account], { models: () => [], has: () => false }),
      callers: new Callers({ identities, metadataRules: [], accounts: [] }),
      limits: { admit },
      exportsTraces: false,
      price: () => price,
    }),
    record: (record) => records.push(record),
    provisional: undefined,
    refusal: () => undefined,
    sharedMemory: new SharedCounters(1, 0),
    credentialRefused: () => assert.fail('no credential is refused'),
    refused: (_exchange, error) => refused.push(error),
    ...options,
  });
  return { exchange, told, records, refused, settled: () => new Promise((resolve) => setImmediate(resolve)) };
}

test('an exchange that cannot be settled ends all the same, and the log says why', async () => {
  const admission: Admission = {
    ...NOTHING_HELD,
    settle: () => {
      throw new Error('a bug');
    },
  };
  const { exchange, told, settled } = ask({ admit: () => admission });
  await settled();
  assert.equal(exchange.sink.text(), ANSWER);
  assert.deepEqual(told, ['an exchange could not be settled']);
  assert.equal(exchange.finished, 1);
});

test('an admission is settled exactly once on every way out', async () => {
  const throws = (): never => {
    throw new Error('a bug');
  };
  const ways: Record<string, Asked & { readonly dispatched: boolean; readonly leaves?: boolean }> = {
    'answered and counted': { dispatched: true },
    'answered, counted by an estimate': { dispatched: true, answer: whole(UNCOUNTED) },
    'answered, and the estimate fails': {
      dispatched: true,
      answer: whole(UNCOUNTED),
      options: { estimate: () => Promise.reject(new Error('too many wait')) },
    },
    'refused by its provider': { dispatched: true, answer: whole('{"error": {"message": "no"}}', 400) },
    'cut by its provider': { dispatched: true, answer: (handler) => handler.failed(new GatewayError('upstream_cut')) },
    'left by its client': { dispatched: true, answer: () => {}, leaves: true },
    'left while limits were asked elsewhere': { dispatched: false, leaves: true },
    'recorded by a bug': { dispatched: true, options: { record: throws } },
    'recorded by a bug behind its estimate': {
      dispatched: true,
      answer: whole(UNCOUNTED),
      options: { record: throws },
    },
    'relayed by a bug': { dispatched: false, options: { sweeper: { add: throws } as unknown as Sweeper } },
  };
  for (const [way, { dispatched, leaves = false, ...asked }] of Object.entries(ways)) {
    for (const elsewhere of way.includes('elsewhere') ? [true] : [false, true]) {
      const admission = new CountedAdmission();
      const asking = ask({ ...asked, admit: () => (elsewhere ? Promise.resolve(admission) : admission) });
      if (leaves && dispatched && elsewhere) await asking.settled();
      if (leaves) asking.exchange.abort('client');
      await asking.settled();
      const [outcome, ...more] = admission.outcomes;
      assert.equal(outcome?.dispatched, dispatched, way);
      assert.ok(
        more.every(() => way.includes('bug')),
        `${way}: a second call, which an admission ignores, comes behind a bug only`,
      );
      assert.equal(asking.exchange.finished, 1, way);
    }
  }
});

test('used tokens are charged, and nothing is where nothing was sent', async () => {
  const admission = new CountedAdmission();
  const { records, settled } = ask({ admit: () => admission });
  await settled();
  assert.deepEqual(admission.outcomes[0]?.usage, { inputTokens: 1, outputTokens: 2 });
  assert.equal(admission.outcomes[0]?.costNanoUsd, records[0]?.costNanoUsd);
});

test('a refusal ends the exchange with its error, and nothing is settled', async () => {
  const error = new GatewayError('rate_limited');
  const { exchange, refused, records, settled } = ask({ admit: () => new Refused(error) });
  await settled();
  assert.deepEqual([refused, records.length, exchange.finished], [[error], 0, 1]);
  assert.equal(exchange.refusal, error);
});

test('a refusal that names a cheaper model is a new plan, admitted anew', async () => {
  const asked: AdmissionRequest[] = [];
  const sentOn = new Refused(new GatewayError('budget_exceeded'), 'openai-main/gpt-4o', 'openai-main/gpt-4o', ['b']);
  const { exchange, records, settled } = ask({
    admit: (request) => {
      asked.push(request);
      return asked.length === 1 ? sentOn : NOTHING_HELD;
    },
  });
  await settled();
  assert.deepEqual(
    asked.map(({ downgradedBy }) => downgradedBy),
    [undefined, sentOn],
  );
  assert.deepEqual([exchange.refusal, records[0]?.outcome], [undefined, 'ok']);
});

test('a cheaper model that is not there leaves the budget’s refusal', async () => {
  for (const instead of ['openai-main/unknown', 'nowhere/at-all']) {
    const error = new GatewayError('budget_exceeded');
    const { exchange, refused, settled } = ask({ admit: () => new Refused(error, instead) });
    await settled();
    assert.deepEqual([refused, exchange.finished], [[error], 1], instead);
  }
});
