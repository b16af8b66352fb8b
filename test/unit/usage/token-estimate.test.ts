import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { dialects } from '../../../src/plugs.ts';
import { TaskPool } from '../../../src/relay-thread/task-pool.ts';
import { type EstimateInput, estimateTokens, type TokenEstimate } from '../../../src/usage/estimate-task.ts';
import { promptSample } from '../../../src/usage/prompt.ts';
import { noRecordings, recordings } from '../../support/recordings.ts';

const FORMS = dialects();

const tasks = new TaskPool();
after(() => tasks.close());

const SAMPLE_BYTES = 2048;

function estimate(body: string | Buffer, answer: string, changes: Partial<EstimateInput> = {}): Promise<TokenEstimate> {
  const bytes = Buffer.from(body);
  const output = Buffer.from(answer);
  const input = {
    promptForm: 'openai-chat',
    answerForm: 'openai-chat',
    head: bytes,
    tail: undefined,
    bodyBytes: bytes.length,
    outputSample: output.subarray(0, SAMPLE_BYTES),
    outputTotalBytes: output.length,
    model: 'gpt-4o',
    ...changes,
  };
  return estimateTokens(input, FORMS);
}

const chat = { promptForm: 'openai-chat', answerForm: 'openai-chat' };
const answerOf = (content: string) => JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] });
const whole = (body: Buffer) => promptSample(body, body.length);
const promptOf = (content: string) => JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content }] });
const prose = 'It was the best of times, it was the worst of times, it was the age of wisdom. ';

interface Recorded {
  request: string;
  answer: string;
  model: string;
  promptTokens: number;
  completionTokens: number;
  reasoned: boolean;
}

const special = /image_url|input_audio|"file"|json_schema|"audio"|search/;

/** Recorded chat answers that say what they used, but for requests that `excluded` matches. */
function recordedChats(provider: string, excluded: RegExp): Recorded[] {
  const found: Recorded[] = [];
  for (const { request, response } of recordings(provider)) {
    if (!request.path.endsWith('/chat/completions') || response.status !== 200) continue;
    if (request.body === undefined || !response.body) continue;
    if (excluded.test(request.body) || special.test(request.body)) continue;
    const usage = /"prompt_tokens":\s*(\d+)/.exec(response.body)?.[1];
    const completion = /"completion_tokens":\s*(\d+)/.exec(response.body)?.[1];
    if (usage === undefined || completion === undefined) continue;
    found.push({
      request: request.body,
      answer: response.body,
      model: JSON.parse(request.body).model,
      promptTokens: Number(usage),
      completionTokens: Number(completion),
      reasoned: /"reasoning_tokens":\s*[1-9]/.test(response.body),
    });
  }
  return found;
}

function near(actual: number | undefined, expected: number): boolean {
  return actual !== undefined && Math.abs(actual - expected) <= Math.max(3, expected * 0.25);
}

test('a plain prompt is estimated within a quarter of what OpenAI counted', { skip: noRecordings }, async () => {
  const recorded = recordedChats('openai', /"tools"/);
  assert.ok(recorded.length >= 6, `${recorded.length}`);
  for (const { request, answer, model, promptTokens } of recorded) {
    const { inputTokens } = await estimate(request, answer, { model });
    assert.ok(near(inputTokens, promptTokens), `${inputTokens} for ${promptTokens}`);
  }
});

test('an answer is estimated from its first 2 KiB within a quarter of what was counted', {
  skip: noRecordings,
}, async () => {
  let compared = 0;
  let long = 0;
  for (const provider of ['openai', 'azure', 'deepseek', 'ollama']) {
    for (const { request, answer, model, completionTokens, reasoned } of recordedChats(provider, /never/)) {
      // What was thought and not shown cannot be estimated; frames of tool calls differ by a factor of five, and some
      // models bill ten tokens of frames with any answer.
      if (reasoned || /"(tool_calls|thinking)"/.test(answer) || completionTokens < 50) continue;
      const { outputTokens } = await estimate(request, answer, { model });
      assert.ok(near(outputTokens, completionTokens), `${provider} ${model}: ${outputTokens} for ${completionTokens}`);
      compared += 1;
      if (answer.length > 2 * SAMPLE_BYTES) long += 1;
    }
  }
  assert.ok(compared >= 20 && long >= 4, `${compared} compared, ${long} long`);
});

