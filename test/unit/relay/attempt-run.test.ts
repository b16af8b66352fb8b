import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { stepAt } from '../../../src/routing/route-plan.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../../support/provider.ts';
import { givenUp, startEvents } from '../../support/scripted-provider.ts';
import { targetAt } from '../../support/targets.ts';
import { closeRelays, Relayed, type RelayedOptions, timeouts } from './local-provider.ts';

const providers: FakeProvider[] = [];

afterEach(async () => {
  closeRelays();
  await Promise.all(providers.splice(0).map((each) => each.close()));
});

const words = (text: string): string => chunkEvent({ role: 'assistant', content: text }) + chunkEvent({}, 'stop');
const stream = (text: string): string => words(text) + USAGE_EVENT + DONE_EVENT;
/** As the client gets it: the usage that it did not ask for is taken out. */
const received = (text: string): string => words(text) + DONE_EVENT;
const cut = () => new GatewayError('upstream_cut');
/** The next sweep is late enough. */
const AT_ONCE = 0;

/** A provider on a socket of its own: the test answers when it likes. */
async function askedProvider() {
  const asked = Promise.withResolvers<ServerResponse>();
  const provider = await startProvider((_request, response) => asked.resolve(response));
  providers.push(provider);
  return { asked: asked.promise, requests: provider.requests, origin: provider.origin };
}

function stepTo(account: string, origin: string, hedgeAfterMs?: number) {
  return stepAt(targetAt(origin, account), { hedgeAfterMs });
}

/** An exchange whose first target is asked, and its second beside it as soon as the sweep looks. */
function hedged(first: string, second: string, more: RelayedOptions = {}): Relayed {
  return new Relayed({ ...more, steps: [stepTo('first', first, AT_ONCE), stepTo('second', second)] });
}

test('two attempts are live at once; the first content wins, and the other provider is told to stop', async () => {
  const first = await askedProvider();
  const second = await askedProvider();
  const relayed = hedged(first.origin, second.origin);
  const slow = await first.asked;
  startEvents(slow);
  slow.write(': wait\n\n');
  const loserStopped = givenUp(slow);
  const fast = await second.asked;
  startEvents(fast);
  fast.end(stream('of the second'));
  const result = await relayed.over;
  await loserStopped;
  assert.equal(relayed.sink.text(), received('of the second'));
  assert.equal(relayed.sink.headers['x-tfy-resolved-model'], 'second/model');
  assert.deepEqual([result.error, result.target.id, result.attempts], [undefined, 'second/model', 2]);
  assert.equal(result.meter.usage?.outputTokens, 7);
  assert.deepEqual(first.requests[0]?.body, second.requests[0]?.body);
});

test('an attempt that was hedged still wins with the first content, and the hedge is told to stop', async () => {
  const first = await askedProvider();
  const second = await askedProvider();
  const relayed = hedged(first.origin, second.origin);
  const hedge = await second.asked;
  const hedgeStopped = givenUp(hedge);
  const slow = await first.asked;
  startEvents(slow);
  slow.end(stream('of the first'));
  const result = await relayed.over;
  await hedgeStopped;
  assert.equal(relayed.sink.text(), received('of the first'));
  assert.deepEqual([result.target.id, result.attempts, result.dispatched], ['first/model', 2, true]);
});

test('an error never wins: the other attempt goes on alone', async () => {
  for (const refuse of [
    (response: ServerResponse) => sendJson(response, 500, { error: { message: 'no' } }),
    (response: ServerResponse) => {
      startEvents(response);
      response.end('data: {"error":{"message":"no","code":503}}\n\n');
    },
    (response: ServerResponse) => response.destroy(),
  ]) {
    const first = await askedProvider();
    const second = await askedProvider();
    const relayed = hedged(first.origin, second.origin);
    refuse(await second.asked);
    const slow = await first.asked;
    startEvents(slow);
    slow.end(stream('of the first'));
    const result = await relayed.over;
    assert.equal(relayed.sink.text(), received('of the first'));
    assert.equal(result.target.id, 'first/model');
  }
});

test('whole answers are raced too: nothing of the loser reaches the client', async () => {
  const first = await askedProvider();
  const second = await askedProvider();
  const relayed = hedged(first.origin, second.origin, { body: { stream: false } });
  const slow = await first.asked;
  const loserStopped = givenUp(slow);
  sendJson(await second.asked, 200, completion('of the second'));
  await relayed.over;
  await loserStopped;
  assert.equal(relayed.sink.text(), JSON.stringify(completion('of the second')));
});

test('a client that leaves stops both attempts', async () => {
  const first = await askedProvider();
  const second = await askedProvider();
  const relayed = hedged(first.origin, second.origin);
  const stopped = [givenUp(await first.asked), givenUp(await second.asked)];
  relayed.exchange.abort('client');
  await Promise.all(stopped);
  assert.equal(relayed.result?.error?.code, 'client_closed');
  assert.equal(relayed.sweeper.size, 0);
});

