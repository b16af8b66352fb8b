import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { type FakeProvider, type ReceivedRequest, sendJson, startProvider } from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const PIXELS = Buffer.from(Array.from({ length: 600_000 }, (_, at) => (at * 31 + (at >> 7)) & 0xff));
const usage = {
  input_tokens: 50,
  input_tokens_details: { image_tokens: 40, text_tokens: 10 },
  output_tokens: 1_056,
  output_tokens_details: { image_tokens: 1_056, text_tokens: 0 },
  total_tokens: 1_106,
};
const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const partial = (type: string, index: number) =>
  event({ type: `${type}.partial_image`, partial_image_index: index, b64_json: PIXELS.toString('base64') });
const completed = (type: string) => event({ type: `${type}.completed`, b64_json: PIXELS.toString('base64'), usage });

const ANSWERS: Record<string, (response: ServerResponse, request: ReceivedRequest) => void> = {
  url: (response) => sendJson(response, 200, { created: 1, data: [{ url: 'https://images.example/1.png' }] }),
  large: (response) => sendJson(response, 200, { created: 1, data: [{ b64_json: PIXELS.toString('base64') }], usage }),
  'dall-e-2': (response) => sendJson(response, 200, { created: 1, data: [{ b64_json: 'aGk=' }] }),
  'gpt-image-1.5': (response) => sendJson(response, 200, { created: 1, data: [{ b64_json: 'aGk=' }], usage }),
  vectors: (response) =>
    sendJson(response, 200, { created: 1, data: [{ b64_json: 'aGk=' }], usage, svg_usage: { input_tokens: 1 } }),
  stream: (response, { path }) => {
    const type = path.endsWith('edits') ? 'image_edit' : 'image_generation';
    startEvents(response);
    response.end(partial(type, 0) + partial(type, 1) + completed(type));
  },
  cut: (response) => {
    startEvents(response);
    response.end(partial('image_generation', 0));
  },
  unsafe: (response) =>
    sendJson(response, 400, {
      error: {
        message: 'rejected by the safety system',
        type: 'image_generation_user_error',
        code: 'moderation_blocked',
      },
    }),
};

/** The model of a body of JSON, or of a form. */
function modelOf({ headers, body }: ReceivedRequest): string {
  if (headers['content-type'] === 'application/json') return JSON.parse(body.toString()).model;
  return /name="model"\r\n\r\n(.*)\r\n/.exec(body.toString('latin1'))?.[1] ?? '';
}

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  provider = await startProvider((request, response) => ANSWERS[modelOf(request)]!(response, request));
  const pieces = {
    name: 'url',
    type: 'integration/model/openai',
    model_id: 'url',
    model_types: ['image'],
    cost: {
      metric: 'per_image',
      value: {
        variants: [
          { size: '1024x1024', quality: 'hd', output: 0.08 },
          { size: '1024x1024', output: 0.04 },
        ],
      },
    },
  };
  gateway = await startGateway({
    manifests: [
      openAccount('pictures', `${provider.origin}/v1`),
      openAccount('pieces', `${provider.origin}/v1`, {
        integrations: [pieces, { ...pieces, name: 'dall-e-2', model_id: 'dall-e-2' }],
      }),
    ],
  });
  client = new OpenAI({ apiKey: KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});

disposeAfter(() => [gateway, provider]);

const png = () => toFile(PIXELS, 'cat "1".png', { type: 'image/png' });
const labelled = (id: string) => ({ headers: { 'x-request-id': id } });

