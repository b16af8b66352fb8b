import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import { WholePassthrough, type WholePassthroughOptions } from '../../../src/relay/whole-passthrough.ts';
import { UsageMeter } from '../../../src/usage/usage-meter.ts';
import { pieces } from '../../support/cuttings.ts';
import { completion } from '../../support/provider.ts';
import { exampleTarget } from '../../support/targets.ts';
import { assertLinear } from '../growth.ts';
import { FakeRelayHost } from './fake-relay-host.ts';

const HOLD_BYTES = 65_536;

function start(more: Partial<WholePassthroughOptions> = {}) {
  const host = new FakeRelayHost();
  const meter = new UsageMeter();
  const mode = new WholePassthrough({
    host,
    meter,
    wire: openAiChatWire,
    target: exampleTarget,
    form: openAiChat.answers,
    contentType: 'application/json',
    endsWithConnection: false,
    holdBytes: HOLD_BYTES,
    ...more,
  });
  return { host, meter, mode };
}

test('JSON is held until it is whole, so that a provider which breaks off can still be answered with an error', () => {
  const { host, mode } = start();
  for (const piece of pieces(Buffer.from(JSON.stringify(completion('x'.repeat(60_000)))), 1000)) mode.chunk(piece);
  assert.equal(host.contentType, undefined);
  assert.equal(host.writtenBytes, 0);
  mode.ended();
  assert.equal(host.contentType, 'application/json');
  assert.ok(host.finished);
});

test('JSON that outgrows what may be held passes as it comes, and its usage is read from its end', () => {
  for (const size of [1000, 7919, 65_536, 1_000_000]) {
    const body = Buffer.from(JSON.stringify(completion('ü"usage":{}'.repeat(30_000))));
    const { host, meter, mode } = start();
    let sent = 0;
    for (const piece of pieces(body, size)) {
      mode.chunk(piece);
      sent += piece.length;
      if (sent > HOLD_BYTES) assert.equal(host.writtenBytes, sent);
    }
    mode.ended();
    assert.ok(host.output().equals(body));
    assert.equal(meter.usage?.inputTokens, 5, `pieces of ${size}`);
    assert.equal(meter.usage?.outputTokens, 7);
  }
});

test('a key that only ends like usage is no usage', () => {
  const tricky = String.raw`"x\"usage": {"prompt_tokens": 999, "completion_tokens": 999}`;
  for (const [body, output] of [
    [`{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 3}, ${tricky}}`, 3],
    [`{"choices": [], ${tricky}}`, undefined],
  ] as const) {
    JSON.parse(body);
    const { meter, mode } = start();
    mode.chunk(Buffer.from(body));
    mode.ended();
    assert.equal(meter.usage?.outputTokens, output, body);
  }
});

test('usage of a whole answer is read wherever it stands, at the top level only', () => {
  const cases: [body: object, output: number | undefined][] = [
    [{ usage: { completion_tokens: 3 }, choices: [] }, 3],
    [{ choices: [{ message: { usage: { completion_tokens: 4 } } }] }, undefined],
    [{ choices: [], usage: null }, undefined],
    [{ choices: [], usage: {} }, undefined],
    [{ choices: [] }, undefined],
  ];
  for (const [body, output] of cases) {
    const { meter, mode } = start();
    mode.chunk(Buffer.from(JSON.stringify(body, null, 2)));
    mode.ended();
    assert.equal(meter.usage?.outputTokens, output);
    if (output === undefined) assert.equal(meter.usage, undefined, 'unknown is not zero');
  }
});

test('usage that stands before the choices is read in a small answer and in a large one', () => {
  for (const length of [10, 300_000]) {
    const { usage, ...others } = Object(completion('x'.repeat(length)));
    const { host, meter, mode } = start();
    for (const piece of pieces(Buffer.from(JSON.stringify({ usage, ...others })), 16_384)) mode.chunk(piece);
    mode.ended();
    assert.ok(host.finished);
    assert.equal(meter.usage?.outputTokens, 7, `${length} characters`);
  }
});

