import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { sdkRefusal } from '../support/sdk-refusal.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const MADE = PNG.toString('base64');

/** Answers by a part of the path, or of the body. */
function answerOf(path: string, body: string): [number, object] {
  if (body.includes('blocked')) {
    if (path.includes(':generateContent')) {
      return [
        200,
        { candidates: [{ finishReason: 'IMAGE_SAFETY', index: 0 }], usageMetadata: { promptTokenCount: 5 } },
      ];
    }
    if (path.includes(':predict')) return [200, {}];
    return [200, { images: [], error: 'Blocked by its filters.' }];
  }
  if (path.includes(':predict')) {
    const predictions = Array.from({ length: JSON.parse(body).parameters.sampleCount }, () => ({
      mimeType: 'image/png',
      bytesBase64Encoded: MADE,
    }));
    return [200, { predictions }];
  }
  if (path.includes(':generateContent')) {
    return [
      200,
      {
        candidates: [
          {
            content: {
              parts: [{ text: 'Here it is.' }, { inlineData: { mimeType: 'image/png', data: MADE } }],
              role: 'model',
            },
            finishReason: 'STOP',
            index: 0,
          },
        ],
        usageMetadata: {
          promptTokenCount: 10,
          candidatesTokenCount: 1290,
          totalTokenCount: 1300,
          candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1290 }],
        },
      },
    ];
  }
  if (path.includes('stability')) return [200, { seeds: [1], finish_reasons: [null], images: [MADE] }];
  if (path.includes('/invoke')) {
    const { numberOfImages = 1 } = JSON.parse(body).imageGenerationConfig;
    return [200, { images: Array.from({ length: numberOfImages }, () => MADE) }];
  }
  if (path.includes('/workflows/')) return [200, { base64: [MADE], finishReason: 'SUCCESS', seed: 1 }];
  if (path === '/images') {
    return [
      200,
      {
        created: 0,
        data: [{ b64_json: MADE, media_type: 'image/png' }],
        usage: { prompt_tokens: 1125, completion_tokens: 1120, total_tokens: 2245, cost: 0.03388125 },
      },
    ];
  }
  return [200, { data: [{ url: 'https://imgen.example/1.jpeg' }], usage: { cost_in_usd_ticks: 200_000_000 } }];
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => {
    const [status, answer] = answerOf(request.path, request.body.toString());
    sendJson(response, status, answer);
  });
  const account = (kind: string, more: object = {}) => ({
    type: `provider-account/${kind}`,
    name: kind,
    base_url: provider.origin,
    auth_data: { type: 'api-key', api_key: `sk-${kind}` },
    ...more,
  });
  gateway = await startGateway({
    manifests: [
      account('google-gemini', { auth_data: { type: 'api-key', apiKey: 'sk-gemini' } }),
      account('aws-bedrock', { region: 'us-east-1' }),
      account('together-ai'),
      account('openrouter'),
      account('xai'),
      account('openai-compatible', { name: 'fireworks', host: 'fireworks' }),
      account('openai-compatible', {
        name: 'priced',
        integrations: [
          {
            name: 'brush',
            type: 'integration/model/openai-compatible',
            model_id: 'brush-1',
            model_types: ['image'],
            cost: { metric: 'per_image', value: { output: 0.04, variants: [{ size: '1024x1536', output: 0.12 }] } },
          },
        ],
      }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const last = () => {
  const { path, body } = provider.requests.at(-1)!;
  return { path, body: JSON.parse(body.toString()) };
};

async function made(model: string, more: object = {}) {
  const answer = await client.images.generate({
    model,
    prompt: 'a cat',
    ...more,
  } as OpenAI.ImageGenerateParamsNonStreaming);
  return { answer, ...last() };
}

async function edited(model: string, more: object = {}) {
  const image = await toFile(PNG, 'cat.png', { type: 'image/png' });
  const answer = await client.images.edit({
    model,
    prompt: 'make it green',
    image,
    ...more,
  } as OpenAI.ImageEditParamsNonStreaming);
  return { answer, ...last() };
}

describe('images of vendors with forms of their own', () => {
  test('Gemini is asked for an image in the shape that the size has, and its tokens are told', async () => {
    const { answer, path, body } = await made('google-gemini/gemini-2.5-flash-image', {
      size: '1536x1024',
      quality: 'high',
    });
    assert.equal(path, '/models/gemini-2.5-flash-image:generateContent');
    assert.deepEqual(body, {
      contents: [{ role: 'user', parts: [{ text: 'a cat' }] }],
      generationConfig: { responseModalities: ['IMAGE'], imageConfig: { aspectRatio: '3:2' } },
    });
    assert.deepEqual(answer.data, [{ b64_json: MADE }]);
    assert.deepEqual(
      [answer.output_format, answer.usage?.input_tokens, answer.usage?.output_tokens],
      ['png', 10, 1290],
    );
    const large = await made('google-gemini/gemini-3-pro-image', { size: '2048x2048' });
    assert.deepEqual(large.body.generationConfig.imageConfig, { aspectRatio: '1:1', imageSize: '2K' });
    assert.deepEqual(await sdkRefusal(made('google-gemini/gemini-2.5-flash-image', { size: '1000x10' })), [
      400,
      'size',
    ]);
  });

  test('several images of a model that makes one at a time are asked for one by one, and joined', async () => {
    const before = provider.requests.length;
    const { answer } = await made('google-gemini/gemini-2.5-flash-image', { n: 3, response_format: 'url' });
    assert.equal(provider.requests.length - before, 3);
    assert.deepEqual(
      answer.data?.map(({ url }) => url),
      Array.from({ length: 3 }, () => `data:image/png;base64,${MADE}`),
    );
    assert.equal(answer.usage?.output_tokens, 3 * 1290);
  });

  test('Imagen is asked to predict, and what its filters leave out is the client’s 400', async () => {
    const { answer, path, body } = await made('google-gemini/imagen-4.0-generate-001', { n: 2, size: '1792x1024' });
    assert.equal(path, '/models/imagen-4.0-generate-001:predict');
    assert.deepEqual(body, { instances: [{ prompt: 'a cat' }], parameters: { sampleCount: 2, aspectRatio: '16:9' } });
    assert.equal(answer.data?.length, 2);
    for (const model of [
      'google-gemini/imagen-4',
      'google-gemini/gemini-2.5-flash-image',
      'aws-bedrock/amazon.nova-canvas-v1:0',
    ]) {
      await assert.rejects(
        made(model, { prompt: 'blocked' }),
        (error) => error instanceof APIError && error.status === 400 && error.code === 'moderation_blocked',
      );
    }
  });

  test('an image of the client’s form is edited by Gemini, as base64 in its place', async () => {
    const { answer, body } = await edited('google-gemini/gemini-2.5-flash-image');
    assert.deepEqual(body.contents[0].parts, [
      { text: 'make it green' },
      { inlineData: { mimeType: 'image/png', data: MADE } },
    ]);
    assert.equal(answer.data?.[0]?.b64_json, MADE);
    const mask = await toFile(PNG, 'mask.png', { type: 'image/png' });
    assert.deepEqual(await sdkRefusal(edited('google-gemini/gemini-2.5-flash-image', { mask })), [400, 'mask']);
  });

  test('Amazon’s models are asked by size and quality, edit and vary', async () => {
    const model = 'aws-bedrock/amazon.nova-canvas-v1:0';
    const { path, body, answer } = await made(model, { n: 2, size: '1024x1024', quality: 'hd', seed: 7 });
    assert.equal(path, '/model/amazon.nova-canvas-v1%3A0/invoke');
    assert.deepEqual(body, {
      taskType: 'TEXT_IMAGE',
      textToImageParams: { text: 'a cat' },
      imageGenerationConfig: { width: 1024, height: 1024, numberOfImages: 2, quality: 'premium', seed: 7 },
    });
    assert.equal(answer.data?.length, 2);
    const { body: edit } = await edited(model);
    assert.deepEqual(edit.imageVariationParams, { images: [MADE], text: 'make it green' });
    const image = await toFile(PNG, 'cat.png', { type: 'image/png' });
    await client.images.createVariation({ model, image });
    assert.deepEqual(last().body.imageVariationParams, { images: [MADE] });
  });

  test('Stability’s models are asked by shape, and edit by strength', async () => {
    const model = 'aws-bedrock/stability.sd3-5-large-v1:0';
    const { body } = await made(model, { size: '1024x1536', output_format: 'jpeg' });
    assert.deepEqual(body, { prompt: 'a cat', mode: 'text-to-image', aspect_ratio: '2:3', output_format: 'jpeg' });
    const { body: edit } = await edited(model, { strength: '0.4' });
    assert.deepEqual(edit, { prompt: 'make it green', mode: 'image-to-image', image: MADE, strength: '0.4' });
  });

  test('hosts that call things otherwise get their own words, and their answers pass byte for byte', async () => {
    const together = await made('together-ai/black-forest-labs/FLUX.1-schnell', {
      size: '1024x768',
      response_format: 'b64_json',
    });
    assert.equal(together.path, '/images/generations');
    assert.deepEqual(together.body, {
      model: 'black-forest-labs/FLUX.1-schnell',
      prompt: 'a cat',
      width: 1024,
      height: 768,
      response_format: 'base64',
    });
    const openrouter = await edited('openrouter/google/gemini-3.1-flash-lite-image');
    assert.equal(openrouter.path, '/images');
    assert.deepEqual(openrouter.body.input_references, [
      { type: 'image_url', image_url: { url: `data:image/png;base64,${MADE}` } },
    ]);
    assert.equal(openrouter.answer.created, 0);
    const xai = await edited('xai/grok-imagine-image');
    assert.deepEqual(xai.body.images, [{ type: 'image_url', url: `data:image/png;base64,${MADE}` }]);
    assert.deepEqual(xai.answer.data, [{ url: 'https://imgen.example/1.jpeg' }]);
    const fireworks = await made('fireworks/flux-1-schnell-fp8', { size: '1024x1024' });
    assert.equal(fireworks.path, '/workflows/accounts/fireworks/models/flux-1-schnell-fp8/text_to_image');
    assert.deepEqual(fireworks.body, { prompt: 'a cat', aspect_ratio: '1:1' });
    assert.equal(fireworks.answer.data?.[0]?.b64_json, MADE);
  });

  test('an image costs what its size costs, what the provider bills, or what its tokens cost', async () => {
    const cost = async (id: string, model: string, more: object = {}) => {
      await client.images.generate({ model, prompt: 'a cat', ...more }, { headers: { 'x-request-id': id } });
      return (await recordOf(gateway, id))['sluice.cost.usd'];
    };
    assert.equal(await cost('size', 'priced/brush', { size: '1024x1536', n: 2 }), 0.24);
    assert.equal(await cost('ticks', 'xai/grok-imagine-image'), 0.02);
    assert.equal(await cost('told', 'openrouter/some/image'), 0.03388125);
  });

  test('a stream of a vendor that has none is its answer as events', async () => {
    const model = 'google-gemini/gemini-2.5-flash-image';
    const stream = await client.images.generate({ model, prompt: 'a cat', stream: true, partial_images: 1 });
    const events = [];
    for await (const event of stream) events.push(event);
    assert.deepEqual(
      events.map(({ type, b64_json }) => [type, b64_json]),
      [['image_generation.completed', MADE]],
    );
    const image = await toFile(Buffer.from(MADE, 'base64'), 'a.png', { type: 'image/png' });
    const edited = [];
    for await (const event of await client.images.edit({ model, prompt: 'a cat', image, stream: true }))
      edited.push(event);
    assert.deepEqual(
      edited.map(({ type, b64_json }) => [type, b64_json]),
      [['image_edit.completed', MADE]],
    );
  });

  test('the last of several images in a stream tells the usage of all', async () => {
    const model = 'google-gemini/gemini-2.5-flash-image';
    const stream = await client.images.generate({ model, prompt: 'a cat', stream: true, n: 2 });
    const events = [];
    for await (const event of stream) events.push(event);
    assert.deepEqual(
      events.map((event) => 'usage' in event && event.usage !== undefined),
      [false, true],
    );
  });
});
