import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { openAiChat } from '../../src/dialects/openai-chat/index.ts';
import { allPlugs } from '../../src/plugs.ts';
import type { Target } from '../../src/providers/provider.ts';
import { mountFor } from '../../src/relay/choose-mount.ts';
import { outbound, wholeBody } from '../../src/relay/outbound.ts';
import { NO_WAITS } from '../../src/routing/route-plan.ts';
import { fromStream, fromWhole } from '../support/chat-answer.ts';
import { anthropic, bedrock, cohere, gemini, openai, type StrictVendor } from '../support/strict-vendors.ts';
import { translateStream, translateWhole } from '../support/translated-chat.ts';

const PLUGS = allPlugs();

/* One conversation whose turns are answered by one vendor after the other, each as strict as it is in truth. */

const VENDORS: readonly StrictVendor[] = [anthropic, gemini, openai, bedrock, cohere];
const tools = [
  {
    type: 'function',
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
];

const targets = new Map<StrictVendor, Target>(
  VENDORS.map((vendor) => {
    const plug = PLUGS.find(({ type }) => type === vendor.manifest['type']);
    const target = plug?.open(plug.schema.parse(vendor.manifest), new Map()).target(vendor.model);
    assert.ok(target);
    return [vendor, target];
  }),
);

type Message = Record<string, unknown>;
type Client = 'keeps every field' | 'keeps OpenAI’s own fields alone';

const headers = {
  contentType: 'application/json',
  accept: undefined,
  traceparent: undefined,
  tracestate: undefined,
  idempotencyKey: undefined,
  range: undefined,
  query: undefined,
  tfy: undefined,
  forwardable: undefined,
};

/** The provider's request for the client's, as the relay makes it. */
function sent(vendor: StrictVendor, messages: readonly Message[], stream: boolean): Record<string, unknown> {
  const target = targets.get(vendor)!;
  const asked = { model: target.id, messages, tools, stream, ...(vendor !== openai && { reasoning_effort: 'low' }) };
  const body = Buffer.from(JSON.stringify(asked));
  const scan = openAiChat.scan();
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  assert.ok(!(peeked instanceof GatewayError));
  const step = {
    target,
    overrides: undefined,
    retry: { maxAttempts: 1 },
    waits: NO_WAITS,
    hedgeAfterMs: undefined,
  } as never;
  const { signal } = new AbortController();
  const heavy = () => Promise.reject(new Error('nothing is large'));
  const made = outbound({ headers, body, peeked, cacheMarker: undefined }, openAiChat, step, heavy, { signal });
  assert.ok(!(made instanceof Promise) && !(made instanceof GatewayError), String(made));
  return JSON.parse(wholeBody(made.body).toString());
}

/** The message that a client has at the end, with every field that the gateway gave it. */
function received(vendor: StrictVendor, answer: string | Buffer, stream: boolean): Message {
  const translation = mountFor(targets.get(vendor)!, openAiChat)?.wire.translation;
  const bytes = Buffer.from(answer);
  if (!stream) {
    const whole = vendor === openai ? bytes : translateWhole(translation!, bytes.toString());
    fromWhole(whole);
    return JSON.parse(whole.toString()).choices[0].message;
  }
  const parser = vendor === bedrock ? AwsEventStreamParser : undefined;
  const streamed =
    vendor === openai
      ? bytes
      : translateStream(translation!, [bytes], parser && ((onEvent, maxBytes) => new parser(onEvent, maxBytes))).bytes;
  const { content, reasoning, thinkingBlocks, toolCalls } = fromStream(streamed);
  return {
    role: 'assistant',
    content: content === '' ? null : content,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(thinkingBlocks.length > 0 && { thinking_blocks: thinkingBlocks }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map(({ id, name, arguments: text }) => ({
        id,
        type: 'function',
        function: { name, arguments: text },
      })),
    }),
  };
}

function kept({ role, content, tool_calls }: Message): Message {
  return { role, content, ...(tool_calls !== undefined && { tool_calls }) };
}

function ask(vendor: StrictVendor, messages: Message[], client: Client, stream: boolean): Message {
  const message = received(vendor, vendor.answer(sent(vendor, messages, stream), stream), stream);
  messages.push(client === 'keeps every field' ? message : kept(message));
  return message;
}

function sendResults(message: Message, messages: Message[]): void {
  const calls = (message['tool_calls'] ?? []) as { id: string }[];
  assert.equal(calls.length, 1);
  for (const { id } of calls) messages.push({ role: 'tool', tool_call_id: id, content: '{"degrees":12}' });
}

beforeEach(() => {
  for (const vendor of VENDORS) vendor.returned = 0;
});

for (const client of ['keeps every field', 'keeps OpenAI’s own fields alone'] as const) {
  for (const stream of [false, true]) {
    describe(`a client that ${client}, ${stream ? 'streamed' : 'whole'}`, () => {
      test('each vendor in turn thinks, calls and answers, three times over, and takes all that the others said', () => {
        const messages: Message[] = [{ role: 'system', content: 'Be brief.' }];
        for (let lap = 0; lap < 3; lap += 1) {
          for (const vendor of VENDORS) {
            messages.push({ role: 'user', content: `Is it warm? (${lap})` });
            sendResults(ask(vendor, messages, client, stream), messages);
            const last = ask(vendor, messages, client, stream);
            assert.match(String(last['content']), /degrees/);
          }
        }
        // Calls carry Gemini's signatures in their ids; Claude's and thoughts need a client that keeps them.
        assert.ok(gemini.returned > 0);
        const others = [anthropic, bedrock, cohere].map(({ returned }) => returned > 0);
        assert.deepEqual(others, Array(3).fill(client === 'keeps every field'));
      });

      test('the result of a call that one vendor made is taken by every other', () => {
        for (const caller of VENDORS) {
          for (const answerer of VENDORS) {
            const messages: Message[] = [{ role: 'user', content: 'Is it warm?' }];
            sendResults(ask(caller, messages, client, stream), messages);
            ask(answerer, messages, client, stream);
            messages.push({ role: 'user', content: 'And now?' });
            ask(caller, messages, client, stream);
          }
        }
      });
    });
  }
}

test('a signature that was changed on the way is refused by the vendor that made it', () => {
  const messages: Message[] = [{ role: 'user', content: 'Is it warm?' }];
  const message = ask(anthropic, messages, 'keeps every field', false);
  sendResults(message, messages);
  (message['thinking_blocks'] as { thinking: string }[])[0]!.thinking += '!';
  assert.throws(() => ask(anthropic, messages, 'keeps every field', false), /Invalid `signature`/);
});
