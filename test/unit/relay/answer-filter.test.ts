import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Allowance } from '../../../src/limits/admission.ts';
import { AnswerFilter, type AnswerFilterMaker, type FilterHost } from '../../../src/relay/answer-filter.ts';
import { cutShort } from '../../../src/relay/cut-short.ts';
import { chunkEvent, completion, DONE_EVENT } from '../../support/provider.ts';
import { closeRelays, Relayed, timeouts } from './local-provider.ts';

afterEach(closeRelays);

const word = (text: string): string => chunkEvent({ content: text });
const finish = chunkEvent({}, 'stop');
const whole = word('one ') + word('two ') + finish + DONE_EVENT;

/** What a guardrail will be: holds everything until a verdict comes from elsewhere, and keeps its own deadline. */
class Guard extends AnswerFilter {
  closed = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #deadlineAt: number;
  #verdict: 'none' | 'passed' | 'refused' = 'none';

  constructor(host: FilterHost, deadlineAt = Number.POSITIVE_INFINITY) {
    super(host);
    this.#deadlineAt = deadlineAt;
    this.pause();
  }

  override commit(contentType: string): void {
    this.#orLater(() => super.commit(contentType));
  }

  override write(bytes: Buffer): void {
    this.#orLater(() => super.write(bytes));
  }

  override finish(last?: Buffer): void {
    this.#orLater(() => super.finish(last));
  }

