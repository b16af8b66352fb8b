import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { GatewayError } from '../../src/core/errors.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import { allPlugs } from '../../src/plugs.ts';
import type { Target } from '../../src/providers/provider.ts';
import { formOf, mountFor } from '../../src/relay/choose-mount.ts';
import { outbound, wholeBody } from '../../src/relay/outbound.ts';
import { NO_WAITS } from '../../src/routing/route-plan.ts';
import { type Message, messageOf, wholeMessage } from '../support/messages-stream.ts';
import { anthropic, bedrock, cohere, gemini, openai, type StrictVendor } from '../support/strict-vendors.ts';
import { messageStream, messageWhole } from '../support/translated-messages.ts';

const PLUGS = allPlugs();

/* A conversation in Anthropic's form, as a coding agent holds it: its turns are answered by one strict vendor after the other. */

const VENDORS: readonly StrictVendor[] = [anthropic, gemini, openai, bedrock, cohere];
/** A profile of the account's own does not say that Claude is behind it: it is asked by Converse. */
const PROFILE = {
  type: 'integration/model/bedrock',
  name: bedrock.model,
  model_id: 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2',
  model_types: ['chat'],
};
const manifestOf = (vendor: StrictVendor) =>
  vendor === bedrock ? { ...vendor.manifest, integrations: [PROFILE] } : vendor.manifest;
const tools = [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];

const targets = new Map<StrictVendor, Target>(
  VENDORS.map((vendor) => {
    const plug = PLUGS.find(({ type }) => type === vendor.manifest['type']);
    const target = plug?.open(plug.schema.parse(manifestOf(vendor)), new Map()).target(vendor.model);
    assert.ok(target);
    return [vendor, target];
  }),
);

const headers = {
  contentType: 'application/json',
  accept: undefined,
  traceparent: undefined,
  tracestate: undefined,
  idempotencyKey: undefined,
  tfy: undefined,
  forwardable: undefined,
} as never;

type Turn = { role: 'user' | 'assistant'; content: unknown };

/** The provider's request for the client's, as the relay makes it. */
function sent(...asked: Parameters<typeof bytesSent>): Record<string, unknown> {
  return JSON.parse(bytesSent(...asked));
}

function bytesSent(vendor: StrictVendor, messages: readonly Turn[], stream: boolean, more: object = {}): string {
  const target = targets.get(vendor)!;
  const thinking = { type: 'enabled', budget_tokens: 2_000 };
  const asked = {
    model: target.id,
    max_tokens: 8_000,
    system: [{ type: 'text', text: 'Be brief.' }],
    messages,
    tools,
    stream,
    thinking,
    ...more,
  };
  const body = Buffer.from(JSON.stringify(asked));
  const scan = anthropicMessages.scan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const step = { target, overrides: undefined, waits: NO_WAITS } as never;
  const { signal } = new AbortController();
  const heavy = () => Promise.reject(new Error('nothing is large'));
  const made = outbound({ headers, body, peeked, cacheMarker: undefined }, anthropicMessages, step, heavy, { signal });
  assert.ok(!(made instanceof Promise) && !(made instanceof GatewayError), JSON.stringify(made));
  return wholeBody(made.body).toString();
}

function received(vendor: StrictVendor, answer: string | Buffer, stream: boolean): Message {
  const { wire } = mountFor(targets.get(vendor)!, anthropicMessages)!;
  const bytes = Buffer.from(answer);
  const passes = formOf(wire) === anthropicMessages.name;
  if (stream) return messageOf(passes ? bytes.toString() : messageStream(wire, [bytes]));
  return wholeMessage(passes ? bytes.toString() : messageWhole(wire, bytes));
}

function ask(vendor: StrictVendor, messages: Turn[], stream: boolean): Message {
  const message = received(vendor, vendor.answer(sent(vendor, messages, stream), stream), stream);
  messages.push({ role: 'assistant', content: message.content });
  return message;
}

function sendResults({ content, stop }: Message, messages: Turn[]): void {
  const calls = content.filter(({ type }) => type === 'tool_use');
  assert.equal(calls.length, 1);
  assert.equal(stop, 'tool_use');
  const results = calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: '{"degrees":12}' }));
  messages.push({ role: 'user', content: results });
}

interface PromptParts {
  /** What stands in front of the turns for the model, wherever it stands in the request. */
  readonly head: string;
  /** All of the request's bytes up to the end of the last turn, without the marks that the client moves along. */
  readonly bytes: string;
}

const MARK = ',"cache_control":{"type":"ephemeral"}';

function promptOf(request: string): PromptParts {
  const bytes = request.replaceAll(MARK, '');
  const { system, systemInstruction, tools: offered, messages, contents } = JSON.parse(bytes);
  const last = JSON.stringify((messages ?? contents).at(-1));
  const at = bytes.lastIndexOf(last);
  assert.ok(at > 0);
  return { head: JSON.stringify([system, systemInstruction, offered]), bytes: bytes.slice(0, at + last.length) };
}