describe('images', () => {
  test('images are made, as addresses and as bytes', async () => {
    const asked = { prompt: 'a sluice', n: 1, size: '1024x1024' as const, response_format: 'url' as const };
    const { data } = await client.images.generate({ model: 'pictures/url', ...asked });
    assert.deepEqual(data, [{ url: 'https://images.example/1.png' }]);
    const sent = provider.requests.at(-1)!;
    assert.equal(sent.path, '/v1/images/generations');
    assert.deepEqual(JSON.parse(sent.body.toString()), { model: 'url', ...asked });
    const large = await client.images.generate({ model: 'pictures/large', prompt: 'x' }, labelled('image-large'));
    assert.ok(PIXELS.equals(Buffer.from(large.data![0]!.b64_json!, 'base64')));
    const record = await recordOf(gateway, 'image-large');
    assert.equal(record['gen_ai.usage.output_tokens'], 1_056);
    assert.equal(record['sluice.usage.image_output_tokens'], 1_056);
    assert.equal(record['sluice.usage.image_input_tokens'], 40);
    assert.equal(record['sluice.usage.output_images'], 1);
  });

  test('images that are billed by tokens cost what their parts cost', async () => {
    await client.images.generate({ model: 'pictures/gpt-image-1.5', prompt: 'x' }, labelled('image-tokens'));
    // Dollars for a million: text in 5, images in 8, images out 32.
    const { 'sluice.cost.usd': cost } = await recordOf(gateway, 'image-tokens');
    assert.equal(cost, (10 * 5 + 40 * 8 + 1_056 * 32) / 1e6);
  });

  test('images that are billed by the piece cost what their size and quality cost, else nobody knows', async () => {
    const costOf = async (id: string, asked: object) => {
      await client.images.generate({ model: 'pieces/url', prompt: 'x', ...asked }, labelled(id));
      const record = await recordOf(gateway, id);
      return record['sluice.cost.usd'] ?? record['sluice.cost.unknown_part'];
    };
    assert.equal(await costOf('pieces-hd', { size: '1024x1024', quality: 'hd' }), 0.08);
    assert.equal(await costOf('pieces-two', { size: '1024x1024', quality: 'standard', n: 2 }), 0.08);
    assert.equal(await costOf('pieces-unpriced', { size: '512x512' }), 'output_images');
    assert.equal(await costOf('pieces-unsaid', {}), 'output_images');
  });

  test('partial images pass as a stream, with usage at its end', async () => {
    const stream = await client.images.generate(
      { model: 'pictures/stream', prompt: 'x', stream: true, partial_images: 2 },
      labelled('image-stream'),
    );
    const types: string[] = [];
    for await (const each of stream) {
      types.push(each.type);
      assert.ok(PIXELS.equals(Buffer.from(each.b64_json, 'base64')));
    }
    assert.deepEqual(types, [
      'image_generation.partial_image',
      'image_generation.partial_image',
      'image_generation.completed',
    ]);
    const record = await recordOf(gateway, 'image-stream');
    assert.equal(record['gen_ai.usage.output_tokens'], 1_056);
  });

  test('a stream of images that breaks off is no whole answer', async () => {
    const stream = await client.images.generate({ model: 'pictures/cut', prompt: 'x', stream: true });
    await assert.rejects(async () => {
      for await (const _ of stream);
    });
  });

  test('a whole answer becomes a stream where one was asked for', async () => {
    const stream = await client.images.generate({ model: 'pictures/large', prompt: 'x', stream: true });
    const events = [];
    for await (const each of stream) events.push(each);
    assert.equal(events.length, 1);
    assert.equal(events[0]!.type, 'image_generation.completed');
    assert.ok(PIXELS.equals(Buffer.from(events[0]!.b64_json, 'base64')));
  });

  test('images are edited: files go on byte for byte, the model by its own name', async () => {
    const asked = { model: 'pictures/large', prompt: 'greener', size: '1024x1024' as const };
    const { data } = await client.images.edit({ ...asked, image: [await png(), await png()], mask: await png() });
    assert.equal(data!.length, 1);
    const { path, headers, body } = provider.requests.at(-1)!;
    assert.equal(path, '/v1/images/edits');
    const form = await new Response(new Uint8Array(body), {
      headers: { 'content-type': headers['content-type']! },
    }).formData();
    assert.equal(form.get('model'), 'large');
    assert.equal(form.get('prompt'), 'greener');
    const files = [...form.getAll('image[]'), form.get('mask')];
    assert.equal(files.length, 3);
    for (const file of files) {
      assert.ok(file instanceof File);
      assert.ok(PIXELS.equals(Buffer.from(await file.arrayBuffer())));
    }
  });

  test('an edit streams, and may name its images by their addresses', async () => {
    const stream = await client.images.edit({
      model: 'pictures/stream',
      prompt: 'x',
      image: await png(),
      stream: true,
    });
    const types = [];
    for await (const each of stream) types.push(each.type);
    assert.equal(types.at(-1), 'image_edit.completed');
    const body = { model: 'pictures/url', prompt: 'x', images: [{ image_url: 'https://images.example/1.png' }] };
    await client.post('/images/edits', { body });
    assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()), { ...body, model: 'url' });
  });

  test('images are varied', async () => {
    const { data } = await client.images.createVariation(
      { model: 'pieces/url', image: await png(), n: 3, size: '1024x1024' },
      labelled('image-variation'),
    );
    assert.equal(data![0]!.url, 'https://images.example/1.png');
    assert.equal(provider.requests.at(-1)!.path, '/v1/images/variations');
    const record = await recordOf(gateway, 'image-variation');
    assert.equal(record['sluice.usage.output_images'], 3);
    assert.equal(record['sluice.cost.usd'], 0.12);
  });

  test('the default model is asked where a request names none', async () => {
    const sentModel = () => modelOf(provider.requests.at(-1)!);
    assert.equal((await client.images.generate({ prompt: 'x' })).data?.length, 1);
    assert.deepEqual(JSON.parse(provider.requests.at(-1)!.body.toString()), { model: 'gpt-image-1.5', prompt: 'x' });
    assert.equal((await client.images.edit({ prompt: 'x', image: await png() })).data?.length, 1);
    assert.equal(sentModel(), 'gpt-image-1.5');
    await client.post('/images/edits', { body: { prompt: 'x' } });
    assert.equal(sentModel(), 'gpt-image-1.5');
    assert.equal((await client.images.createVariation({ image: await png() })).data?.length, 1);
    assert.equal(sentModel(), 'dall-e-2');
  });

  test('an image whose vectors another model wrote has an unknown cost', async () => {
    await client.images.generate({ model: 'pictures/vectors', prompt: 'x' }, labelled('image-vectors'));
    const record = await recordOf(gateway, 'image-vectors');
    assert.equal(record['sluice.usage.other_model_passes'], 1);
    assert.equal(record['sluice.cost.usd'], undefined);
  });

  test('a refusal of the provider passes, and a request without prompt is refused', async () => {
    const failure = async (request: Promise<unknown>): Promise<APIError> => {
      const error = await request.then(
        () => assert.fail('it was answered'),
        (cause: unknown) => cause,
      );
      assert.ok(error instanceof APIError);
      return error;
    };
    const unsafe = await failure(client.images.generate({ model: 'pictures/unsafe', prompt: 'x' }));
    assert.deepEqual([unsafe.status, unsafe.code], [400, 'moderation_blocked']);
    const body = { model: 'pictures/url' };
    const promptless = await failure(client.post('/images/generations', { body }));
    assert.deepEqual([promptless.status, promptless.param], [400, 'prompt']);
  });
});
