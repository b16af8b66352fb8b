import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { openAiCompletions } from '../../../../src/dialects/openai-completions/index.ts';
import { openAiCompletionsWire } from '../../../../src/providers/openai-compatible/wire.ts';
import { StreamPassthrough } from '../../../../src/relay/stream-passthrough.ts';
import { UsageMeter } from '../../../../src/usage/usage-meter.ts';
import { cuttings } from '../../../support/cuttings.ts';
import { heldMemory } from '../../../support/held-memory.ts';
import { exampleTarget } from '../../../support/targets.ts';
import { FakeRelayHost } from '../../relay/fake-relay-host.ts';

const { answers } = openAiCompletions;
const head = { id: 'cmpl-1', object: 'text_completion', created: 1_700_000_000, model: 'm' };
const event = (value: object): string => `data: ${JSON.stringify({ ...head, ...value })}\n\n`;
const piece = (text: string, index = 0, reason: string | null = null): string =>
  event({ choices: [{ text, index, logprobs: null, finish_reason: reason }] });
const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
const usageEvent = event({ choices: [], usage });
const done = 'data: [DONE]\n\n';
/** As vLLM, text-generation servers and OpenAI write it: comments, line ends of both kinds, letters of several bytes. */
const STREAM = `: hello\n\n${piece('Grüß')}${piece(' Gott', 1).replaceAll('\n', '\r\n')}${piece(' dich 🦆')}${piece('', 0, 'stop')}${piece('', 1, 'length')}`;

function carried(chunks: readonly Buffer[], usageEventIs: 'keep' | 'take-out') {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = new StreamPassthrough({
    host,
    meter,
    wire: openAiCompletionsWire,
    target: exampleTarget,
    form: { stream: answers.stream },
    expected: { choices: 1, usageEvent: usageEventIs },
    memory: heldMemory(),
    contentType: 'text/event-stream',
    holdBytes: 65_536,
    maxEventBytes: 1_048_576,
  });
  for (const chunk of chunks) mode.chunk(chunk);
  mode.ended();
  return { host, meter };
}

test('a stream of completions passes byte for byte and is metered, however it is cut', () => {
  for (const chunks of cuttings(Buffer.from(STREAM + usageEvent + done))) {
    for (const [usageEventIs, expected] of [
      ['keep', STREAM + usageEvent + done],
      ['take-out', STREAM + done],
    ] as const) {
      const { host, meter } = carried(chunks, usageEventIs);
      assert.equal(host.error, undefined);
      assert.ok(host.finished);
      assert.equal(host.output().toString(), expected);
      assert.equal(meter.usage?.outputTokens, 7);
    }
  }
});

test('without an end of its own a stream is whole when every choice has its finish reason, and else cut', () => {
  assert.equal(carried([Buffer.from(STREAM)], 'keep').host.error, undefined);
  const half = carried([Buffer.from(piece('a') + piece('b', 1) + piece('', 0, 'stop'))], 'keep');
  assert.equal(half.host.error?.code, 'upstream_cut');
});

test('an error in a stream is a failure wherever it stands, and what is behind it reaches nobody', () => {
  for (const before of ['', piece('a')]) {
    for (const chunks of cuttings(
      Buffer.from(`${before}data: {"error":{"message":"no","code":429}}\n\n${piece('b')}${done}`),
    )) {
      const { host } = carried(chunks, 'keep');
      assert.equal(host.error?.code, 'upstream_rate_limited');
      assert.equal(host.output().toString(), before);
    }
  }
});

test('a whole completion becomes events, and events the same whole completion', () => {
  const whole = {
    ...head,
    choices: [
      { index: 0, text: 'Hello', logprobs: null, finish_reason: 'stop' },
      { index: 1, text: 'Bye', logprobs: null, finish_reason: 'length' },
    ],
    usage,
  };
  const context = { exchangeId: 'ex', model: 'a/m', includeUsage: true, created: 0 };
  const events = answers.toEvents(Buffer.from(JSON.stringify(whole)), context);
  assert.ok(!(events instanceof GatewayError));
  const again = answers.toWhole(events);
  assert.ok(!(again instanceof GatewayError));
  assert.deepEqual(JSON.parse(again.toString()), whole);
  assert.ok(answers.toEvents(Buffer.from('{"error":1}'), context) instanceof GatewayError);
  assert.ok(answers.toWhole(Buffer.from(done)) instanceof GatewayError);
});

test('each choice that is generated counts: n, and best_of where nothing is streamed', () => {
  const choicesOf = (more: object): unknown => {
    const body = Buffer.from(JSON.stringify({ model: 'm', prompt: 'p', ...more }));
    const scan = openAiCompletions.scan();
    scan.advance(body, body.length);
    const peeked = scan.result(body);
    return peeked instanceof GatewayError ? peeked.context.param : peeked.choices;
  };
  assert.equal(choicesOf({}), 1);
  assert.equal(choicesOf({ n: 3 }), 3);
  assert.equal(choicesOf({ n: 2, best_of: 5 }), 5);
  assert.equal(choicesOf({ n: 2, best_of: 5, stream: true }), 2);
  assert.equal(choicesOf({ n: -1 }), 'n');
  assert.equal(choicesOf({ best_of: 'x' }), 'best_of');
  assert.equal(choicesOf({ prompt: undefined }), 'prompt');
});