test('a stream of ten thousand events is estimated from the first few', async () => {
  const event = (n: number) =>
    `data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":" word${n % 10}"}}]}\n\n`;
  let stream = ': keep-alive\n\n';
  for (let n = 0; n < 10_000; n++) stream += event(n);
  const { outputTokens } = await estimate(promptOf('hi'), `${stream}data: [DONE]\n\n`);
  // " word" and the digit.
  assert.ok(near(outputTokens, 20_000), `${outputTokens}`);
});

test('an answer cut inside an escape, a character or a word still counts', async () => {
  for (let cut = 40; cut < 140; cut++) {
    const answer = Buffer.from(answerOf('a\\u00e9 \\ "quoted" \n é漢字🙂 and so on. '.repeat(4)));
    const { outputTokens } = await estimate(promptOf('hi'), '', {
      outputSample: answer.subarray(0, Math.min(cut, answer.length - 1)),
      outputTotalBytes: answer.length,
    });
    if (cut > 60) assert.ok(outputTokens !== undefined && outputTokens > 0, `cut at ${cut}`);
  }
});

test('an unknown prompt or answer is estimated as unknown, and not as zero', async () => {
  const unseen = await estimate('', answerOf(''));
  assert.deepEqual(unseen, { inputTokens: undefined, outputTokens: undefined });
  assert.equal((await estimate('no json', 'neither')).inputTokens, undefined);
  // The content begins beyond the sample.
  const late = JSON.stringify({ citations: 'x'.repeat(5000), choices: [{ message: { content: 'hello' } }] });
  assert.equal((await estimate(promptOf('hi'), late)).outputTokens, undefined);
});

test('an image is estimated by its size in tokens, and not by its bytes', async () => {
  const url = `data:image/png;base64,${'iVBORw0KGgo'.repeat(20_000)}`;
  const content = [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url } },
  ];
  const body = JSON.stringify({ messages: [{ role: 'user', content }] });
  const { inputTokens } = await estimate(body, answerOf('A cat.'));
  assert.ok(inputTokens !== undefined && inputTokens > 100 && inputTokens < 1000, `${inputTokens}`);
});

test('a long prompt is sampled and scaled', async () => {
  const single = (await estimate(promptOf(prose), answerOf('x'))).inputTokens ?? 0;
  const { inputTokens } = await estimate(promptOf(prose.repeat(10_000)), answerOf('x'));
  assert.ok(near(inputTokens, (single - 7) * 10_000), `${inputTokens}`);
});

