import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { Allowance } from '../../../src/limits/admission.ts';
import { cutShort } from '../../../src/relay/cut-short.ts';
import { chunkEvent, DONE_EVENT, USAGE_EVENT } from '../../support/provider.ts';
import { closeRelays, limits, Relayed } from './local-provider.ts';

afterEach(closeRelays);

const role = chunkEvent({ role: 'assistant', content: '' });
const word = (text: string) => chunkEvent({ content: text });
const finish = chunkEvent({}, 'stop');

/** Covers so many tokens and writes down what it was asked. */
class Tokens implements Allowance {
  readonly budgetId = 'monthly';
  readonly inputTokens = 11;
  readonly asked: number[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  covers(outputTokens: number): boolean {
    this.asked.push(outputTokens);
    return outputTokens <= this.#most;
  }
}

interface Chunk {
  id: string;
  model: string;
  created: number;
  choices: { index: number; delta: { role?: string; content?: string }; finish_reason: string | null }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number; total_tokens?: number } | null;
}

/** Every event must be whole: what is not JSON throws. */
function chunksOf(text: string): Chunk[] {
  assert.ok(text.endsWith(DONE_EVENT), text);
  return text
    .slice(0, -DONE_EVENT.length)
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => JSON.parse(event.slice('data: '.length)));
}

const contentOf = (chunks: readonly Chunk[]) => chunks.map((each) => each.choices[0]?.delta.content ?? '').join('');

test('a stream whose budget ends is a whole answer that ended for its length', () => {
  const relayed = new Relayed({ filters: [cutShort(new Tokens(2))] });
  relayed.attempt
    .events()
    .send(role)
    .send(word('one '))
    .send(word('two '))
    .send(word('six '))
    .send(finish + DONE_EVENT);
  const chunks = chunksOf(relayed.sink.text());
  assert.equal(contentOf(chunks), 'one two ');
  const last = chunks.at(-1)!;
  assert.deepEqual(last.choices, [{ index: 0, delta: {}, finish_reason: 'length' }]);
  assert.deepEqual([last.id, last.model, last.created], ['chatcmpl-1', 'm', 1_700_000_000]);
  assert.equal(relayed.sink.ending, 'ended');
  assert.equal(relayed.attempt.aborted, true, 'the provider must not go on at our cost');
  assert.equal(relayed.result?.error, undefined);
  assert.equal(relayed.result?.cut, false);
  assert.deepEqual(relayed.result?.shortened, {
    usage: { inputTokens: 11, outputTokens: 2 },
    detail: 'cut by budget monthly',
  });
  assert.equal(relayed.results.length, 1);
  assert.equal(relayed.sweeper.size, 0);
});

test('no event is cut in its middle, however the network cuts the stream', () => {
  const whole = role + word('one ') + word('two ') + word('six ') + word('ten ') + finish + DONE_EVENT;
  for (let at = 0; at <= whole.length; at += 1) {
    const relayed = new Relayed({ filters: [cutShort(new Tokens(3))] });
    relayed.attempt.events().send(whole.slice(0, at)).send(whole.slice(at));
    const chunks = chunksOf(relayed.sink.text());
    assert.equal(contentOf(chunks), 'one two six ', `cut at ${at}`);
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length', `cut at ${at}`);
  }
  const relayed = new Relayed({ filters: [cutShort(new Tokens(3))] });
  relayed.attempt.events();
  for (const byte of Buffer.from(whole)) relayed.attempt.send(Buffer.from([byte]));
  assert.equal(contentOf(chunksOf(relayed.sink.text())), 'one two six ');
});

test('a stream that its budget covers is the provider’s, byte for byte', () => {
  const whole = `: hi\n\n${role}${word('one ')}event: x\r\ndata: {"choices":[]}\r\n\r\n${finish}${DONE_EVENT}`;
  for (let at = 0; at <= whole.length; at += 1) {
    const relayed = new Relayed({ filters: [cutShort(new Tokens(100))] });
    relayed.attempt.events().send(whole.slice(0, at)).send(whole.slice(at)).end();
    assert.equal(relayed.sink.text(), whole, `cut at ${at}`);
    assert.equal(relayed.result?.shortened, undefined);
  }
});

