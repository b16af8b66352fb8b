import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiAccount } from '../../bench/inputs/openai-account.ts';
import { settings } from '../../bench/inputs/settings.ts';
import { Sweeper } from '../../src/core/sweeper.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { type Admission, NOTHING_HELD } from '../../src/limits/admission.ts';
import { runInference } from '../../src/pipeline.ts';
import { Callers } from '../../src/policy/caller.ts';
import { ModelRoutes } from '../../src/routing/model-routes.ts';
import { SharedCounters } from '../../src/threads/shared-counters.ts';
import { OriginPools } from '../../src/upstream/origin-pools.ts';
import { compilePrice } from '../../src/usage/price-table.ts';
import { FakeExchange } from './relay/fake-exchange.ts';
import { limits, timeouts } from './relay/local-provider.ts';

const REQUEST = Buffer.from('{"model": "openai-main/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}');
const ANSWER = Buffer.from('{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}');

const account = openAiAccount({
  local: (_request, handler) => {
    queueMicrotask(() => {
      handler.started(200, { 'content-type': 'application/json' });
      handler.chunk(ANSWER);
      handler.ended();
    });
    return { pause: () => {}, resume: () => {}, abort: () => {} };
  },
});
const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };

test('an exchange that cannot be settled is over all the same, and the log says why', async () => {
  const told: unknown[] = [];
  const admission: Admission = {
    ...NOTHING_HELD,
    settle: () => {
      throw new Error('a bug');
    },
  };
  const exchange = new FakeExchange(REQUEST);
  exchange.scan = openAiChat.scan();
  exchange.scan.advance(REQUEST, REQUEST.length);
  const price = compilePrice(account.listed[0]!.price);
  runInference(exchange, openAiChat, {
    thread: 0,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: (_fields, message) => told.push(message) },
    pools: new OriginPools(limits, timeouts),
    sweeper: new Sweeper(),
    sharedMemory: new SharedCounters(1, 0),
    estimate: () => Promise.reject(new Error('nobody asks')),
    translateHeavy: () => Promise.reject(new Error('nothing is large')),
    snapshot: () => ({
      settings,
      routes: new ModelRoutes([account], { models: () => [], has: () => false }),
      callers: new Callers({ identities, metadataRules: [], accounts: [] }),
      limits: { admit: () => admission },
      price: () => price,
    }),
    record: () => {},
    provisional: undefined,
    refusal: () => undefined,
    refused: () => assert.fail('it is not refused'),
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(exchange.sink.text(), ANSWER.toString());
  assert.deepEqual(told, ['an exchange could not be settled']);
  assert.equal(exchange.finished, 1);
});
