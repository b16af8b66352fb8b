import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, type LanguageModel, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { disposeAfter } from '../support/dispose-after.ts';
import { fiveAccounts, startFiveProviders, TRANSLATED } from '../support/five-providers.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import type { FakeProvider } from '../support/provider.ts';

/* Vercel's AI SDK: its default provider speaks Responses, the one of Anthropic Messages. */

let provider: FakeProvider;
let gateway: RunningGateway;

before(async () => {
  provider = await startFiveProviders();
  gateway = await startGateway({ manifests: fiveAccounts(provider) });
});
disposeAfter(() => [gateway, provider]);

const FORMS: Readonly<Record<string, (model: string) => LanguageModel>> = {
  'Responses, its default': (model) => createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY })(model),
  Messages: (model) => createAnthropic({ baseURL: `${gateway.url}/v1`, apiKey: KEY })(model),
  'chat completions': (model) => createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEY }).chat(model),
};
/** The SDK warns where it has to guess how much a model may say. */
const once = { maxRetries: 0, maxOutputTokens: 1_000 };
const tools = {
  weather: tool({
    description: 'of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => `12 degrees in ${city}`,
  }),
};

for (const [form, open] of Object.entries(FORMS)) {
  describe(`the AI SDK in the form of ${form}`, () => {
    for (const model of TRANSLATED) {
      test(`a text of ${model} is streamed, with its usage`, async () => {
        const { textStream, usage, finishReason } = streamText({ ...once, model: open(model), prompt: 'Hi' });
        let text = '';
        for await (const piece of textStream) text += piece;
        assert.equal(text, 'Grüezi');
        assert.equal(await finishReason, 'stop');
        const { inputTokens, outputTokens } = await usage;
        assert.deepEqual([inputTokens, outputTokens], [5, 7]);
      });

      test(`a loop of tools runs with ${model}, whole and streamed`, async () => {
        const asked = {
          ...once,
          model: open(model),
          prompt: 'How is the weather in Bern?',
          tools,
          stopWhen: stepCountIs(3),
        };
        const whole = await generateText(asked);
        const streamed = streamText(asked);
        for (const [text, steps] of [
          [whole.text, whole.steps],
          [await streamed.text, await streamed.steps],
        ] as const) {
          assert.equal(text, 'Grüezi');
          assert.equal(steps.length, 2);
          assert.equal(steps[0]?.finishReason, 'tool-calls');
          assert.deepEqual(steps[0]?.toolCalls[0]?.input, { city: 'Bern' });
        }
        assert.match(provider.requests.at(-1)!.body.toString(), /12 degrees in Bern/);
      });

      test(`an object of ${model} has the shape that was asked for`, async () => {
        const output = Output.object({ schema: z.object({ city: z.string() }) });
        const made = await generateText({ ...once, model: open(model), prompt: 'JSON: which city?', output });
        assert.deepEqual(made.output, { city: 'Bern' });
        assert.match(provider.requests.at(-1)!.body.toString(), /\\?"city\\?"/);
      });
    }
  });
}

test('the AI SDK’s default provider reads what passes from a provider of this form', async () => {
  const { textStream, usage } = streamText({
    ...once,
    model: FORMS['Responses, its default']!('own/gpt'),
    prompt: 'Hi',
  });
  let text = '';
  for await (const piece of textStream) text += piece;
  assert.match(text, /^A sluice/);
  assert.equal((await usage).inputTokens, 69);
});

test('a refusal of the gateway is an error of the AI SDK, with its status', async () => {
  for (const open of Object.values(FORMS)) {
    const failing = generateText({ ...once, model: open('nobody/has-it'), prompt: 'Hi' });
    await assert.rejects(failing, { statusCode: 404 });
  }
});