test('hostile text neither throws nor takes long to estimate', async () => {
  await estimate(promptOf('warm up'), answerOf('x'));
  await estimate(promptOf('warm up'), answerOf('x'), { model: 'gpt-4' });
  const size = 1_000_000;
  for (const hostile of [
    'a'.repeat(size),
    ' '.repeat(size),
    '漢'.repeat(size),
    '!'.repeat(size),
    '\ud800'.repeat(size / 2),
    '🙂'.repeat(size / 2),
    '\u0301'.repeat(size),
    '<|endoftext|>'.repeat(size / 13),
    '<|im_start|>system<|fim_prefix|>'.repeat(1000),
    '\\u0000\u0000\r\n\t'.repeat(size / 10),
  ]) {
    for (const model of ['gpt-4o', 'gpt-4']) {
      const begin = performance.now();
      const { inputTokens } = await estimate(promptOf(hostile), answerOf(hostile.slice(0, 5000)), { model });
      const tookMs = performance.now() - begin;
      assert.ok(inputTokens !== undefined && inputTokens > 0 && inputTokens < 4 * size);
      assert.ok(tookMs < 3000, `${JSON.stringify(hostile.slice(0, 4))} took ${tookMs} ms`);
    }
  }
  const deep = `{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  assert.ok(((await estimate(deep, deep)).inputTokens ?? 0) < 10);
});

test('an estimate runs in the task pool, leaves the body alone and tells what it can', async () => {
  const body = Buffer.from(promptOf('Say hello.'));
  const answer = Buffer.from(answerOf('Hello! How can I help you today?'));
  const request = {
    ...chat,
    prompt: whole(body),
    outputSample: answer,
    outputTotalBytes: answer.length,
    model: 'gpt-4o-mini',
  };
  const usage = await tasks.estimate(request);
  assert.ok(near(usage?.inputTokens, 10) && near(usage?.outputTokens, 9), JSON.stringify(usage));
  assert.equal(JSON.parse(body.toString()).model, 'gpt-4o');
  const released = await tasks.estimate({ ...request, prompt: whole(Buffer.alloc(0)) });
  assert.deepEqual(Object.keys(released ?? {}), ['outputTokens']);
});

test('a message of Anthropic is counted by its own form, and an answer in the form of the provider that gave it', async () => {
  const request = {
    system: 'Be brief.',
    messages: [
      { role: 'user', content: [{ type: 'text', text: prose }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'look', input: { place: prose } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: prose }] }] },
    ],
  };
  const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const delta = (text: string) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
  const streamed = event('message_start', { message: { content: [] } }) + delta(prose) + delta(prose);
  const answered = JSON.stringify({ type: 'message', content: [{ type: 'text', text: prose + prose }] });
  const forms = { promptForm: 'anthropic-messages', answerForm: 'anthropic-messages' };
  for (const answer of [streamed, answered]) {
    const tokens = await estimate(JSON.stringify(request), answer, forms);
    assert.ok(near(tokens.inputTokens, 3 * 19 + 3 + 3 * 4 + 3 + 16), JSON.stringify(tokens));
    assert.ok(near(tokens.outputTokens, 2 * 19), JSON.stringify(tokens));
  }
  const translated = await estimate(promptOf(prose), streamed, { answerForm: 'anthropic-messages' });
  assert.ok(near(translated.outputTokens, 2 * 19), JSON.stringify(translated));
});

test('a body larger than is carried is counted from both its ends', async () => {
  const outputSample = Buffer.from(answerOf('Hello!'));
  const common = { ...chat, outputSample, outputTotalBytes: outputSample.length, model: 'gpt-4o' };
  const text = await tasks.estimate({ ...common, prompt: whole(Buffer.from(promptOf(prose.repeat(40_000)))) });
  assert.ok(near(text?.inputTokens, 19 * 40_000), JSON.stringify(text));
  const image = `data:image/png;base64,${'iVBORw0KGgo'.repeat(200_000)}`;
  const content = [
    { type: 'image_url', image_url: { url: image } },
    { type: 'text', text: prose.repeat(100) },
  ];
  const body = Buffer.from(JSON.stringify({ messages: [{ role: 'user', content }] }));
  const seen = await tasks.estimate({ ...common, prompt: whole(body) });
  assert.ok(near(seen?.inputTokens, 1900), JSON.stringify(seen));
});

test('the two ends of a large prompt that was released when the answer began are enough', async () => {
  const body = Buffer.from(promptOf(prose.repeat(2_000)));
  const outputSample = Buffer.from(answerOf('Hello!'));
  const prompt = promptSample(body, 16_384);
  assert.ok(prompt.head.length + (prompt.tail?.length ?? 0) <= 16_384);
  const usage = await tasks.estimate({
    ...chat,
    prompt,
    outputSample,
    outputTotalBytes: outputSample.length,
    model: 'gpt-4o',
  });
  assert.ok(near(usage?.inputTokens, 19 * 2_000), JSON.stringify(usage));
});
