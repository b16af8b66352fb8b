import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import type { OrError } from '../../../src/core/exchange.ts';
import { anthropicWire } from '../../../src/providers/anthropic-messages/wire.ts';
import type { StepHolds } from '../../../src/relay/run-context.ts';
import { chunkEvent, DONE_EVENT } from '../../support/provider.ts';
import { exampleMounts } from '../../support/targets.ts';
import { closeRelays, Relayed } from './local-provider.ts';

afterEach(closeRelays);

const words = (text: string): string => chunkEvent({ role: 'assistant', content: text }) + chunkEvent({}, 'stop');
const cut = () => new GatewayError('upstream_cut');
const HEDGED = { hedgeAfterMs: 100 };

/** Limits that answer when the test says so; `log`: what they were asked. */
function slowHolds() {
  const answers: ((answer: OrError<void>) => void)[] = [];
  const log: string[] = [];
  const holds: StepHolds = {
    add: ({ target }) => {
      log.push(`add ${target.account}`);
      return new Promise((resolve) => answers.push(resolve));
    },
    replace: (step, by) => void log.push(`replace ${step.target.account} by ${by.target.account}`),
    drop: ({ target }) => void log.push(`drop ${target.account}`),
  };
  const answer = async (with_: OrError<void>): Promise<void> => {
    answers.shift()!(with_);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { holds, log, answer };
}

/** The share of second attempts: how many were taken and not given back. */
function cap() {
  const share = { taken: 0, asked: 0 };
  const hedging = {
    mayHedge: () => {
      share.asked += 1;
      share.taken += 1;
      return true;
    },
    notHedged: () => {
      share.taken -= 1;
    },
  };
  return { share, hedging };
}

/** The attempts before the last, as a receipt tells them. */
const failed = (relayed: Relayed): string[] =>
  JSON.parse(relayed.result?.attemptsJson ?? '[]').map(
    ({ target, error }: { target: string; error: string }) => `${target} ${error}`,
  );

test('a target that waits for limits to be asked beside another is asked where that one fails meanwhile', async () => {
  const { holds, log, answer } = slowHolds();
  const { share, hedging } = cap();
  const relayed = new Relayed({ targets: ['first', 'second'], step: HEDGED, holds, hedging });
  relayed.relay.sweep(performance.now() + 100);
  relayed.attempt.handler.failed(cut());
  assert.equal(relayed.results.length, 0, 'the second target may still answer');
  await answer(undefined);
  relayed.attempt.events().send(words('of the second') + DONE_EVENT);
  assert.equal(relayed.sink.text(), words('of the second') + DONE_EVENT);
  assert.deepEqual(failed(relayed), ['first/model upstream_cut']);
  assert.deepEqual(log, ['add second', 'drop first'], 'one of them is held');
  assert.equal(share.taken, 0, 'a fallback is no second attempt');
});

test('a target that limits refuse to be asked beside a failed one is followed by the next, or by the failure', async () => {
  for (const targets of [
    ['first', 'second', 'third'],
    ['first', 'second'],
  ]) {
    const { holds, answer } = slowHolds();
    const { share, hedging } = cap();
    const relayed = new Relayed({ targets, step: HEDGED, holds, hedging });
    relayed.relay.sweep(performance.now() + 100);
    relayed.attempt.handler.failed(cut());
    await answer(new GatewayError('rate_limited'));
    assert.equal(share.taken, 0);
    if (targets.length === 2) {
      assert.equal(relayed.result?.error?.code, 'upstream_cut');
      assert.deepEqual(failed(relayed), ['second/model rate_limited']);
      continue;
    }
    relayed.attempt.events().send(words('of the third') + DONE_EVENT);
    assert.equal(relayed.sink.text(), words('of the third') + DONE_EVENT);
    assert.deepEqual(failed(relayed), ['first/model upstream_cut', 'second/model rate_limited']);
  }
});

test('a target that waits for limits is kept while the first is tried again after a delay', async () => {
  const { holds, log, answer } = slowHolds();
  const { share, hedging } = cap();
  const retry = { maxRetries: 1, delayMs: 200 };
  const relayed = new Relayed({ targets: ['first', 'second'], step: { ...HEDGED, retry }, holds, hedging });
  relayed.relay.sweep(performance.now() + 100);
  relayed.attempt.handler.failed(cut());
  await answer(undefined);
  assert.equal(relayed.attempts.length, 1);
  assert.deepEqual([log, share.taken], [['add second', 'drop second'], 0]);
  relayed.relay.sweep(performance.now() + 301);
  assert.equal(relayed.attempts.length, 2);
  relayed.attempt.handler.failed(cut());
  relayed.attempt.events().send(words('of the second') + DONE_EVENT);
  assert.equal(relayed.sink.headers['x-tfy-resolved-model'], 'second/model');
});

test('an exchange that is over while a target waits for limits gives back what they held', async () => {
  const { holds, log, answer } = slowHolds();
  const { share, hedging } = cap();
  const relayed = new Relayed({ targets: ['first', 'second'], step: HEDGED, holds, hedging });
  relayed.relay.sweep(performance.now() + 100);
  relayed.exchange.abort('client');
  await answer(undefined);
  assert.equal(relayed.attempts.length, 1);
  assert.deepEqual([log, share.taken], [['add second', 'drop second'], 0]);
});

test('an attempt beside which none can begin takes nothing of the share of second attempts, however slow it is', () => {
  const { share, hedging } = cap();
  const relayed = new Relayed({ targets: ['only'], step: HEDGED, hedging });
  for (let sweep = 1; sweep < 50; sweep += 1) relayed.relay.sweep(performance.now() + 100 * sweep);
  assert.deepEqual(share, { taken: 0, asked: 1 });
});

test('a step is tried as often as it allows, whatever began beside it', () => {
  const retry = { maxRetries: 1, delayMs: 0 };
  const relayed = new Relayed({ targets: ['first', 'second'], step: { ...HEDGED, retry } });
  const [first] = relayed.attempts;
  first!.handler.failed(cut());
  const again = relayed.attempt;
  relayed.relay.sweep(performance.now() + 100);
  const beside = relayed.attempt;
  assert.equal(relayed.attempts.length, 3);
  beside.handler.failed(new GatewayError('connect_failed'));
  again.handler.failed(cut());
  assert.equal(relayed.attempts.length, 3, 'the first was tried again once, and nobody is left');
  assert.equal(relayed.result?.error?.code, 'upstream_cut');
});

test('an exchange counts as sent to a provider where the earlier of two live attempts was', () => {
  const late = { second: { local: undefined, mounts: exampleMounts(anthropicWire) } };
  const relayed = new Relayed({
    targets: ['first', 'second'],
    targetOf: late as never,
    body: { messages: [{ role: 'user', content: 'x'.repeat(300_000) }] },
    step: HEDGED,
    translateHeavy: () => new Promise(() => {}),
  });
  relayed.relay.sweep(performance.now() + 100);
  relayed.exchange.abort('client');
  assert.equal(relayed.result?.dispatched, true);
});