  override sweep(now: number): void {
    if (this.#verdict === 'none' && now > this.#deadlineAt) this.refuse(new GatewayError('internal_error'));
  }

  override close(): void {
    this.closed += 1;
  }

  pass(): void {
    this.#verdict = 'passed';
    for (const call of this.#waiting.splice(0)) call();
    this.resume();
  }

  refuse(error: GatewayError): void {
    this.#verdict = 'refused';
    this.#waiting.length = 0;
    this.fail(error);
  }

  #orLater(call: () => void): void {
    if (this.#verdict === 'passed') call();
    else if (this.#verdict === 'none') this.#waiting.push(call);
  }
}

function guarded(more: ConstructorParameters<typeof Relayed>[0] = {}, deadlineAt?: number) {
  const guards: Guard[] = [];
  const maker: AnswerFilterMaker = (host) => {
    const guard = new Guard(host, deadlineAt);
    guards.push(guard);
    return guard;
  };
  return { relayed: new Relayed({ filters: [maker], ...more }), guards };
}

test('an answer is held until a verdict comes, the provider paused meanwhile, and then it is the provider’s to the byte', () => {
  const { relayed, guards } = guarded();
  relayed.attempt.events().send(word('one '));
  assert.equal(relayed.sink.started, false);
  assert.ok(relayed.attempt.paused);
  guards[0]?.pass();
  assert.equal(relayed.attempt.paused, false);
  relayed.attempt.send(word('two ') + finish + DONE_EVENT).end();
  assert.equal(relayed.sink.text(), whole);
  assert.deepEqual([relayed.result?.error, relayed.sink.ending, guards[0]?.closed], [undefined, 'ended', 1]);
});

test('a provider may end its answer before the verdict comes', () => {
  const { relayed, guards } = guarded({ settings: { keepaliveCommentMs: 0 } });
  relayed.attempt.events().send(whole).end();
  relayed.relay.sweep(performance.now() + 10 * (timeouts.idleMs || 60_000));
  assert.equal(relayed.results.length, 0, 'no wait of the provider runs any more');
  guards[0]?.pass();
  assert.equal(relayed.sink.text(), whole);
  assert.equal(relayed.result?.error, undefined);
});

test('a verdict against an answer of which nothing was sent is an error with its status, and the provider is told', () => {
  const { relayed, guards } = guarded();
  relayed.attempt.events().send(word('secret'));
  guards[0]?.refuse(new GatewayError('upstream_rejected', { status: 400, detail: 'Not allowed.' }));
  assert.equal(relayed.sink.status, 400);
  assert.doesNotMatch(relayed.sink.text(), /secret/);
  assert.ok(relayed.attempt.aborted);
});

test('a filter’s own deadline is kept by the sweep', () => {
  const deadlineAt = performance.now() + 500;
  const { relayed } = guarded({}, deadlineAt);
  relayed.attempt.events().send(word('one '));
  relayed.relay.sweep(deadlineAt - 1);
  assert.equal(relayed.results.length, 0);
  relayed.relay.sweep(deadlineAt + 1);
  assert.equal(relayed.sink.status, 500);
});

test('an attempt that fails while its answer is held is replaced, and a late verdict about it reaches nobody', () => {
  const { relayed, guards } = guarded({ targets: ['first', 'second'] });
  relayed.attempt.events().send(word('of the first'));
  relayed.attempt.handler.failed(new GatewayError('upstream_cut'));
  assert.equal(relayed.attempts.length, 2);
  assert.equal(guards[0]?.closed, 1);
  relayed.attempt.events().send(whole).end();
  guards[0]?.pass();
  assert.equal(relayed.sink.started, false);
  guards[1]?.pass();
  assert.equal(relayed.sink.text(), whole);
  assert.equal(relayed.sink.headers['x-tfy-resolved-model'], 'second/model');
});

test('a client that leaves ends what a filter waits for', () => {
  const { relayed, guards } = guarded();
  relayed.attempt.events().send(word('one '));
  relayed.exchange.abort('client');
  assert.equal(guards[0]?.closed, 1);
  guards[0]?.pass();
  assert.equal(relayed.sink.started, false);
});

function louder(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString().replaceAll('one ', 'ONE ').replaceAll('"hi"', '"HI"'));
}

/** Upper case for what is said: an edit that every cut of the stream leaves the same. */
class Louder extends AnswerFilter {
  override write(bytes: Buffer): void {
    super.write(louder(bytes));
  }

  override finish(last?: Buffer): void {
    super.finish(last && louder(last));
  }
}

test('a filter edits what passes, in streams and in whole answers', () => {
  const maker: AnswerFilterMaker = (host) => new Louder(host);
  const streamed = new Relayed({ filters: [maker] });
  streamed.attempt.events().send(whole).end();
  assert.equal(streamed.sink.text(), whole.replace('one ', 'ONE '));
  const asked = new Relayed({ body: { stream: false }, filters: [maker] });
  asked.attempt
    .head(200, { 'content-type': 'application/json' })
    .send(JSON.stringify(completion('hi')))
    .end();
  assert.equal(asked.sink.text(), JSON.stringify(completion('HI')));
});

test('filters compose in their order, and each may end the stream for all', () => {
  const allowance: Allowance = { budgetId: 'b', inputTokens: 3, covers: (tokens) => tokens <= 1 };
  const louderAnswer: AnswerFilterMaker = (host) => new Louder(host);
  const none: AnswerFilterMaker = () => undefined;
  for (const filters of [
    [louderAnswer, cutShort(allowance)],
    [cutShort(allowance), none, louderAnswer],
  ]) {
    const relayed = new Relayed({ filters });
    relayed.attempt.events().send(word('one ')).send(word('two '));
    assert.match(relayed.sink.text(), /"ONE "/);
    assert.match(relayed.sink.text(), /"finish_reason":"length"/);
    assert.doesNotMatch(relayed.sink.text(), /two/);
    assert.ok(relayed.attempt.aborted);
    assert.deepEqual(relayed.result?.shortened?.usage, { inputTokens: 3, outputTokens: 1 });
  }
});

test('a pause of a filter and one of the client end apart: the provider is read when both are over', () => {
  class Pausing extends AnswerFilter {}
  let filter: Pausing | undefined;
  const relayed = new Relayed({
    filters: [
      (host) => {
        filter = new Pausing(host);
        return filter;
      },
    ],
  });
  relayed.sink.takes = 10;
  relayed.attempt.events().send(word('one '));
  filter?.pause();
  relayed.sink.onDrained?.();
  assert.ok(relayed.attempt.paused);
  filter?.resume();
  assert.equal(relayed.attempt.paused, false);
});