/** A vendor's cache is hit where all that it was told before stands unchanged at the beginning. */
function assertGoesOn(before: PromptParts, now: PromptParts): void {
  assert.equal(now.head, before.head);
  assert.ok(now.bytes.length > before.bytes.length);
  assert.equal(now.bytes.slice(0, before.bytes.length), before.bytes);
}

/** As Claude Code does with each request: the last block is where a cache may end. */
function withMark(turns: readonly Turn[]): Turn[] {
  return turns.map((turn, index) => {
    if (index < turns.length - 1) return turn;
    const content = turn.content as object[];
    return { ...turn, content: [...content.slice(0, -1), { ...content.at(-1), cache_control: { type: 'ephemeral' } }] };
  });
}

beforeEach(() => {
  for (const vendor of VENDORS) vendor.returned = 0;
});

for (const stream of [false, true]) {
  describe(`a client of Anthropic’s form, ${stream ? 'streamed' : 'whole'}`, () => {
    test('each vendor in turn thinks, calls and answers, three times over, and takes all that the others said', () => {
      const messages: Turn[] = [];
      for (let lap = 0; lap < 3; lap += 1) {
        for (const vendor of VENDORS) {
          messages.push({ role: 'user', content: [{ type: 'text', text: `Is it warm? (${lap})` }] });
          sendResults(ask(vendor, messages, stream), messages);
          assert.match(JSON.stringify(ask(vendor, messages, stream).content), /degrees/);
        }
      }
      assert.deepEqual(
        [anthropic, gemini, bedrock, cohere].map(({ returned }) => returned > 0),
        [true, true, true, true],
      );
    });

    test('a tool loop that one vendor began is ended by every other', () => {
      for (const caller of VENDORS) {
        for (const answerer of VENDORS) {
          const messages: Turn[] = [{ role: 'user', content: [{ type: 'text', text: 'Is it warm?' }] }];
          sendResults(ask(caller, messages, stream), messages);
          ask(answerer, messages, stream);
          messages.push({ role: 'user', content: [{ type: 'text', text: 'And now?' }] });
          ask(caller, messages, stream);
        }
      }
    });

    test('thirty turns with tools go through Gemini and back to Anthropic: nothing is refused, and all that a vendor was told before stays as it was, byte for byte', () => {
      const messages: Turn[] = [];
      const told = new Map<StrictVendor, PromptParts>();
      for (let turn = 0; turn < 30; turn += 1) {
        const vendor = turn < 10 || turn >= 20 ? anthropic : gemini;
        messages.push({ role: 'user', content: [{ type: 'text', text: `Is it warm? (${turn})` }] });
        for (const isResult of [false, true]) {
          const request = bytesSent(vendor, withMark(messages), stream);
          assert.equal(request.includes(MARK), vendor === anthropic);
          const prompt = promptOf(request);
          const before = told.get(vendor);
          if (before) assertGoesOn(before, prompt);
          told.set(vendor, prompt);
          const message = ask(vendor, messages, stream);
          if (!isResult) sendResults(message, messages);
        }
      }
      assert.ok(anthropic.returned > 0 && gemini.returned > 0);
    });
  });
}

/** As Claude Code 2.1 writes a request, in small. */
const CLAUDE_CODE = {
  system: [
    { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.197.123; cc_entrypoint=sdk-cli;' },
    { type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } },
  ],
  metadata: { user_id: JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: '', session_id: 's'.repeat(36) }) },
  max_tokens: 32_000,
  thinking: { budget_tokens: 31_999, type: 'enabled' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  output_config: { effort: 'high' },
};

test('a request as Claude Code writes it is taken by every vendor of another form, and none sees what is for Anthropic’s eyes', () => {
  const text = (words: string, more: object = {}) => ({ type: 'text', text: words, ...more });
  const messages: Turn[] = [
    {
      role: 'user',
      content: [
        text('<system-reminder>Today is Sunday.</system-reminder>'),
        text('Is it warm?', { cache_control: { type: 'ephemeral' } }),
      ],
    },
    { role: 'system' as never, content: 'Available agents: none.' },
  ];
  for (const vendor of VENDORS.filter((each) => each !== anthropic)) {
    for (const stream of [false, true]) {
      const body = sent(vendor, messages, stream, CLAUDE_CODE);
      const written = JSON.stringify(body);
      assert.doesNotMatch(written, /billing-header|clear_thinking/);
      assert.match(written, /Be brief/);
      assert.match(written, /Available agents/);
      const { stop } = received(vendor, vendor.answer(body, stream), stream);
      assert.equal(stop, 'tool_use', vendor.model);
    }
  }
});