test('a late callback of an aborted attempt changes nothing, whatever it is', () => {
  const late: ((relayed: Relayed) => void)[] = [
    ({ attempts }) => attempts[0]!.handler.chunk(Buffer.from(words('late'))),
    ({ attempts }) => attempts[0]!.handler.ended(),
    ({ attempts }) => attempts[0]!.handler.failed(cut()),
    ({ attempts }) => attempts[0]!.handler.started(500, {}),
  ];
  for (const call of late) {
    const relayed = new Relayed({ targets: ['first', 'second'], step: { hedgeAfterMs: 100 } });
    relayed.attempt.events();
    relayed.relay.sweep(performance.now() + 100);
    assert.equal(relayed.attempts.length, 2);
    relayed.attempt.events().send(words('of the second'));
    assert.ok(relayed.attempts[0]?.aborted);
    call(relayed);
    relayed.attempt.send(DONE_EVENT).end();
    assert.equal(relayed.sink.text(), received('of the second'), String(call));
    assert.deepEqual([relayed.results.length, relayed.result?.error], [1, undefined]);
  }
});

test('the next step of the plan is tried where both attempts fail, and each failure is told once', () => {
  const relayed = new Relayed({ targets: ['first', 'second', 'third'], step: { hedgeAfterMs: 100 } });
  relayed.relay.sweep(performance.now() + 100);
  const [first, second] = relayed.attempts;
  first?.handler.failed(cut());
  assert.equal(relayed.attempts.length, 2, 'the second goes on alone');
  second?.handler.failed(new GatewayError('connect_failed'));
  assert.equal(relayed.attempts.length, 3);
  relayed.attempt.events().send(words('of the third')).end();
  assert.equal(relayed.sink.text(), words('of the third'));
  const failed = JSON.parse(relayed.result?.attemptsJson ?? '[]');
  assert.deepEqual(
    failed.map(({ target, error }: { target: string; error: string }) => [target, error]),
    [
      ['first/model', 'upstream_cut'],
      ['second/model', 'connect_failed'],
    ],
  );
});

test('no attempt begins beside one whose content came, or whose plan asks for none', () => {
  const answered = new Relayed({ targets: ['first', 'second'], step: { hedgeAfterMs: 100 } });
  answered.attempt.events().send(words('in time'));
  const unasked = new Relayed({ targets: ['first', 'second'] });
  for (const relayed of [answered, unasked]) {
    relayed.relay.sweep(performance.now() + 1_000);
    assert.equal(relayed.attempts.length, 1);
  }
});

test('an exchange that is over begins no further attempt', () => {
  const relayed = new Relayed({
    targets: ['first', 'second'],
    step: { hedgeAfterMs: 2_000 },
    settings: { timeouts: { ...timeouts, totalMs: 1_000 } },
  });
  relayed.relay.sweep(performance.now() + 3_000);
  assert.equal(relayed.result?.error?.code, 'total_timeout');
  assert.equal(relayed.attempts.length, 1);
});

test('the timeouts of two live attempts are their own: one that times out leaves the other', async () => {
  const first = await askedProvider();
  const second = await askedProvider();
  const waits = { attemptMs: undefined, firstTokenMs: 200 };
  const steps = [{ ...stepTo('first', first.origin, AT_ONCE), waits }, stepTo('second', second.origin)] as const;
  const relayed = new Relayed({ steps });
  const answer = await second.asked;
  await givenUp(await first.asked);
  startEvents(answer);
  answer.end(stream('of the second'));
  const result = await relayed.over;
  assert.equal(relayed.sink.text(), received('of the second'));
  assert.match(result.attemptsJson ?? '', /first_token_timeout/);
});

test('a step is tried again after its delay, as often as its plan says, and then the next one', () => {
  const relayed = new Relayed({
    targets: ['first', 'second'],
    step: { retry: { maxRetries: 1, delayMs: 200 } },
  });
  relayed.attempt.handler.failed(cut());
  relayed.relay.sweep(performance.now() + 90);
  assert.equal(relayed.attempts.length, 1, 'its delay, which is varied by half, is not over');
  relayed.relay.sweep(performance.now() + 301);
  assert.equal(relayed.attempts.length, 2);
  relayed.attempt.handler.failed(cut());
  relayed.relay.sweep(performance.now() + 301);
  assert.equal(relayed.attempts.length, 3);
  relayed.attempt.events().send(words('of the second')).end();
  assert.equal(relayed.sink.headers['x-tfy-resolved-model'], 'second/model');
});

test('a client that leaves while a retry waits is asked for nothing more', () => {
  const relayed = new Relayed({ step: { retry: { maxRetries: 1, delayMs: 200 } } });
  relayed.attempt.handler.failed(cut());
  relayed.exchange.abort('client');
  relayed.relay.sweep(performance.now() + 1_000);
  assert.equal(relayed.attempts.length, 1);
  assert.equal(relayed.results.length, 1);
});