test('an error in a 200 is a failure with its own status and words, whatever stands around it', () => {
  const words = { message: 'no room', code: 429 };
  for (const body of [
    { error: words },
    { id: 'gen-1', provider: 'p', error: words, choices: [] },
    { ...completion('half'), error: words },
    { id: 'x', choices: [{ index: 0, error: words, finish_reason: 'error', message: { content: '' } }], usage: {} },
    { object: 'error', ...words },
    { error: 'no room', code: 429 },
  ]) {
    for (const indent of [0, 2]) {
      const { host, meter, mode } = start();
      mode.chunk(Buffer.from(JSON.stringify(body, null, indent)));
      mode.ended();
      assert.equal(host.error?.code, 'upstream_rate_limited', JSON.stringify(body));
      assert.match(host.error?.message ?? '', /no room/);
      assert.equal(host.contentType, undefined);
      assert.equal(meter.usage, undefined);
    }
  }
});

test('a finish reason error without words is a failure, the word error in a text or a null error is none', () => {
  const said = { ...completion('an "error": it is an error'), error: null };
  const failed = JSON.stringify(completion('half')).replace('"stop"', '"error"');
  for (const [body, isError] of [
    [JSON.stringify(said), false],
    [JSON.stringify(completion('error')), false],
    [failed, true],
  ] as const) {
    const { host, mode } = start();
    mode.chunk(Buffer.from(body));
    mode.ended();
    assert.equal(host.error?.code, isError ? 'upstream_stream_error' : undefined, body);
    assert.equal(host.finished, !isError);
  }
});

test('bytes that begin as JSON and are none are a failure, not an answer', () => {
  for (const [body, endsWithConnection, code] of [
    ['{"choices":[', false, 'upstream_protocol'],
    ['{"choices":[', true, 'upstream_cut'],
    ['{"choices":]}', false, 'upstream_protocol'],
    ['{} {}', false, 'upstream_protocol'],
    ['[]', false, 'upstream_protocol'],
  ] as const) {
    const { host, mode } = start({ endsWithConnection });
    mode.chunk(Buffer.from(body));
    mode.ended();
    assert.equal(host.error?.code, code, body);
    assert.equal(host.writtenBytes, 0);
  }
});

test('JSON that ends with its connection is whole only if it is whole JSON', () => {
  const whole = JSON.stringify(completion('"}" and "usage"'));
  for (const size of [1, 1000]) {
    for (let at = 0; at <= whole.length; at += 1) {
      const { host, mode } = start({ endsWithConnection: true });
      for (const piece of pieces(Buffer.from(whole.slice(0, at)), size)) mode.chunk(piece);
      mode.ended();
      const isWhole = at === whole.length;
      assert.equal(host.error?.code, isWhole ? undefined : 'upstream_cut', `cut at ${at}`);
      assert.equal(host.finished, isWhole);
      assert.equal(host.output().toString(), isWhole ? whole : '');
    }
  }
});

test('large JSON that ends with its connection in the middle is an error too', () => {
  const whole = JSON.stringify(completion('x'.repeat(300_000)));
  for (const [at, isWhole] of [
    [200_000, false],
    [whole.length - 3, false],
    [whole.length, true],
  ] as const) {
    const { host, mode } = start({ endsWithConnection: true });
    for (const piece of pieces(Buffer.from(whole.slice(0, at)), 5000)) mode.chunk(piece);
    mode.ended();
    assert.equal(host.finished, isWhole, `cut at ${at}`);
  }
});

test('an error that is found behind what was passed on cuts the answer', () => {
  const body = JSON.stringify({ ...completion('x'.repeat(100_000)), error: { message: 'gone' } });
  const { host, mode } = start();
  mode.chunk(Buffer.from(body));
  mode.ended();
  assert.equal(host.error?.code, 'upstream_stream_error');
  assert.equal(host.finished, false);
});

test('single bytes of a large answer take no longer each, the larger it is', () => {
  const run = (bytes: number): (() => void) => {
    const chunks = pieces(Buffer.from(JSON.stringify(completion('x'.repeat(bytes)))), 1);
    return () => {
      const { mode } = start();
      for (const chunk of chunks) mode.chunk(chunk);
      mode.ended();
    };
  };
  assertLinear(run(400_000), run(100_000));
});