test('a finished answer is not cut, nor is the event that says what it used', () => {
  const allowance = new Tokens(1);
  const relayed = new Relayed({ filters: [cutShort(allowance)] });
  relayed.attempt
    .events()
    .send(role + word('a') + chunkEvent({ content: ' long last piece of text' }, 'stop') + USAGE_EVENT + DONE_EVENT)
    .end();
  assert.deepEqual(allowance.asked, [1]);
  assert.equal(relayed.result?.shortened, undefined);
  assert.equal(relayed.result?.meter.usage?.outputTokens, 7);
});

test('pieces of many tokens are counted by their bytes, reasoning and tool calls too', () => {
  const allowance = new Tokens(1_000);
  const relayed = new Relayed({ filters: [cutShort(allowance)] });
  relayed.attempt
    .events()
    .send(word('x'.repeat(400)))
    .send(chunkEvent({ reasoning_content: 'y'.repeat(40) }))
    .send(
      chunkEvent({ tool_calls: [{ index: 0, id: 'c', function: { name: 'find', arguments: '{"a":"bbbbbbbbbb"}' } }] }),
    );
  assert.deepEqual(allowance.asked, [100, 110, 116]);
});

test('a client that asked for usage gets that of the cut stream as it is billed', () => {
  const relayed = new Relayed({
    body: { stream_options: { include_usage: true } },
    filters: [cutShort(new Tokens(1))],
  });
  relayed.attempt.events().send(role).send(word('one ')).send(word('two '));
  const last = chunksOf(relayed.sink.text()).at(-1)!;
  assert.deepEqual(last.choices, []);
  assert.deepEqual(last.usage, { prompt_tokens: 11, completion_tokens: 1, total_tokens: 12 });
});

test('a cut stream tells the role once for each choice, with the finish where no event came before', () => {
  const choice = (index: number, delta: object) =>
    `data: ${JSON.stringify({ id: 'i', choices: [{ index, delta }] })}\n\n`;
  const relayed = new Relayed({ filters: [cutShort(new Tokens(1))] });
  relayed.attempt
    .events()
    .send(choice(0, { role: 'assistant', content: 'a' }) + choice(1, { role: 'assistant', content: 'b' }));
  assert.deepEqual(chunksOf(relayed.sink.text()).at(-1)?.choices, [
    { index: 0, delta: {}, finish_reason: 'length' },
    { index: 1, delta: { role: 'assistant', content: '' }, finish_reason: 'length' },
  ]);
});

test('an event too long to be held passes whole, and the cut stream ends behind it', () => {
  const settings = { limits: { ...limits, maxEventBytes: 65_536 } };
  const relayed = new Relayed({ filters: [cutShort(new Tokens(10))], settings });
  const long = word('z'.repeat(300_000));
  relayed.attempt.events().send(role);
  for (let at = 0; at < long.length; at += 16_000) relayed.attempt.send(long.slice(at, at + 16_000));
  assert.equal(relayed.sink.text().startsWith(role + long), true);
  const chunks = chunksOf(relayed.sink.text());
  assert.deepEqual(chunks.at(-1)?.choices, [{ index: 0, delta: {}, finish_reason: 'length' }]);
  const tokens = relayed.result?.shortened?.usage.outputTokens ?? 0;
  assert.ok(tokens > 70_000 && tokens < 80_000, String(tokens));
});

test('a provider that breaks off before the budget ends is still told as an error', () => {
  const relayed = new Relayed({ filters: [cutShort(new Tokens(10))] });
  relayed.attempt.events().send(role + word('one ') + word('half').slice(0, 30));
  relayed.attempt.handler.ended();
  assert.equal(relayed.sink.text().startsWith(role + word('one ')), true);
});

test('whole answers are not cut', () => {
  const allowance = new Tokens(0);
  const relayed = new Relayed({ body: { stream: false }, filters: [cutShort(allowance)] });
  relayed.attempt.head(200, { 'content-type': 'application/json' }).send('{"choices":[]}').end();
  assert.equal(relayed.sink.text(), '{"choices":[]}');
  assert.deepEqual(allowance.asked, []);
});
